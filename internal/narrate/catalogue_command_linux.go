package narrate

import (
	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// What is said of an execve of the program itself.
const (
	startsAgain  = "The new process starts this program once more, as the container's side."
	startsItself = "The same program starts once more, from its beginning."
)

// commandChapter is what a container is made for.
func commandChapter() chapter {
	return chapter{"the command", []rule{
		{calls: execs, why: "This process becomes another program: the pid stays."},
	}}
}

const intoCgroup = "A new process begins, in the cgroup that a descriptor names."

// helper is a rule for programs that others run to do a part of the work.
func helper(why, man string, names ...string) rule {
	return rule{calls: execs, when: file(names...), why: why, man: man}
}

// goesWithChapter is what belongs to whatever is told before.
func goesWithChapter() chapter {
	return chapter{"", []rule{
		{calls: "clone clone3", when: func(c *trace.Call) bool { return c.CloneFlags()&unix.CLONE_INTO_CGROUP != 0 }, why: intoCgroup},
		{calls: "clone clone3 fork vfork", why: "A new process begins. This call makes no namespace for it."},
		{calls: "unshare", when: hasBits(0, unix.CLONE_FS), why: "This thread gets a working directory and a root of its own, apart from other threads'."},
		{calls: "unshare", why: "This thread no longer shares with the others what the flags name."},
		{calls: "chdir", when: at("/"), why: "The working directory becomes the root directory.", fold: turns, item: words("chdir /")},
		{calls: "chdir", why: "The working directory changes: relative paths begin there."},
		{calls: "fchdir", why: "The working directory becomes this open folder."},
		{calls: "waitid wait4", why: "Wait until a process ends, and learn how it ended."},

		{calls: "prctl", when: both(option(unix.PR_SET_PDEATHSIG), value(1, 0)), why: "From now on, no signal comes when the process that made this one dies."},
		{calls: "prctl", when: option(unix.PR_SET_PDEATHSIG), why: "If the process that made this one dies, it gets this signal: nothing lives on unseen."},
		{calls: "prctl", when: both(option(unix.PR_SET_CHILD_SUBREAPER), value(1, 0)), why: "Orphans below this process are no longer given to it."},
		{calls: "prctl", when: option(unix.PR_SET_CHILD_SUBREAPER), why: "Orphans below this process become its children."},
		{calls: "prctl", when: option(unix.PR_SET_MM), why: "What the kernel notes of this process's memory changes, such as where its arguments are."},
		{calls: "prctl", why: "An attribute of this process or thread changes: %s.", about: optionName},

		{calls: "setsid", why: "A new session: Ctrl-C in the old one's terminal stays there."},
		{calls: "ioctl", when: value(1, unix.TIOCNOTTY), why: "This process gives up its controlling terminal.", man: "ioctl_tty(2)"},
		{calls: "ioctl", why: "This terminal becomes the session's: Ctrl-C works in there.", man: "ioctl_tty(2)"},
		{calls: "close_range", when: hasBits(2, unix.CLOSE_RANGE_CLOEXEC), why: "What is open here stays out: the next execve closes it."},
		{calls: "close_range", why: "These descriptors are closed: what they are open on is no longer at hand."},
	}}
}

// helpersChapter are programs that are run on the way, of whatever chapter.
func helpersChapter() chapter {
	return chapter{"", []rule{
		helper("conmon stays with the container: it holds its terminal, and notes how it ends.", "conmon(8)", "conmon"),
		helper("This process stays with the container: it holds its streams, and notes how it ends.", "", "containerd-shim-runc-v2"),
		helper("runc is a runtime: it makes, starts and ends containers.", "runc(8)", "runc"),
		helper("crun is a runtime: it makes, starts and ends containers.", "crun(1)", "crun"),
		helper("bwrap runs a program in new namespaces.", "bwrap(1)", "bwrap"),
		helper("unshare runs a program in new namespaces.", "unshare(1)", "unshare"),
		helper("nsenter runs a program in the namespaces of others.", "nsenter(1)", "nsenter"),
		helper("A small init: it starts the command, and reaps orphans.", "", "catatonit", "tini", "docker-init"),
		helper("modprobe loads a part of the kernel.", "modprobe(8)", "modprobe"),
	}}
}

func optionName(c *trace.Call) string {
	if len(c.Arguments) == 0 {
		return "see prctl"
	}
	return shown(c.Arguments[0])
}
