package narrate

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// entry is what the catalogue says of a call with its arguments.
type entry struct {
	why     string // why programs make such a call, and what it changes
	man     string // the manual page: mount(2)
	chapter string // namespaces, limits, identity, …; "" for what goes with what is told before

	// Calls of one fold that follow each other on one side are told in one block; ""
	// is for a call that is told alone. Where fold is a sentence, it is the block's, in
	// the place of the first call's why. item is what this call adds: CAP_SYS_BOOT,
	// /dev/zero. Two calls about the same thing have the same item: once is enough.
	fold string
	item string
}

// chapter is a part of the catalogue. Its name is that of all its entries.
type chapter struct {
	name  string
	rules []rule
}

// rule is what the catalogue says of some calls.
type rule struct {
	calls string    // their names
	when  condition // with which arguments; nil for any
	why   string    // with %s where about says more
	about text
	man   string // "" for the call's own page
	fold  string
	item  text
}

type (
	condition func(c *trace.Call) bool
	text      func(c *trace.Call) string
)

// catalogue has the chapters in the order in which they are searched: the first
// rule that holds is the answer, so what is special stands before what is general.
var catalogue = sync.OnceValue(func() []chapter {
	return []chapter{limitsChapter(), identityChapter(), namespacesChapter(), devicesChapter(), copiesChapter(), rootChapter(),
		networkChapter(), privilegesChapter(), helpersChapter(), goesWithChapter(), commandChapter()}
})

// rules are those of the whole catalogue, by the name of the call. Only who narrates
// makes them: every start of a program would take longer for it.
var rules = sync.OnceValue(func() map[string][]found {
	all := map[string][]found{}
	for _, chapter := range catalogue() {
		for j := range chapter.rules {
			r := &chapter.rules[j]
			for _, name := range strings.Fields(r.calls) {
				all[name] = append(all[name], found{r, chapter.name})
			}
		}
	}
	return all
})

type found struct {
	*rule
	chapter string
}

// lookUp finds what the catalogue says of a call that is read. again says that the
// call starts the same program once more: in a lesson that is the container's side.
func lookUp(c *trace.Call, again, lesson bool) entry {
	switch {
	case again && lesson:
		return entry{why: startsAgain, man: manualPage(c.Name())}
	case again:
		return entry{why: startsItself, man: manualPage(c.Name())}
	}
	r, ok := findRule(c)
	if !ok {
		return entry{}
	}
	e := entry{why: r.why, man: r.man, chapter: r.chapter, fold: r.fold}
	if r.about != nil {
		e.why = fmt.Sprintf(r.why, r.about(c))
	}
	if e.man == "" || lesson && c.Name() != "write" { // a lesson is about the call
		e.man = manualPage(c.Name())
	}
	if r.item != nil {
		e.item = r.item(c)
	}
	return e
}

func findRule(c *trace.Call) (found, bool) {
	for _, r := range rules()[c.Name()] {
		if r.when == nil || r.when(c) {
			return r, true
		}
	}
	return found{}, false
}

// manualPage names the page of a call. Some pages describe a family: mkdirat
// stands in mkdir(2).
func manualPage(name string) string {
	switch name {
	case "":
		return ""
	case "unlinkat":
		return "rmdir(2)"
	case "clone3", "umount2", "pwrite64":
		name = strings.TrimRight(name, "2346")
	case "fchdir":
		name = "chdir"
	case "setregid":
		name = "setreuid"
	case "setresgid":
		name = "setresuid"
	case "execveat":
	default:
		name = strings.TrimSuffix(name, "at")
	}
	return name + "(2)"
}

// remarks are what a reader should know beside the why: what Go adds to a call,
// and the older names of cgroup v1.
func remarks(c *trace.Call, byGo bool) []string {
	switch c.Name() {
	case "clone":
		if own := c.CloneFlags() & goAdds; byGo && own != 0 {
			return []string{fmt.Sprintf("… is what Go adds: %s. Until its execve, the new process borrows this one's memory.", trace.CloneFlag(own))}
		}
	case "write":
		switch base(c) {
		case "memory.limit_in_bytes":
			return []string{"memory.limit_in_bytes is what cgroup v1 calls memory.max."}
		case "memory.memsw.limit_in_bytes":
			return []string{"In cgroup v1 this file limits memory and swap together. In v2, memory.swap.max limits swap alone."}
		case "cpu.cfs_quota_us":
			return []string{"cpu.cfs_quota_us is the first number of v2's cpu.max. The period is 100000 µs, if nobody changed it."}
		}
	}
	return nil
}

// goAdds are the flags with which Go starts every program, see syscall.forkExec.
const goAdds = unix.CLONE_VM | unix.CLONE_VFORK | unix.CLONE_PIDFD

// shownCall is the call as the text shows it: long arguments are cut, as strace
// does, and of a clone by Go there are only the flags that the program asked for.
func shownCall(c *trace.Call, byGo bool) string {
	if c.Name() == "clone" && byGo {
		asked := "SIGCHLD|…"
		if flags := c.CloneFlags() &^ 0xff &^ goAdds; flags != 0 {
			asked = trace.CloneFlag(flags) + "|" + asked
		}
		return "clone(flags=" + asked + ")"
	}
	const most = 400 // bytes of an argument
	arguments := make([]string, len(c.Arguments))
	for i, argument := range c.Arguments {
		if arguments[i] = argument; len(argument) > most {
			arguments[i] = argument[:most] + "…"
		}
	}
	return c.Name() + "(" + strings.Join(arguments, ", ") + ")"
}
