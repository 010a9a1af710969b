package narrate

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// privilegesChapter are what a process may do, and which it gives up.
func privilegesChapter() chapter {
	return chapter{"privileges", []rule{
		{calls: "prctl", when: option(unix.PR_CAPBSET_DROP), why: "No program file brings %s.", about: dropped, man: capabilitiesPage, fold: bounding, item: shortCapability(1)},
		{calls: "prctl", when: both(option(unix.PR_CAP_AMBIENT), value(1, unix.PR_CAP_AMBIENT_RAISE)), why: "An execve of an ordinary program keeps %s.", about: capability(2), man: capabilitiesPage, fold: raised, item: shortCapability(2)},
		{calls: "prctl", when: both(option(unix.PR_CAP_AMBIENT), value(1, unix.PR_CAP_AMBIENT_LOWER)), why: "An execve keeps %s no longer by the ambient set.", about: capability(2), man: capabilitiesPage, fold: lowered, item: shortCapability(2)},
		{calls: "prctl", when: option(unix.PR_CAP_AMBIENT), why: "An execve keeps no capabilities by the ambient set: it is empty.", man: capabilitiesPage},
		{calls: "capset", when: keepsNone, why: "This process gives up all its capabilities.", man: capabilitiesPage},
		{calls: "capset", why: "This process has these capabilities now, and no others.", man: capabilitiesPage},

		{calls: "prctl", when: both(option(unix.PR_SET_NO_NEW_PRIVS), value(1, 1)), why: "No execve gives new rights now: set-user-ID is ignored."},
		{calls: "prctl", when: both(option(unix.PR_SET_DUMPABLE), value(1, 0)), why: "From here on only the privileged may look into this process."},
		{calls: "prctl", when: option(unix.PR_SET_DUMPABLE), why: "Processes of the same user may look into this one."},
		{calls: "prctl", when: option(unix.PR_SET_SECUREBITS), why: "These bits say what user id 0 means for capabilities.", man: capabilitiesPage},
		{calls: "prctl", when: both(option(unix.PR_SET_KEEPCAPS), value(1, 0)), why: "Giving up user 0 will take the capabilities away, as usual.", man: capabilitiesPage},
		{calls: "prctl", when: option(unix.PR_SET_KEEPCAPS), why: "Giving up user 0 will leave the permitted capabilities.", man: capabilitiesPage},
		{calls: "prctl", when: both(option(unix.PR_SET_SECCOMP), value(1, unix.SECCOMP_MODE_FILTER)), why: filters, about: length, man: "seccomp(2)"},
		{calls: "prctl", when: both(option(unix.PR_SET_SECCOMP), value(1, unix.SECCOMP_MODE_STRICT)), why: strict, man: "seccomp(2)"},
		{calls: "seccomp", when: option(unix.SECCOMP_SET_MODE_FILTER), why: filters, about: length},
		{calls: "seccomp", why: strict},

		{calls: "setuid", why: "From here on this process is user %s.", about: id(0), fold: ids, item: named("user")},
		{calls: "setgid", why: "From here on this process is in group %s.", about: id(0), fold: ids, item: named("group")},
		{calls: "setreuid setresuid", when: becomes, why: "From here on this process is user %s.", about: id(0), fold: ids, item: named("user")},
		{calls: "setregid setresgid", when: becomes, why: "From here on this process is in group %s.", about: id(0), fold: ids, item: named("group")},
		{calls: "setreuid setresuid", why: "The real, the effective and the saved user id change; -1 leaves one as it is.", fold: ids, item: named("user")},
		{calls: "setregid setresgid", why: "The real, the effective and the saved group id change; -1 leaves one as it is.", fold: ids, item: named("group")},
		{calls: "setfsuid", why: "Files are opened with the rights of user %s.", about: id(0), fold: ids, item: named("user for files")},
		{calls: "setfsgid", why: "Files are opened with the rights of group %s.", about: id(0), fold: ids, item: named("group for files")},
		{calls: "setgroups", when: value(0, 0), why: "This process gives up all further groups.", fold: ids, item: words("no further groups")},
		{calls: "setgroups", why: "This process gets these further groups.", fold: ids, item: someGroups},

		{calls: "keyctl", why: "Another session keyring: the starter's keys are not in it."},
		{calls: writing, when: both(ofProcess, file("exec"), below("/attr/")), why: "The next execve puts the program under this label of AppArmor or SELinux.", man: "proc(5)"},
		{calls: writing, when: both(ofProcess, below("/attr/")), why: "A label of AppArmor or SELinux changes, for this process or for what it makes.", man: "proc(5)"},
	}}
}

const (
	capabilitiesPage = "capabilities(7)"

	bounding = "Of root's power, no program file brings these parts any more."
	raised   = "An execve of an ordinary program keeps these capabilities."
	lowered  = "An execve keeps these no longer by the ambient set."
	ids      = "ids"
	filters  = "A filter of %s decides on every system call."
	strict   = "Only read, write, _exit and sigreturn are allowed from here on."
)

// allows says what each capability, by its number, would let a process do.
var allows = [...]string{
	unix.CAP_CHOWN:              "give files to other owners",
	unix.CAP_DAC_OVERRIDE:       "ignore the permissions of files",
	unix.CAP_DAC_READ_SEARCH:    "read all files and folders",
	unix.CAP_FOWNER:             "act as the owner of any file",
	unix.CAP_FSETID:             "keep set-user-ID bits of changed files",
	unix.CAP_KILL:               "send signals to any process",
	unix.CAP_SETGID:             "become any group",
	unix.CAP_SETUID:             "become any user",
	unix.CAP_SETPCAP:            "change its bounding set",
	unix.CAP_LINUX_IMMUTABLE:    "make files immutable or append-only",
	unix.CAP_NET_BIND_SERVICE:   "listen on ports below 1024",
	unix.CAP_NET_BROADCAST:      "send broadcasts, but nothing asks for it",
	unix.CAP_NET_ADMIN:          "configure interfaces, routes and firewalls",
	unix.CAP_NET_RAW:            "send and receive raw packets",
	unix.CAP_IPC_LOCK:           "lock memory, and use huge pages",
	unix.CAP_IPC_OWNER:          "use the System V IPC of others",
	unix.CAP_SYS_MODULE:         "load modules into the kernel",
	unix.CAP_SYS_RAWIO:          "reach I/O ports and physical memory",
	unix.CAP_SYS_CHROOT:         "call chroot",
	unix.CAP_SYS_PTRACE:         "look into any process",
	unix.CAP_SYS_PACCT:          "switch process accounting on and off",
	unix.CAP_SYS_ADMIN:          "mount, make namespaces, and much more",
	unix.CAP_SYS_BOOT:           "reboot, or load another kernel",
	unix.CAP_SYS_NICE:           "raise the priority of any process",
	unix.CAP_SYS_RESOURCE:       "go beyond resource limits and quotas",
	unix.CAP_SYS_TIME:           "set the clock",
	unix.CAP_SYS_TTY_CONFIG:     "hang up and configure virtual terminals",
	unix.CAP_MKNOD:              "make device nodes",
	unix.CAP_LEASE:              "take leases on any file",
	unix.CAP_AUDIT_WRITE:        "write to the audit log",
	unix.CAP_AUDIT_CONTROL:      "configure the audit log",
	unix.CAP_SETFCAP:            "give capabilities to files",
	unix.CAP_MAC_OVERRIDE:       "override mandatory access control",
	unix.CAP_MAC_ADMIN:          "configure mandatory access control",
	unix.CAP_SYSLOG:             "read the kernel's log and addresses",
	unix.CAP_WAKE_ALARM:         "wake up the machine by a timer",
	unix.CAP_BLOCK_SUSPEND:      "keep the machine awake",
	unix.CAP_AUDIT_READ:         "read the audit log",
	unix.CAP_PERFMON:            "measure other processes and the kernel",
	unix.CAP_BPF:                "load BPF programs into the kernel",
	unix.CAP_CHECKPOINT_RESTORE: "choose pids for new processes",
}

// capability is the name of the one whose number is argument number i.
func capability(i int) text {
	return func(c *trace.Call) string { return trace.CapabilityName(int(min(c.Values[i], 64))) }
}

// shortCapability is its name without CAP_, for a row of them.
func shortCapability(i int) text {
	return func(c *trace.Call) string { return strings.TrimPrefix(capability(i)(c), "CAP_") }
}

// dropped is the capability that leaves the bounding set, and what it is for.
func dropped(c *trace.Call) string {
	name, number := capability(1)(c), c.Values[1]
	if number < uint64(len(allows)) {
		return name + " from here on: it would let a process " + allows[number]
	}
	return name + " from here on"
}

func keepsNone(c *trace.Call) bool {
	return c.Caps != nil && c.Caps.Effective|c.Caps.Permitted == 0
}

// length is the length of a seccomp filter.
func length(c *trace.Call) string {
	if c.Length == 0 {
		return "the program's own"
	}
	return strconv.Itoa(c.Length) + " instructions"
}

// unchanged is an id that leaves the one that is there.
const unchanged = 0xffffffff

// becomes is true of a call that makes all ids the same.
func becomes(c *trace.Call) bool {
	count := 3
	switch c.Name() {
	case "setuid", "setgid", "setfsuid", "setfsgid":
		return true
	case "setreuid", "setregid":
		count = 2
	}
	for _, v := range c.Values[:count] {
		if v&unchanged != c.Values[0]&unchanged || v&unchanged == unchanged {
			return false
		}
	}
	return true
}

func id(i int) text {
	return func(c *trace.Call) string { return strconv.Itoa(int(int32(c.Values[i]))) }
}

// named says what kind of id a call is about, and which.
func named(what string) text {
	return func(c *trace.Call) string {
		if !becomes(c) {
			return what + " ids"
		}
		return what + " " + id(0)(c)
	}
}

func someGroups(c *trace.Call) string {
	if len(c.Arguments) < 2 {
		return "further groups"
	}
	return "groups " + shown(c.Arguments[1])
}
