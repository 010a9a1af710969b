package trace

import (
	"strings"

	"golang.org/x/sys/unix"
)

// flag is one bit, or a few, with a name.
type flag struct {
	value uint64
	name  string
}

// flags prints a set of bits as strace does: names in the order of their values,
// the rest in hexadecimal.
func flags(value uint64, known []flag) string {
	var names []string
	for _, f := range known {
		if value&f.value == f.value {
			names = append(names, f.name)
			value &^= f.value
		}
	}
	if value != 0 || len(names) == 0 {
		names = append(names, hex(value))
	}
	return strings.Join(names, "|")
}

// constant is a number with a name. Tables of such are slices, not maps, which would
// have to be made at the start of each program.
type constant struct {
	value uint64
	name  string
}

// choice prints one value of several.
func choice(value uint64, known []constant) string {
	if name := constantName(value, known); name != "" {
		return name
	}
	return hex(value)
}

// constantName is "" for a value without a name.
func constantName(value uint64, known []constant) string {
	for _, c := range known {
		if c.value == value {
			return c.name
		}
	}
	return ""
}

// CloneFlag names the flags of clone(2) in value, in the order of their values.
func CloneFlag(value uint64) string { return flags(value, cloneFlags) }

var cloneFlags = []flag{
	{unix.CLONE_NEWTIME, "CLONE_NEWTIME"}, // not of clone, where it is one of the signal's bits
	{unix.CLONE_VM, "CLONE_VM"},
	{unix.CLONE_FS, "CLONE_FS"},
	{unix.CLONE_FILES, "CLONE_FILES"},
	{unix.CLONE_SIGHAND, "CLONE_SIGHAND"},
	{unix.CLONE_PIDFD, "CLONE_PIDFD"},
	{unix.CLONE_PTRACE, "CLONE_PTRACE"},
	{unix.CLONE_VFORK, "CLONE_VFORK"},
	{unix.CLONE_PARENT, "CLONE_PARENT"},
	{unix.CLONE_THREAD, "CLONE_THREAD"},
	{unix.CLONE_NEWNS, "CLONE_NEWNS"},
	{unix.CLONE_SYSVSEM, "CLONE_SYSVSEM"},
	{unix.CLONE_SETTLS, "CLONE_SETTLS"},
	{unix.CLONE_PARENT_SETTID, "CLONE_PARENT_SETTID"},
	{unix.CLONE_CHILD_CLEARTID, "CLONE_CHILD_CLEARTID"},
	{unix.CLONE_UNTRACED, "CLONE_UNTRACED"},
	{unix.CLONE_CHILD_SETTID, "CLONE_CHILD_SETTID"},
	{unix.CLONE_NEWCGROUP, "CLONE_NEWCGROUP"},
	{unix.CLONE_NEWUTS, "CLONE_NEWUTS"},
	{unix.CLONE_NEWIPC, "CLONE_NEWIPC"},
	{unix.CLONE_NEWUSER, "CLONE_NEWUSER"},
	{unix.CLONE_NEWPID, "CLONE_NEWPID"},
	{unix.CLONE_NEWNET, "CLONE_NEWNET"},
	{unix.CLONE_IO, "CLONE_IO"},
	{unix.CLONE_CLEAR_SIGHAND, "CLONE_CLEAR_SIGHAND"},
	{unix.CLONE_INTO_CGROUP, "CLONE_INTO_CGROUP"},
}

// What setns(2) and unshare(2) take of them.
const (
	namespaces = unix.CLONE_NEWTIME | unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	unshared = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SYSVSEM | namespaces
)

// only are those of the flags that are wanted.
func only(all []flag, wanted uint64) (some []flag) {
	for _, f := range all {
		if f.value&wanted != 0 {
			some = append(some, f)
		}
	}
	return some
}

var mountFlags = []flag{
	{unix.MS_RDONLY, "MS_RDONLY"},
	{unix.MS_NOSUID, "MS_NOSUID"},
	{unix.MS_NODEV, "MS_NODEV"},
	{unix.MS_NOEXEC, "MS_NOEXEC"},
	{unix.MS_SYNCHRONOUS, "MS_SYNCHRONOUS"},
	{unix.MS_REMOUNT, "MS_REMOUNT"},
	{unix.MS_MANDLOCK, "MS_MANDLOCK"},
	{unix.MS_DIRSYNC, "MS_DIRSYNC"},
	{unix.MS_NOSYMFOLLOW, "MS_NOSYMFOLLOW"},
	{unix.MS_NOATIME, "MS_NOATIME"},
	{unix.MS_NODIRATIME, "MS_NODIRATIME"},
	{unix.MS_BIND, "MS_BIND"},
	{unix.MS_MOVE, "MS_MOVE"},
	{unix.MS_REC, "MS_REC"},
	{unix.MS_SILENT, "MS_SILENT"},
	{unix.MS_POSIXACL, "MS_POSIXACL"},
	{unix.MS_UNBINDABLE, "MS_UNBINDABLE"},
	{unix.MS_PRIVATE, "MS_PRIVATE"},
	{unix.MS_SLAVE, "MS_SLAVE"},
	{unix.MS_SHARED, "MS_SHARED"},
	{unix.MS_RELATIME, "MS_RELATIME"},
	{unix.MS_KERNMOUNT, "MS_KERNMOUNT"},
	{unix.MS_I_VERSION, "MS_I_VERSION"},
	{unix.MS_STRICTATIME, "MS_STRICTATIME"},
	{unix.MS_LAZYTIME, "MS_LAZYTIME"},
	{1 << 26, "MS_SUBMOUNT"}, // from here on the kernel's own, which mount(2) ignores
	{1 << 27, "MS_NOREMOTELOCK"},
	{1 << 28, "MS_NOSEC"},
	{1 << 29, "MS_BORN"},
	{1 << 30, "MS_ACTIVE"},
	{1 << 31, "MS_NOUSER"},
}

var umountFlags = []flag{
	{unix.MNT_FORCE, "MNT_FORCE"},
	{unix.MNT_DETACH, "MNT_DETACH"},
	{unix.MNT_EXPIRE, "MNT_EXPIRE"},
	{unix.UMOUNT_NOFOLLOW, "UMOUNT_NOFOLLOW"},
}

var (
	atFlags = []flag{
		{unix.AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"},
		{unix.AT_REMOVEDIR, "AT_REMOVEDIR"},
		{unix.AT_SYMLINK_FOLLOW, "AT_SYMLINK_FOLLOW"},
		{unix.AT_NO_AUTOMOUNT, "AT_NO_AUTOMOUNT"},
		{unix.AT_EMPTY_PATH, "AT_EMPTY_PATH"},
		{unix.AT_RECURSIVE, "AT_RECURSIVE"},
	}
	waitFlags = []flag{ // in the order in which strace has them
		{unix.WNOHANG, "WNOHANG"},
		{unix.WEXITED, "WEXITED"},
		{unix.WSTOPPED, "WSTOPPED"},
		{unix.WCONTINUED, "WCONTINUED"},
		{unix.WNOWAIT, "WNOWAIT"},
		{0x80000000, "__WCLONE"},
		{0x40000000, "__WALL"},
		{0x20000000, "__WNOTHREAD"},
	}
	waitKinds = []constant{{0, "P_ALL"}, {1, "P_PID"}, {2, "P_PGID"}, {3, "P_PIDFD"}}
)

var (
	seccompOperations = []constant{{0, "SECCOMP_SET_MODE_STRICT"}, {1, "SECCOMP_SET_MODE_FILTER"},
		{2, "SECCOMP_GET_ACTION_AVAIL"}, {3, "SECCOMP_GET_NOTIF_SIZES"}}
	seccompFlags = []flag{
		{unix.SECCOMP_FILTER_FLAG_TSYNC, "SECCOMP_FILTER_FLAG_TSYNC"},
		{unix.SECCOMP_FILTER_FLAG_LOG, "SECCOMP_FILTER_FLAG_LOG"},
		{unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
		{unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, "SECCOMP_FILTER_FLAG_NEW_LISTENER"},
		{unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH, "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"},
		{unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
	}
	seccompActions = []constant{
		{unix.SECCOMP_RET_KILL_PROCESS, "SECCOMP_RET_KILL_PROCESS"},
		{unix.SECCOMP_RET_KILL_THREAD, "SECCOMP_RET_KILL_THREAD"},
		{unix.SECCOMP_RET_TRAP, "SECCOMP_RET_TRAP"},
		{unix.SECCOMP_RET_ERRNO, "SECCOMP_RET_ERRNO"},
		{unix.SECCOMP_RET_USER_NOTIF, "SECCOMP_RET_USER_NOTIF"},
		{unix.SECCOMP_RET_TRACE, "SECCOMP_RET_TRACE"},
		{unix.SECCOMP_RET_LOG, "SECCOMP_RET_LOG"},
		{unix.SECCOMP_RET_ALLOW, "SECCOMP_RET_ALLOW"},
	}
)

var closeRangeFlags = []flag{
	{unix.CLOSE_RANGE_UNSHARE, "CLOSE_RANGE_UNSHARE"},
	{unix.CLOSE_RANGE_CLOEXEC, "CLOSE_RANGE_CLOEXEC"},
}
