package narrate

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// entry is what the catalogue says of a call with its arguments.
type entry struct {
	why     string // why programs make such a call, and what it changes
	man     string // the manual page: mount(2)
	chapter string // namespaces, limits, identity, …; "" for what goes with what is told before
	fold    string // calls of one fold that follow each other are told in one block; "" for one alone
	item    string // what this call of a fold is about: CAP_SYS_BOOT, /dev/zero
}

// lookUp finds what the catalogue says of a call that is read. again says that the
// call starts this very program once more.
func lookUp(c *trace.Call, again bool) entry {
	return entry{why: sentence(c, again), man: manualPage(c)}
}

// sentence says why programs make such a call, with these arguments: for a call
// that no comment in the source explains. again says that the call starts this
// very program once more.
func sentence(c *trace.Call, again bool) string {
	switch c.Name() {
	case "clone", "clone3", "fork", "vfork":
		if kinds := namespaceKinds(c.CloneFlags()); len(kinds) > 0 {
			return "A new process begins, in new namespaces: " + strings.Join(kinds, ", ") + "."
		}
		return "A new process begins, in the namespaces of the one that makes it."
	case "execve", "execveat":
		if again {
			return "The new process starts this program once more, as the container's side."
		}
		return "This process becomes another program: the pid stays, the memory is new."
	case "prctl":
		if c.Values[1] == 0 {
			return "From now on, no signal comes when the process that made this one dies."
		}
		return "If the process that made this one dies, it gets this signal: nothing lives on unseen."
	case "write":
		return writeSentence(c)
	case "mkdir", "mkdirat":
		if isV1(c.Path) {
			return "In cgroup v1 each controller has a tree of its own, and the group is a folder in each."
		}
		return "A new folder in a cgroup tree is a new cgroup: the kernel fills it with files."
	case "rmdir", "unlinkat":
		return "A cgroup without processes is removed like an empty folder."
	case "mount":
		return mountSentence(c)
	case "unshare":
		if len(namespaceKinds(c.Values[0])) == 0 {
			return "This thread no longer shares with the others what the flags name."
		}
	case "setns":
		if c.Values[1]&unix.CLONE_NEWPID != 0 {
			return "This process moves into namespaces that are there already. A PID namespace is for the processes that it makes later."
		}
	}
	return sentences[c.Name()]
}

var sentences = map[string]string{
	"unshare":       "This process moves into new namespaces. A new PID namespace is for the processes that it makes later.",
	"setns":         "This process moves into a namespace that is there already.",
	"sethostname":   "The hostname of this UTS namespace changes.",
	"setdomainname": "The NIS domain name of this UTS namespace changes.",
	"chroot":        "From now on, a path that begins with / begins in this folder.",
	"chdir":         "The working directory changes: a path that does not begin with / begins there.",
	"fchdir":        "The working directory becomes the folder that this descriptor is open on.",
	"pivot_root":    "Another mount becomes the root of this mount namespace, and the old root moves below it.",
	"umount2":       "A mount goes away, in this mount namespace.",
	"waitid":        "Wait until a process ends, and learn how it ended.",
	"wait4":         "Wait until a process ends, and learn how it ended.",
}

// mountSentence looks at the flags in the order in which the kernel does: with the
// first that is there the others mean nothing, or are options of it. See mount(2).
func mountSentence(c *trace.Call) string {
	bits := c.MountFlags()
	switch {
	case bits&unix.MS_REMOUNT != 0:
		return "The flags of a mount that is there change."
	case bits&unix.MS_BIND != 0:
		return "A file or folder appears at a second place: a bind mount."
	case bits&unix.MS_SHARED != 0:
		return "Shared: what is mounted here appears in all copies of this mount, in other namespaces, too."
	case bits&unix.MS_PRIVATE != 0:
		return "Private: what is mounted here stays in this mount namespace, and what others mount does not come in."
	case bits&unix.MS_SLAVE != 0:
		return "Slave: what others mount comes in, and nothing goes out."
	case bits&unix.MS_UNBINDABLE != 0:
		return "Unbindable: this mount is private, and cannot be bound elsewhere."
	case bits&unix.MS_MOVE != 0:
		return "A mount moves to another place."
	case len(c.Arguments) > 2 && c.Arguments[2] == `"proc"`:
		return "A new /proc shows the processes of this PID namespace."
	}
	return "A file system is mounted, in this mount namespace."
}

// writeSentence says what a value in a file of a cgroup does, see cgroups(7) and
// the kernel's cgroup-v2 and cgroup-v1 documents.
func writeSentence(c *trace.Call) string {
	if value, _, _ := strings.Cut(strings.TrimSpace(string(c.Data)), " "); value == "max" || value == "-1" {
		return "Here is no limit of this kind."
	}
	switch path.Base(c.Path) {
	case "cgroup.procs", "tasks":
		if strings.TrimSpace(string(c.Data)) != "0" {
			return "The process with this pid moves into the cgroup."
		}
		if isV1(c.Path) {
			return "And into the folder of the next controller: in cgroup v1 each has a tree of its own."
		}
		return "This process moves into the cgroup: 0 stands for the one that writes."
	case "cgroup.subtree_control":
		switch value := string(c.Data); {
		case strings.Contains(value, "-") && strings.Contains(value, "+"):
			return "The groups below get some controllers, and lose others."
		case strings.HasPrefix(value, "-"):
			return "The groups below lose these controllers."
		}
		return "The groups below get these controllers: in cgroup v2 a group has what its parent hands down."
	case "cgroup.kill":
		return "Every process in the cgroup is killed."
	case "pids.max":
		return "At most so many tasks: processes, and their threads count, too."
	case "memory.max", "memory.limit_in_bytes":
		return "At most so many bytes of memory: who takes more is killed."
	case "memory.swap.max":
		return "At most so many bytes of swap."
	case "memory.memsw.limit_in_bytes":
		return "At most so many bytes of memory and swap together."
	case "cpu.max":
		return "CPU time: so many microseconds in each period of so many."
	case "cpu.cfs_quota_us":
		return "CPU time: so many microseconds in each period."
	case "cpu.cfs_period_us":
		return "The period that the quota of CPU time belongs to, in microseconds."
	case "cpuset.cpus":
		return "Only these CPUs."
	case "cpuset.mems":
		return "Only the memory of these NUMA nodes."
	}
	return "A file of a cgroup gets a new value."
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
		switch path.Base(c.Path) {
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

// namespaceKinds are the namespaces that a clone makes, named as in /proc/PID/ns.
func namespaceKinds(cloneFlags uint64) (kinds []string) {
	for _, n := range []struct {
		flag uint64
		kind string
	}{
		{unix.CLONE_NEWUTS, "uts"}, {unix.CLONE_NEWPID, "pid"}, {unix.CLONE_NEWNS, "mnt"}, {unix.CLONE_NEWIPC, "ipc"},
		{unix.CLONE_NEWNET, "net"}, {unix.CLONE_NEWCGROUP, "cgroup"}, {unix.CLONE_NEWUSER, "user"}, {unix.CLONE_NEWTIME, "time"},
	} {
		if cloneFlags&n.flag != 0 {
			kinds = append(kinds, n.kind)
		}
	}
	return kinds
}

// manualPage names the page that describes a call. Some pages of section 2
// describe a family: mkdirat stands in mkdir(2).
func manualPage(c *trace.Call) string {
	switch name := c.Name(); name {
	case "clone3", "umount2", "vfork":
		return strings.TrimRight(name, "23") + "(2)"
	case "prctl":
		return "prctl(2)"
	case "chdir", "fchdir":
		return "chdir(2)"
	case "wait4":
		return "wait4(2)"
	case "write":
		return "cgroups(7)"
	case "unlinkat":
		return "rmdir(2)"
	case "setdomainname":
		return "setdomainname(2)"
	case "execveat":
		return "execveat(2)"
	default:
		return strings.TrimSuffix(name, "at") + "(2)"
	}
}
