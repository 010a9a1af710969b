package check

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// promise is what a lesson promises, and how a run is held against it: broken
// returns why it is not kept, "" when it is.
type promise struct {
	lesson int
	text   string
	broken func(*run) string
}

// promises are those of all lessons, in the order in which they are built.
var promises = []promise{
	{1, "The command runs, with the arguments that were typed.", (*run).noCommand},
	{1, "Your program waits until the command ends.", (*run).noEnd},
	{2, "The container has a hostname of its own.", (*run).noHostname},
	{2, "The host's hostname is untouched.", (*run).hostRenamed},
	{3, "The command is number 1 of its own PID namespace.", (*run).notNumber1},
	{4, "The container's / is another folder.", (*run).noRoot},
	{4, "The working directory is inside.", (*run).outside},
	{5, "The container has a mount namespace of its own.", (*run).noMountNamespace},
	{5, "Its /proc lists its own processes, and no others.", (*run).noProc},
	{5, "The host's mount table is untouched.", (*run).mountsEscape},
	{6, "The command is in a cgroup of its own.", (*run).noGroup},
	{6, "At most 20 tasks, 64 MiB of memory, half a CPU.", (*run).noLimits},
	{6, "The cgroup is removed at the end.", (*run).groupLeft},
}

// Promises are what a lesson promises, one sentence each.
func Promises(lesson int) (texts []string) {
	for _, p := range promises {
		if p.lesson == lesson {
			texts = append(texts, p.text)
		}
	}
	if lesson == 6 {
		texts = append(texts, afterKillText)
	}
	return texts
}

const afterKillText = "It is removed, too, when your program is killed."

// suggested is the lesson whose calls a program makes, for one that runs no command.
func (r *run) suggested() int {
	calls := r.find("clone", "clone3", "unshare")
	groups := where(r.find("mkdir", "mkdirat"), func(c *call) bool { return strings.HasPrefix(c.path, "/sys/fs/cgroup") })
	switch {
	case len(groups) > 0:
		return 6
	case asked(calls, newNS) != nil || len(r.find("mount")) > 0:
		return 5
	case len(r.rootChanges()) > 0:
		return 4
	case asked(calls, newPID) != nil:
		return 3
	case asked(calls, newUTS) != nil:
		return 2
	}
	return 1
}

// judge holds a run against the promises up to a lesson's, and stops at the first
// that is broken.
func judge(r *run, lesson int) (verdicts []Verdict) {
	all := promises
	if lesson == 1 {
		all = append(slices.Clone(all[:1]), promise{1, "It is a new process, and not your program itself.", (*run).notNew}, all[1])
	}
	for _, p := range all {
		if p.lesson > lesson || p.lesson == 6 && r.look != nil && len(r.look.limits) == 0 {
			continue
		}
		cause := p.broken(r)
		if cause == "" && r.look == nil && p.lesson > 1 {
			cause = r.neverSeen()
		}
		verdicts = append(verdicts, Verdict{Lesson: p.lesson, Right: cause == "", Promise: p.text, Cause: cause})
		if cause != "" {
			break
		}
	}
	return verdicts
}

// Flags of clone(2), unshare(2) and mount(2), which other systems do not have.
const (
	newNS   = 0x00020000
	newUTS  = 0x04000000
	newUser = 0x10000000
	newPID  = 0x20000000

	msRemount = 0x20
	msBind    = 0x1000
	msRec     = 0x4000
	msPrivate = 1 << 18
	msSlave   = 1 << 19
	msShared  = 1 << 20
	msAlone   = 1<<17 | msPrivate | msSlave // no longer a peer of the host's
)

func (r *run) noCommand() string {
	if r.command != 0 {
		if cause := r.wrongName(); cause != "" || r.look != nil || r.early || r.hung {
			return cause
		}
		return r.neverSeen()
	}
	ran := "run " + strings.Join(r.typed[1:min(2, len(r.typed))], " ")
	other := where(r.find("execve", "execveat"), func(c *call) bool {
		return worked(c) && path.Base(c.path) == path.Base(r.typed[1])
	})
	panicked := r.panicked()
	switch {
	case r.tooMany:
		return "Your program starts itself again and again: there were more than 60 processes. When it is started the second time, it must take another way than the first time (our lessons look for the word child)."
	case len(other) > 0 && len(r.typed) > 2:
		return fmt.Sprintf("The command did not get the arguments that were typed: typed was %s …, and the kernel was asked for %s.", ran, shorten(other[len(other)-1].text))
	case strings.Contains(panicked, "runtime error"):
		return panicked
	}
	if cause := r.otherGroups(); cause != "" {
		return cause
	}
	if u := r.strandedByUnshare(); u != nil {
		return "unshare(CLONE_NEWPID) moves only processes that are made later, not the one that calls it; and that one can start no thread any more, so Go ends it. Ask clone for CLONE_NEWPID (Cloneflags), or fork once more."
	}
	if c := r.lastFailure(); c != nil && !r.early {
		return r.explain(c)
	}
	makers := where(r.find("clone", "clone3", "fork", "vfork"), func(c *call) bool { return worked(c) && c.pid == r.first })
	var made *process
	if len(makers) > 0 {
		made = r.processes[makers[len(makers)-1].child]
	}
	switch {
	case r.early:
		return "Your program ended before the process that it made: it must wait for that (waitid, or wait4)."
	case r.hung:
		return "Your program did not start the command within 3 seconds. " + r.doing()
	case panicked != "":
		return panicked
	case made == nil:
		return fmt.Sprintf("Your program made no process and became no command: it %s. It was started with the words: %s …", endedHow(r.status), ran)
	case made.ended && made.status != 0:
		if again := made.became; slices.Contains(again, r.typed[len(r.typed)-1]) && !slices.Contains(again, r.typed[1]) {
			return fmt.Sprintf("Your program started itself again without the command's name among the arguments: %s is missing in %q.", r.typed[1], again[:len(again)-1])
		}
		if cause := r.tooEarlyDot(); cause != "" {
			return cause
		}
		text := fmt.Sprintf("The process that your program made %s, before it became the command.", endedHow(made.status))
		if made.status < 0 {
			text += r.tooLittleMemory()
		}
		if lines := r.printed(); len(lines) > 0 {
			text += " It said: " + lines[0]
		}
		return text
	}
	return "Your program made a process, but no process became the command: none has called execve for it."
}

// tooEarlyDot is a chroot to the working directory before that was the new root.
func (r *run) tooEarlyDot() string {
	for _, c := range r.find("chroot") {
		moved := slices.ContainsFunc(r.find("chdir", "fchdir"), func(m *call) bool { return m.pid == c.pid && r.before(m, c) })
		if worked(c) && path.Clean(c.path) == "." && !moved {
			return fmt.Sprintf("%s makes the working directory the new root, and that was a folder of the host's, not the container's root file system: chdir to that comes before.", c.text)
		}
	}
	return ""
}

// panicked says that a Go program ended with a panic, and where; "" without one.
func (r *run) panicked() string {
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "panic: ") && !strings.HasPrefix(line, "fatal error: ") {
			continue
		}
		at := placeIn(r.stderr)
		if strings.Contains(line, "deadlock") {
			return "Your program was ended by Go, before any process became the command: it waits for what never comes. " +
				"The last that was seen of it: " + at.waits("it waits") + "."
		}
		text := "Your program ended with a panic, before any process became the command: " + shorten(strings.TrimSpace(line))
		if at.line != "" {
			text += ", at " + at.line
		}
		return text + "."
	}
	return ""
}

// strandedByUnshare is an unshare after which its process could not go on: no
// thread can be made by one whose children are in another PID namespace.
func (r *run) strandedByUnshare() *call {
	for _, u := range r.find("unshare") {
		p := r.processes[u.pid]
		if u.flags&newPID == 0 || !worked(u) || p == nil || !p.ended || p.status == 0 {
			continue
		}
		if strings.Contains(r.stderr, "newosproc") || strings.Contains(r.stderr, "new OS thread") {
			return u
		}
	}
	return nil
}

// wrongName is a command that was not told its own name.
func (r *run) wrongName() string {
	list := r.processes[r.command].became
	if len(list) != len(r.typed)-1 && len(list) > 0 {
		if path.Base(list[0]) != path.Base(r.typed[1]) && len(list) == len(r.typed)-2 {
			return fmt.Sprintf("The command did not get its own name: the first of the arguments of execve (argv[0]) is the command itself, and here it was %q.", list[0])
		}
		return fmt.Sprintf("The command did not get the arguments that were typed: execve was asked for %q.", list)
	}
	return ""
}

func (r *run) notNew() string {
	p := r.processes[r.command]
	switch {
	case p == nil:
	case r.command == r.first:
		return "Your program itself became the command. It must start a new process (clone), which becomes the command, and wait for that."
	case p.parent != r.first && slices.Contains(r.lineage(), r.first):
		return "The command is one process too many: the process that your program made has started it as a child, and waits. It must become the command (execve)."
	}
	return ""
}

func (r *run) noEnd() string {
	switch {
	case r.early:
		return "Your program ended before its command did: it must wait for it (waitid, or wait4)."
	case r.hung && !r.waitsForGroup():
		return "3 seconds after the start there were still processes. " + r.doing()
	}
	return ""
}

// waitsForGroup reports whether the program asked in vain, until it was ended, for
// a cgroup to be removed: then lesson 6 has more to say.
func (r *run) waitsForGroup() bool {
	return len(where(r.find("rmdir", "unlinkat"), func(c *call) bool { return c.errno == "EBUSY" })) > 3
}

// neverSeen is why the command ended before it could be looked at.
func (r *run) neverSeen() string {
	cause := "The command ended before it could be looked at."
	if p := r.processes[r.command]; p != nil && p.status < 0 {
		cause = fmt.Sprintf("The command %s as soon as it ran.", endedHow(p.status))
	}
	return cause + r.tooLittleMemory()
}

// tooLittleMemory is a limit on memory with which nothing can run, "" for none.
func (r *run) tooLittleMemory() string {
	for _, c := range r.find("write") {
		bytes, err := strconv.Atoi(strings.TrimSpace(c.data))
		if worked(c) && err == nil && bytes > 0 && bytes < 4<<20 && strings.HasPrefix(path.Base(c.path), "memory.") && !strings.Contains(c.path, "sw") {
			return fmt.Sprintf(" %s got %d, and counts in bytes: that is too little for any program.", c.path, bytes)
		}
	}
	return ""
}

// doing says what is going on in a program that hangs: in the process that was
// made last.
func (r *run) doing() string {
	p := r.hanging()
	if p == nil {
		return "It computes, and makes no system call."
	}
	return fmt.Sprintf("The last that was seen of %s: %s.", r.who(p.pid), p.doing)
}

// hanging is the process that was made last, of those of which it is known what they
// were in the middle of; nil for none.
func (r *run) hanging() (last *process) {
	for _, p := range r.processes {
		if p.doing == "" || p.ended && !r.hung || p.tracer {
			continue
		}
		if last == nil || p.pid > last.pid {
			last = p
		}
	}
	return last
}

// lastFailure is the last call that went wrong, of those after which nothing can
// go on. Who looks for a command in several folders fails in most of them.
func (r *run) lastFailure() *call {
	all := where(r.find("clone", "clone3", "fork", "vfork", "unshare", "setns", "sethostname", "chroot", "chdir",
		"pivot_root", "mount", "execve", "execveat", "mkdir", "mkdirat", "openat", "write"), failed)
	all = where(all, func(c *call) bool { return !strings.HasPrefix(c.name, "mkdir") || c.errno != "EEXIST" })
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

func (r *run) noHostname() string {
	makers, sets := r.find("clone", "clone3", "unshare"), r.find("sethostname")
	if r.look == nil {
		return ""
	}
	switch renamed := r.hostname[0] != r.hostname[1]; {
	case !r.look.own["uts"] && asked(makers, newUTS) == nil && renamed:
		return "No clone or unshare asked for CLONE_NEWUTS: so sethostname has renamed the host (here only the enclosure)."
	case !r.look.own["uts"] && asked(makers, newUTS) == nil && len(sets) == 0:
		return "No clone or unshare asked for CLONE_NEWUTS, and no process called sethostname: the container has the host's hostname."
	case !r.look.own["uts"]:
		return r.notIn("uts", "CLONE_NEWUTS", newUTS)
	case renamed:
		return r.renamed()
	case len(sets) == 0 && len(r.find("setdomainname")) > 0:
		return "setdomainname sets another name, the NIS domain's. The hostname is set with sethostname."
	case len(sets) == 0:
		return "No process of your container ever called sethostname."
	}
	last := sets[len(sets)-1]
	switch {
	case failed(last):
		return r.explain(last)
	case r.look.hostname == "":
		return "sethostname was asked for a name of no letters: the hostname in the container is empty."
	case r.look.hostname != r.hostname[0]:
		return ""
	case last.data == r.hostname[0]:
		return fmt.Sprintf("sethostname was asked for the name that the host has already, %q.", last.data)
	}
	return fmt.Sprintf("sethostname was called by %s, and the command is in another UTS namespace than that one.", r.who(last.pid))
}

func (r *run) hostRenamed() string {
	if r.hostname[0] == r.hostname[1] {
		return ""
	}
	return r.renamed()
}

// renamed is why the host has another name.
func (r *run) renamed() string {
	for _, c := range r.find("sethostname") {
		for _, u := range r.find("unshare") {
			if u.pid == c.pid && worked(c) && worked(u) && u.flags&newUTS != 0 && r.before(c, u) {
				return "sethostname came before unshare(CLONE_NEWUTS): so it has renamed the host (here only the enclosure). It comes after."
			}
		}
	}
	return "sethostname was called on the host's side: it has renamed the host (here only the enclosure). It must be called in the new UTS namespace, by the process that becomes the command."
}

// notIn is why the command is not in a new namespace.
func (r *run) notIn(kind, name string, flag uint64) string {
	makers := r.find("clone", "clone3", "unshare")
	c := asked(makers, flag)
	switch {
	case c == nil:
		what := map[string]string{
			"uts": "the container has the host's hostname",
			"pid": fmt.Sprintf("the command is number %d, counted with the host's processes", r.look.number()),
			"mnt": "what the container mounts is mounted on the host, too",
		}
		return fmt.Sprintf("No clone or unshare asked for %s: %s.", name, what[kind])
	case failed(c):
		return r.explain(c)
	case c.name == "unshare" && r.becameOnOtherThread(c):
		return fmt.Sprintf("unshare(%s) changes only the thread that calls it, and execve was called by another thread of your program: call runtime.LockOSThread before, or ask clone for %s.", name, name)
	case c.name == "unshare":
		if later := r.after(c, func(m *call) bool { return m.pid == c.pid && m.child != 0 && m.thread != c.thread }); later != nil {
			return fmt.Sprintf("unshare(%s) changes only the thread that calls it, and the command came from another thread of your program: call runtime.LockOSThread before.", name)
		}
		if kind == "pid" {
			return "unshare(CLONE_NEWPID) moves only processes that are made later: start the command with clone, or fork once more."
		}
		if !slices.Contains(r.lineage(), c.pid) {
			break
		}
		if later := r.after(c, func(m *call) bool { return m.name == "setns" }); later != nil {
			return fmt.Sprintf("unshare(%s) worked, but later setns went back to another namespace.", name)
		}
		return fmt.Sprintf("unshare(%s) was called when the command had been made already: it changes only who calls it.", name)
	}
	return fmt.Sprintf("%s was asked for, but not for the process that became the command.", name)
}

// becameOnOtherThread reports whether the process that called unshare became the
// command, but on another thread.
func (r *run) becameOnOtherThread(u *call) bool {
	return slices.ContainsFunc(r.find("execve", "execveat"), func(c *call) bool {
		return worked(c) && c.pid == u.pid && c.pid == r.command && c.thread != u.thread && r.before(u, c)
	})
}

// after returns the first call after c that fits, of clones and setns.
func (r *run) after(c *call, fits func(*call) bool) *call {
	for _, m := range r.find("clone", "clone3", "fork", "vfork", "setns") {
		if r.before(c, m) && fits(m) {
			return m
		}
	}
	return nil
}

func (r *run) notNumber1() string {
	switch l := r.look; {
	case l == nil:
		return ""
	case !l.own["pid"]:
		return r.notIn("pid", "CLONE_NEWPID", newPID)
	case l.number() == 1:
		return ""
	case slices.Contains(r.lineage(), l.number1):
		return fmt.Sprintf("The command is number %d: number 1 is your own program. It must become the command (execve), not start it.", l.number())
	default:
		return fmt.Sprintf("The command is number %d: another process was the first one in the new PID namespace.", l.number())
	}
}

// rootChanges are the calls that change the root.
func (r *run) rootChanges() []*call { return r.find("chroot", "pivot_root") }

func (r *run) noRoot() string {
	if r.look == nil || !r.look.rootIsHosts {
		return ""
	}
	changes := r.rootChanges()
	if len(changes) == 0 {
		return "No process of your container called chroot or pivot_root: its / is still the host's."
	}
	switch last := changes[len(changes)-1]; {
	case failed(last):
		return r.explain(last)
	case last.name == "chroot" && path.Clean("/"+last.path) == "/":
		return fmt.Sprintf("%s leads to the / that there was already. It needs the folder with the container's root file system.", shorten(last.text))
	case !slices.Contains(r.lineage(), last.pid):
		return fmt.Sprintf("%s was called by a process that the command does not come from: the command's / is still the host's.", shorten(last.text))
	default:
		return fmt.Sprintf("After %s the command's / is still the host's.", shorten(last.text))
	}
}

func (r *run) outside() string {
	if r.look == nil || !r.look.cwdIsOutside {
		return ""
	}
	changes := where(r.rootChanges(), worked)
	moves := r.find("chdir", "fchdir")
	if len(changes) > 0 && len(moves) > 0 {
		root, last := changes[len(changes)-1], moves[len(moves)-1]
		switch {
		case failed(last):
			return r.explain(last)
		case r.before(last, root):
			return fmt.Sprintf(`%s came before %s: it led to a folder of the host's. After it comes chdir("/").`, shorten(last.text), root.name)
		}
	}
	return fmt.Sprintf(`The working directory is still outside, %s on the host: after chroot comes chdir("/").`, r.look.cwd)
}

func (r *run) noMountNamespace() string {
	if r.look == nil || r.look.own["mnt"] {
		return ""
	}
	return r.notIn("mnt", "CLONE_NEWNS", newNS)
}

func (r *run) noProc() string {
	l := r.look
	if l == nil || l.procKind == "proc" && l.strangers == 0 {
		return ""
	}
	mounts := where(r.find("mount"), func(c *call) bool { return c.flags&(msAlone|msShared|msRemount) == 0 })
	procs := where(mounts, func(c *call) bool { return c.kind == "proc" })
	binds := where(mounts, func(c *call) bool {
		return c.flags&msBind != 0 && (strings.HasSuffix(c.path, "/proc") || strings.HasSuffix(c.source, "/proc"))
	})
	if l.procKind == "proc" { // and there are others in it
		switch {
		case len(binds) > 0:
			return "You bound the host's /proc into the container: it shows the host's processes. Mount a new one, of the type proc."
		case len(procs) > 0:
			last := procs[len(procs)-1]
			if p := r.processes[last.pid]; p == nil || !slices.Contains(p.own, "pid") {
				return fmt.Sprintf("A proc file system shows the PID namespace of the process that mounts it. Yours was mounted by %s, which is not in the new one: mount it in the process that becomes the command.", r.who(last.pid))
			}
			if cause := r.misplacedProc(last); cause != "" {
				return cause
			}
		}
		return "The container's /proc shows the host's processes: no proc file system of its own is mounted there."
	}
	if len(procs) == 0 {
		if wrong := where(mounts, func(c *call) bool { return strings.HasSuffix(c.path, "/proc") }); len(wrong) > 0 {
			c := wrong[len(wrong)-1]
			if failed(c) {
				return r.explain(c)
			}
			return fmt.Sprintf("What is mounted at /proc is no proc file system, but %q: the third argument of mount is the type, and that must be proc.", c.kind)
		}
		return "No process of your container mounted a proc file system: its /proc is empty."
	}
	last := procs[len(procs)-1]
	if failed(last) {
		return r.explain(last)
	}
	if cause := r.misplacedProc(last); cause != "" {
		return cause
	}
	for _, c := range r.find("umount2") {
		if worked(c) && r.before(last, c) {
			return fmt.Sprintf("The proc file system was mounted, but %s came later and took it away.", shorten(c.text))
		}
	}
	return fmt.Sprintf("A proc file system was mounted (%s), but the command does not see it at /proc.", shorten(last.text))
}

// misplacedProc is why a mount of proc that worked is not the container's /proc.
func (r *run) misplacedProc(c *call) string {
	for _, change := range r.rootChanges() {
		if worked(change) && r.before(c, change) && !strings.HasPrefix(c.path, strings.TrimSuffix(change.path, "/")+"/") {
			return fmt.Sprintf("You mounted /proc before the root was changed (%s): the mount is outside of it. It comes after.", change.name)
		}
	}
	if clean := path.Clean(c.path); path.Base(clean) != "proc" {
		return fmt.Sprintf("The proc file system was mounted at %s, and not at /proc.", c.path)
	}
	return ""
}

func (r *run) mountsEscape() string {
	if r.look == nil {
		return ""
	}
	added := difference(r.mounts[1], r.mounts[0])
	after := difference(r.mounts[2], r.mounts[0])
	mounts := r.find("mount")
	away := where(r.find("umount2"), worked)
	alone := where(mounts, func(c *call) bool { return c.flags&msAlone != 0 && worked(c) })
	news := where(mounts, func(c *call) bool { return c.flags&(msAlone|msShared|msRemount) == 0 && worked(c) })
	switch {
	case len(added) == 0 && !r.look.rootShared && len(after) == 0 && r.mounts[0] == r.mounts[2]:
		return ""
	case len(away) > 0 && len(removed(r.mounts[0], r.mounts[1]))+len(removed(r.mounts[0], r.mounts[2])) > 0:
		return fmt.Sprintf("%s has unmounted %s on the host, too (here only in the enclosure). What was mounted in the container's mount namespace ends with that: nobody need unmount it.", shorten(away[0].text), away[0].path)
	case len(alone) > 0 && r.isHosts(alone[0].pid, "mnt", alone[0]):
		return fmt.Sprintf("%s was called in the host's mount namespace: it has changed the host's mounts (here only the enclosure's). It comes in the new one, after the clone.", shorten(alone[0].text))
	case len(news) > 0 && r.isHosts(news[0].pid, "mnt", news[0]):
		return fmt.Sprintf("%s was called in the host's mount namespace: the mount is on the host. It comes in the new one, after the clone.", shorten(news[0].text))
	}
	tried := where(mounts, func(c *call) bool { return c.flags&msAlone != 0 })
	remedy := `Before the first mount comes mount("none", "/", "", MS_REC|MS_PRIVATE, "").`
	switch {
	case len(alone) == 0 && len(tried) > 0:
		return r.explain(tried[len(tried)-1])
	case len(alone) == 0:
		return "The mount at / is still shared: what you mount appears on the host, too. " + remedy
	case len(news) > 0 && r.before(news[0], alone[0]):
		return fmt.Sprintf("%s came too late: when / was made private, the first mount had appeared on the host already. %s", shorten(alone[0].text), remedy)
	case alone[0].flags&msRec == 0:
		return fmt.Sprintf("%s has no MS_REC: it makes one mount private, and those below it are still shared. What you mount there appears on the host, too.", shorten(alone[0].text))
	case len(after) > 0 && len(added) == 0:
		return "After the run the host has a mount that it did not have before: " + mountPoint(after[0])
	}
	return "The mount that the container's / is on is still shared: what is mounted there appears on the host, too. " + remedy
}

// isHosts reports whether a process was in the host's namespace of a kind when it
// made a call: it was when it began, and has not called unshare since.
func (r *run) isHosts(pid int, kind string, c *call) bool {
	p := r.processes[pid]
	if p == nil || slices.Contains(p.own, kind) {
		return false
	}
	for _, u := range r.find("unshare", "setns") {
		if u.pid == pid && worked(u) && r.before(u, c) && (u.flags&newNS != 0 || u.name == "setns") {
			return false
		}
	}
	return true
}

// difference lists the lines of now that are not in before.
func difference(now, before string) (added []string) {
	known := strings.Split(before, "\n")
	for _, line := range strings.Split(now, "\n") {
		if line != "" && !slices.Contains(known, line) {
			added = append(added, line)
		}
	}
	return added
}

// removed lists the mounts of before that are no more, by their number.
func removed(before, now string) (gone []string) {
	left := map[string]bool{}
	for _, line := range strings.Split(now, "\n") {
		id, _, _ := strings.Cut(line, " ")
		left[id] = true
	}
	for _, line := range strings.Split(before, "\n") {
		if id, _, _ := strings.Cut(line, " "); !left[id] {
			gone = append(gone, line)
		}
	}
	return gone
}

func mountPoint(line string) string {
	if fields := strings.Fields(line); len(fields) > 4 {
		return fields[4] + "."
	}
	return line
}
