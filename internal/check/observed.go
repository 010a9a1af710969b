package check

import (
	"slices"
	"strings"
	"time"
)

// What the judgment knows of a run is in these values, and nowhere else: all of
// it was seen from outside. Judging them needs no kernel.

// run is one run of the program.
type run struct {
	typed     []string // what stood behind the program's name
	patience  time.Duration
	calls     []*call // in the order in which they were asked
	processes map[int]*process
	first     int   // the pid of the program that was started
	command   int   // the pid of the process that became the command, 0 for none
	look      *look // at the command, while it ran; nil when it never ran
	looked    int   // how many calls had been asked then

	status  int  // exit status of the program; -n for signal n
	hung    bool // it was ended by us
	tooMany bool // because it made processes without end
	early   bool // it ended before its command
	//lint:ignore U1000 it is set and read where programs can be run: on Linux
	unwaited bool // it ended after its command, and had not waited for it
	stdout   string
	stderr   string
	hostname [2]string // of the host: before, after
	mounts   [3]string // the host's mount table: before, during, after
	left     []string  // those of them that are there after it
}

// process is one that the program has made, or the program itself.
type process struct {
	pid, parent int
	made        *call // the clone that made it, nil for the first
	tracer      bool  // it traces others: a narrator, no part of the container
	became      []string
	own         []string // namespaces that are not the host's, when it began
	number      int      // what it calls itself, when its PID namespace is its own; 0 when not known
	ended       bool
	status      int
	doing       string // what it was in the middle of, when it was ended by us
	//lint:ignore U1000 it is set and read where programs can be run: on Linux
	busy int // the thread that was
}

// call is a system call of the kinds that containers are made of.
type call struct {
	pid, thread int
	name        string
	text        string // as strace prints it
	flags       uint64 // of clone, unshare, setns, mount
	path        string // what it is about; for a mount the target, for a write the file
	source      string // of a mount
	kind        string // of a mount: the type of file system
	data        string // what was written, or named
	list        []string
	errno       string // "" when it worked
	child       int    // of a clone
	answered    bool
}

// look is what the kernel says of the command, from outside.
type look struct {
	pid      int
	numbers  []int // NSpid, from the host's inward
	own      map[string]bool
	hostname string
	noPath   bool // its environment has no PATH

	root         string // its path, as the host sees it
	rootIsHosts  bool
	cwd          string
	cwdIsOutside bool

	procKind   string // what is at its /proc: "proc", "other", "nothing"
	strangers  int    // how many processes it lists that are not the container's
	rootShared bool   // the mount that its root is on has the host's as a peer

	limits  []limit
	number1 int // the pid of number 1 of its PID namespace, as the host sees it
}

// limit is what a controller says of the command.
type limit struct {
	controller string // "pids", "memory", "cpu"
	tree       string // where the host's tree is mounted
	v2         bool
	group      string // the folder of the command's group
	isHosts    bool
	file       string // the file that holds the limit
	value      string
	right      bool
	expected   string
}

func (l *look) number() int { return l.numbers[len(l.numbers)-1] }

// lineage lists the processes from the program to the command, that one last.
func (r *run) lineage() (pids []int) {
	for p := r.processes[r.command]; p != nil; p = r.processes[p.parent] {
		pids = append([]int{p.pid}, pids...)
		if p.pid == r.first {
			break
		}
	}
	return pids
}

// find returns the calls of these names, of all processes that are no tracer.
func (r *run) find(names ...string) (found []*call) {
	for _, c := range r.calls {
		if p := r.processes[c.pid]; slices.Contains(names, c.name) && (p == nil || !p.tracer) {
			found = append(found, c)
		}
	}
	return found
}

// asked returns the first of these calls that has a flag, nil for none.
func asked(calls []*call, flag uint64) *call {
	for _, c := range calls {
		if c.flags&flag != 0 {
			return c
		}
	}
	return nil
}

// where returns the calls that fit.
func where(calls []*call, fits func(*call) bool) (found []*call) {
	for _, c := range calls {
		if fits(c) {
			found = append(found, c)
		}
	}
	return found
}

func worked(c *call) bool { return c.answered && c.errno == "" }
func failed(c *call) bool { return c.errno != "" }

// before reports whether a was asked before b.
func (r *run) before(a, b *call) bool { return slices.Index(r.calls, a) < slices.Index(r.calls, b) }

// late reports whether a call was asked when the command ran already.
func (r *run) late(c *call) bool { return slices.Index(r.calls, c) >= r.looked }

// who names a process by its part: the reader knows no pids.
func (r *run) who(pid int) string {
	switch p := r.processes[pid]; {
	case pid == r.first:
		return "the host's side of your program"
	case pid == r.command:
		return "the process that became the command"
	case p != nil && p.parent == r.first:
		return "the process that your program made"
	}
	return "a process of your container"
}

// printed is at most twelve lines of what the program printed.
func (r *run) printed() (lines []string) {
	const most, width = 12, 100
	for line := range strings.Lines(r.stdout + r.stderr) {
		line = strings.TrimRight(safe(line), " ")
		if slices.Contains([]string{"", "ready", "got go on", "oops"}, line) || strings.HasPrefix(line, "The narrator cannot watch") {
			continue
		}
		if len(line) > width {
			line = line[:width] + "…"
		}
		lines = append(lines, line)
	}
	if len(lines) > most {
		lines = append(lines[:most-1], "…")
	}
	return lines
}

// safe leaves of a line what no terminal takes for an order.
func safe(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
			return -1
		}
		return r
	}, line)
}
