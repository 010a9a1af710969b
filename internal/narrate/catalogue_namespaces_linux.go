package narrate

import (
	"math/bits"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// identityChapter is what a container calls itself.
func identityChapter() chapter {
	return chapter{"identity", []rule{
		{calls: "sethostname", why: newHostname},
		{calls: "setdomainname", why: "The NIS domain name of this UTS namespace changes, and in no other."},
		{calls: writing, when: both(sysctl, file("hostname")), why: newHostname, man: "uts_namespaces(7)"},
	}}
}

const newHostname = "The hostname of this UTS namespace changes, and in no other."

// namespacesChapter are what a process sees of the machine, see namespaces(7).
func namespacesChapter() chapter {
	return chapter{"namespaces", []rule{
		{calls: "clone clone3", when: asks, why: "A new process begins, in new namespaces. Its own: %s.", about: owned},

		{calls: "unshare", when: onlyFlag(unix.CLONE_NEWPID), why: "The next process that this one makes will be pid 1 of a new PID namespace.", man: "pid_namespaces(7)"},
		{calls: "unshare", when: onlyFlag(unix.CLONE_NEWTIME), why: "Processes that this one makes will have a boot-time clock of their own.", man: "time_namespaces(7)"},
		{calls: "unshare", when: onlyFlag(unix.CLONE_NEWUTS), why: "This process gets a hostname of its own, which begins as a copy.", man: "uts_namespaces(7)"},
		{calls: "unshare", when: onlyFlag(unix.CLONE_NEWNS), why: "This process gets mounts of its own, which begin as a copy of those that it sees.", man: "mount_namespaces(7)"},
		{calls: "unshare", when: onlyFlag(unix.CLONE_NEWIPC), why: "This process gets System V IPC and POSIX message queues of its own, and begins with none.", man: "ipc_namespaces(7)"},
		{calls: "unshare", when: onlyFlag(unix.CLONE_NEWNET), why: "This process gets a network of its own, in which even the loopback interface is still down.", man: "network_namespaces(7)"},
		{calls: "unshare", when: onlyFlag(unix.CLONE_NEWUSER), why: "This process gets user ids of its own, and all capabilities in there.", man: "user_namespaces(7)"},
		{calls: "unshare", when: both(asks, later), why: "This process moves into new namespaces. Its own: %s. A PID or time namespace is for its children.", about: owned},
		{calls: "unshare", when: asks, why: "This process moves into new namespaces. Its own: %s.", about: owned},

		{calls: "setns", when: joins("user"), why: "This process moves into a user namespace that is there, and has all capabilities in it.", man: "user_namespaces(7)", fold: joined, item: owned},
		{calls: "setns", when: joins("pid"), why: "Processes that this one makes will be in this PID namespace. It stays where it is.", man: "pid_namespaces(7)", fold: joined, item: owned},
		{calls: "setns", when: joins("mnt"), why: "This process sees the mounts of this mount namespace from here on.", man: "mount_namespaces(7)", fold: joined, item: owned},
		{calls: "setns", when: joins("uts"), why: "This process has the hostname of this UTS namespace from here on.", man: "uts_namespaces(7)", fold: joined, item: owned},
		{calls: "setns", when: joins("ipc"), why: "This process shares the System V IPC and message queues of this IPC namespace.", man: "ipc_namespaces(7)", fold: joined, item: owned},
		{calls: "setns", when: joins("net"), why: "This process has the interfaces, routes and firewall of this network namespace.", man: "network_namespaces(7)", fold: joined, item: owned},
		{calls: "setns", when: joins("cgroup"), why: "What this process sees as the root of cgroups is the root of this cgroup namespace.", man: "cgroup_namespaces(7)", fold: joined, item: owned},
		{calls: "setns", when: joins("time"), why: "This process has the boot-time clock of this time namespace.", man: "time_namespaces(7)", fold: joined, item: owned},
		{calls: "setns", when: later, why: "This process moves into namespaces that are there already: %s. A PID namespace is for its children.", about: owned},
		{calls: "setns", when: asks, why: "This process moves into namespaces that are there already: %s.", about: owned},
		{calls: "setns", why: "This process moves into a namespace that is there already."},

		helper("newuidmap writes the uid_map for an ordinary user, with the ids that /etc/subuid grants.", "newuidmap(1)", "newuidmap"),
		helper("newgidmap writes the gid_map for an ordinary user, with the ids that /etc/subgid grants.", "newgidmap(1)", "newgidmap"),
		{calls: writing, when: both(ofProcess, file("uid_map"), mapsRoot), why: "User 0 in the user namespace is user %s outside.", about: outsideID, man: "user_namespaces(7)", fold: mapsIDs, item: mapping},
		{calls: writing, when: both(ofProcess, file("gid_map"), mapsRoot), why: "Group 0 in the user namespace is group %s outside.", about: outsideID, man: "user_namespaces(7)", fold: mapsIDs, item: mapping},
		{calls: writing, when: both(ofProcess, file("uid_map")), why: "This says which user ids in the user namespace are which outside.", man: "user_namespaces(7)", fold: mapsIDs, item: mapping},
		{calls: writing, when: both(ofProcess, file("gid_map")), why: "This says which group ids in the user namespace are which outside.", man: "user_namespaces(7)", fold: mapsIDs, item: mapping},
		{calls: writing, when: both(ofProcess, file("setgroups"), writes("deny")), why: "In this user namespace nobody may call setgroups. An ordinary user may write a gid_map only then.", man: "user_namespaces(7)", fold: mapsIDs, item: mapping},
		{calls: writing, when: both(ofProcess, file("setgroups")), why: "In this user namespace processes may call setgroups.", man: "user_namespaces(7)", fold: mapsIDs, item: mapping},
		{calls: writing, when: both(ofProcess, file("timens_offsets")), why: "The clocks of the new time namespace are moved by this offset.", man: "time_namespaces(7)"},
		{calls: writing, when: both(sysctl, not(networkSysctl)), why: "A setting of the kernel changes: %s.", about: sysctlName, man: "proc(5)"},
	}}
}

const (
	joined  = "This process moves into namespaces that are there already."
	mapsIDs = "id maps"
)

// isolated are the kinds of namespaces, named as in /proc/PID/ns, and what a
// process has of its own in a new one.
var isolated = []struct {
	flag      uint64
	kind, own string
}{
	{unix.CLONE_NEWUTS, "uts", "hostname"}, {unix.CLONE_NEWPID, "pid", "process ids"}, {unix.CLONE_NEWNS, "mnt", "mounts"},
	{unix.CLONE_NEWIPC, "ipc", "System V IPC"}, {unix.CLONE_NEWNET, "net", "network"}, {unix.CLONE_NEWCGROUP, "cgroup", "cgroup root"},
	{unix.CLONE_NEWUSER, "user", "user ids"}, {unix.CLONE_NEWTIME, "time", "boot-time clock"},
}

// namespaceKinds are the namespaces that a clone makes, named as in /proc/PID/ns.
func namespaceKinds(cloneFlags uint64) (kinds []string) {
	for _, n := range isolated {
		if cloneFlags&n.flag != 0 {
			kinds = append(kinds, n.kind)
		}
	}
	return kinds
}

// asked are the namespaces that a clone, unshare or setns is about. A setns may
// leave that to its descriptor, which strace prints as <net:[4026531840]>.
func asked(c *trace.Call) (flags uint64) {
	switch c.Name() {
	case "unshare":
		flags = c.Values[0]
	case "setns":
		flags = c.Values[1]
	default:
		flags = c.CloneFlags()
	}
	const all = unix.CLONE_NEWUTS | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET |
		unix.CLONE_NEWCGROUP | unix.CLONE_NEWUSER | unix.CLONE_NEWTIME
	if flags &= all; flags != 0 || c.Name() != "setns" {
		return flags
	}
	for _, n := range isolated {
		if says("<" + n.kind + ":[")(c) {
			flags = n.flag
		}
	}
	return flags
}

// asks is true of calls that name namespaces.
func asks(c *trace.Call) bool { return asked(c) != 0 }

// later is true of calls about namespaces that only later processes will be in.
func later(c *trace.Call) bool { return asked(c)&(unix.CLONE_NEWPID|unix.CLONE_NEWTIME) != 0 }

// onlyFlag is true of calls about one namespace, and it is this one.
func onlyFlag(flag uint64) condition {
	return func(c *trace.Call) bool { return asked(c) == flag }
}

// joins is true of a setns about one namespace, of this kind.
func joins(kind string) condition {
	return func(c *trace.Call) bool {
		kinds := namespaceKinds(asked(c))
		return bits.OnesCount64(asked(c)) == 1 && kinds[0] == kind
	}
}

// owned says what a process has of its own in the namespaces that a call is about.
func owned(c *trace.Call) string {
	var own []string
	for _, n := range isolated {
		if asked(c)&n.flag != 0 {
			own = append(own, n.own)
		}
	}
	return strings.Join(own, ", ")
}

// ofProcess is true of files in /proc/PID.
func ofProcess(c *trace.Call) bool {
	return strings.HasPrefix(c.Path, "/proc/") && !strings.HasPrefix(c.Path, sysctls)
}

const sysctls = "/proc/sys/"

func sysctl(c *trace.Call) bool { return strings.HasPrefix(c.Path, sysctls) }

// sysctlName is the name of a file in /proc/sys as sysctl(8) has it.
func sysctlName(c *trace.Call) string {
	return shown(strings.ReplaceAll(strings.TrimPrefix(c.Path, sysctls), "/", "."))
}

// mapsRoot is true of a map with one line, that begins at id 0.
func mapsRoot(c *trace.Call) bool {
	fields := strings.Fields(written(c))
	return len(fields) == 3 && fields[0] == "0"
}

func outsideID(c *trace.Call) string { return shown(strings.Fields(written(c))[1]) }

// mapping is a file of a user namespace and what is written to it, in one line.
func mapping(c *trace.Call) string {
	return base(c) + " " + shown(strings.Join(strings.Fields(written(c)), " "))
}
