// Package capability splits root's power into its parts and takes away those
// that a container does not need, see capabilities(7).
//
// A thread has five sets of capabilities. The effective set is what it may do
// now, the permitted set what it may take up, the inheritable and the ambient
// set what it hands on through execve(2), and the bounding set is what no
// execve(2) can ever go beyond, not even that of a set-user-ID program. A
// container of root's gets its set in bounding, permitted and effective, and
// nothing in the other two, as Docker has done since 20.10 (CVE-2022-24769).
//
// Capabilities belong to a thread: the goroutine that changes them must be
// locked to its thread, and go on to execve(2) on it. The order that works for
// every choice of user and of capabilities is
//
//	DropBounding   needs CAP_SETPCAP
//	setgroups, setresgid, setresuid   need CAP_SETGID and CAP_SETUID
//	Limit   takes both away, unless they are kept
//
// A user other than root ends with empty sets whatever was kept: setresuid(2)
// from 0 to another id clears permitted and effective, and execve(2) adds to
// them only for root and from a file's own capabilities, within the bounding
// set. So Limit is called with 0 for such a user.
package capability

// A capability is a bit in a Set, and its number is the index in this list,
// which is linux/capability.h as of Linux 5.9. No later kernel added one. Beside
// each stands what it allows.
var known = [...]string{
	"CAP_CHOWN",              // give a file to another owner
	"CAP_DAC_OVERRIDE",       // ignore a file's permission bits
	"CAP_DAC_READ_SEARCH",    // read any file and search any folder, also by file handle
	"CAP_FOWNER",             // act as the owner of any file
	"CAP_FSETID",             // keep the set-user-ID bit of a file that is changed
	"CAP_KILL",               // send signals to processes of other users
	"CAP_SETGID",             // become any group
	"CAP_SETUID",             // become any user
	"CAP_SETPCAP",            // shrink the bounding set, and pass capabilities on
	"CAP_LINUX_IMMUTABLE",    // make files append-only or immutable
	"CAP_NET_BIND_SERVICE",   // listen on ports below 1024
	"CAP_NET_BROADCAST",      // send broadcasts and join multicast groups
	"CAP_NET_ADMIN",          // configure interfaces, routes and firewalls
	"CAP_NET_RAW",            // send and receive raw packets, as ping and forgers do
	"CAP_IPC_LOCK",           // lock memory without a limit
	"CAP_IPC_OWNER",          // ignore the permissions of System V IPC objects
	"CAP_SYS_MODULE",         // load code into the kernel
	"CAP_SYS_RAWIO",          // reach I/O ports and physical memory
	"CAP_SYS_CHROOT",         // call chroot, and enter mount namespaces
	"CAP_SYS_PTRACE",         // look into and steer any process
	"CAP_SYS_PACCT",          // switch process accounting
	"CAP_SYS_ADMIN",          // mount, make namespaces, and most else that root may do
	"CAP_SYS_BOOT",           // reboot, or load another kernel
	"CAP_SYS_NICE",           // raise priorities and choose CPUs for any process
	"CAP_SYS_RESOURCE",       // go beyond resource limits and disk quotas
	"CAP_SYS_TIME",           // set the clock
	"CAP_SYS_TTY_CONFIG",     // hang up and configure terminals
	"CAP_MKNOD",              // make device nodes
	"CAP_LEASE",              // take leases on files of others
	"CAP_AUDIT_WRITE",        // write to the kernel's audit log
	"CAP_AUDIT_CONTROL",      // configure the kernel's audit log
	"CAP_SETFCAP",            // give a program file capabilities
	"CAP_MAC_OVERRIDE",       // override a mandatory access control such as Smack
	"CAP_MAC_ADMIN",          // configure a mandatory access control such as Smack
	"CAP_SYSLOG",             // read and clear the kernel's log, and see kernel addresses
	"CAP_WAKE_ALARM",         // wake the system from sleep by a timer
	"CAP_BLOCK_SUSPEND",      // keep the system from sleeping
	"CAP_AUDIT_READ",         // read the kernel's audit log
	"CAP_PERFMON",            // observe the performance of any process and the kernel
	"CAP_BPF",                // load BPF programs into the kernel
	"CAP_CHECKPOINT_RESTORE", // choose the pids of new processes, to restore saved ones
}

// All has every capability that this package knows by name.
const All Set = 1<<len(known) - 1

// Default is what Docker leaves a container: enough for the usual services and
// package managers, nothing that reaches the host.
var Default = mustParse("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",
	"CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP")

func mustParse(names ...string) Set {
	s, err := Parse(names...)
	if err != nil {
		panic(err)
	}
	return s
}
