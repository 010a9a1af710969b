package trace

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"
)

var longText = strings.Repeat("x", 5000)

func processCalls(dir string) []attempt {
	open(dir, unix.O_PATH|unix.O_DIRECTORY, 91)
	open("/proc/thread-self/ns/uts", unix.O_RDONLY, 92)
	open("strange", unix.O_CREAT|unix.O_RDWR, 90)
	list := vector{"a", `b"`, "\x1b[31m\x80é\t\n\v\f\r1\x011", ""}
	status := make([]byte, 128)
	return []attempt{
		{"execve", vector{"/nosuch", list, 0}}, {"execve", vector{"/nosuch", 0, list}}, {"execve", vector{"/nosuch", bad, list}}, {"execve", vector{"/nosuch", vector{}, 0}}, {"execve", vector{"/nosuch", vector{"a", bad, "b"}, 0}}, {"execve", vector{bad, list, 0}}, {"execve", vector{dir, list, list}},
		{"execveat", vector{91, "nosuch", list, list, 0}}, {"execveat", vector{here, "nosuch", list, 0, 0x1100}}, {"execveat", vector{91, "", list, 0, minus}},
		{"clone", vector{17}}, {"wait4", vector{minus, status, 0, 0}}, {"clone", vector{0}}, {"wait4", vector{minus, 0, 0x40000000, 0}}, {"clone", vector{unix.CLONE_NEWPID | unix.CLONE_THREAD | 17}}, {"clone", vector{unix.CLONE_SIGHAND | 34}}, {"clone", vector{unix.CLONE_VFORK | unix.CLONE_FS | 17}},
		{"clone", vector{unix.CLONE_SIGHAND | unix.CLONE_CHILD_SETTID | 17, 0, bad, bad, bad}}, {"clone", vector{unix.CLONE_SIGHAND | unix.CLONE_CHILD_CLEARTID | unix.CLONE_PARENT_SETTID, 0, bad, bad, bad}},
		{"waitid", vector{0, 0, status, 4 | 0x01000000, 0}}, {"waitid", vector{0, 0, 0, 4, 0}}, {"waitid", vector{1, minus, status, 4, 0}}, {"waitid", vector{77, 1, 0, minus, 0}}, {"waitid", vector{3, 91, bad, 5, 0}}, {"waitid", vector{high, 0, status, 5, status}},
		{"clone3", vector{cloneArgumentsOf(unix.CLONE_THREAD|unix.CLONE_PIDFD, bad), 88}}, {"clone3", vector{cloneArgumentsOf(unix.CLONE_THREAD|unix.CLONE_CHILD_SETTID|unix.CLONE_PARENT_SETTID|unix.CLONE_CHILD_CLEARTID, bad), 88}}, {"clone3", vector{cloneArgumentsOf(unix.CLONE_SIGHAND, 0), 88}},
		{"clone3", vector{0, 88}}, {"clone3", vector{bad, 88}}, {"clone3", vector{0, 0}},
		{"wait4", vector{minus, status, 1, 0}}, {"wait4", vector{1, 0, minus, status}}, {"wait4", vector{half1, bad, 3, 0}},
		{"unshare", vector{0}}, {"unshare", vector{unix.CLONE_FILES}}, {"unshare", vector{minus}}, {"unshare", vector{unix.CLONE_NEWTIME | unix.CLONE_THREAD}}, {"unshare", vector{unix.CLONE_NEWUTS | unix.CLONE_NEWNS}},
		{"setns", vector{92, unix.CLONE_NEWUTS}}, {"setns", vector{92, 0}}, {"setns", vector{minus, half1}}, {"setns", vector{90, high | unix.CLONE_NEWPID | unix.CLONE_NEWNET}},
		{"sethostname", vector{bad, 5}}, {"sethostname", vector{0, 5}}, {"sethostname", vector{"", 0}}, {"setdomainname", vector{0, minus}},
	}
}

func mountCalls(dir string) []attempt {
	unix.Mkdir("target", 0o755)
	open("strange", unix.O_CREAT|unix.O_RDWR, 90)
	open(dir, unix.O_PATH|unix.O_DIRECTORY, 91)
	return []attempt{
		{"chdir", vector{""}}, {"chdir", vector{"."}}, {"chdir", vector{"/nosuch/\x1b\x00cut"}}, {"chdir", vector{bad}}, {"chdir", vector{0}}, {"chdir", vector{longText}},
		{"fchdir", vector{91}}, {"fchdir", vector{90}}, {"fchdir", vector{minus}}, {"fchdir", vector{high + 91}},
		{"mount", vector{"none", "/", 0, unix.MS_REC | unix.MS_PRIVATE, 0}}, {"mount", vector{"a", "target", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "size=64k"}}, {"mount", vector{"a", "target", "type", unix.MS_REMOUNT | unix.MS_RDONLY, "size=32k"}},
		{"mount", vector{dir, "target", "type", unix.MS_BIND | unix.MS_REC, "data"}}, {"mount", vector{"a", "/nosuch", "type", minus, "data"}}, {"mount", vector{0, 0, 0, 0, 0}}, {"mount", vector{bad, bad, bad, 0, bad}}, {"mount", vector{bad, bad, bad, unix.MS_MOVE, bad}},
		{"mount", vector{"a", "/nosuch", "t", 0xc0ed0000, 0}}, {"mount", vector{"a", "/nosuch", "t", 0xc0ed0001, ""}}, {"mount", vector{"a", "/nosuch", "nosuch", 1<<20 | 1<<21 | 1<<22 | 1<<23 | 1<<24 | 1<<25, "x"}},
		{"umount2", vector{"target", 2}}, {"umount2", vector{"target", 0}}, {"umount2", vector{"/nosuch", minus}}, {"umount2", vector{bad, 8}},
		{"pivot_root", vector{"target", "target/old"}}, {"pivot_root", vector{bad, 0}},
		{"chroot", vector{"/nosuch"}}, {"chroot", vector{bad}}, {"chroot", vector{"/"}},
	}
}

func newMountCalls(dir string) []attempt {
	unix.Mkdir("target", 0o755)
	open(dir, unix.O_PATH|unix.O_DIRECTORY, 91)
	context, err := unix.Fsopen("tmpfs", 0)
	if err == nil {
		unix.Dup3(context, 92, 0)
	}
	const text, file = unix.FSCONFIG_SET_STRING, unix.FSCONFIG_SET_PATH
	all := []attempt{
		{"open_tree", vector{here, "/", unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_RECURSIVE}}, {"open_tree", vector{91, "", unix.AT_EMPTY_PATH}}, {"open_tree", vector{minus, bad, minus}}, {"open_tree", vector{here, 0, high}},
		{"move_mount", vector{91, "", here, "/nosuch", unix.MOVE_MOUNT_F_EMPTY_PATH}}, {"move_mount", vector{minus, bad, 91, "", minus}}, {"move_mount", vector{91, "a", 91, 0, high | unix.MOVE_MOUNT_T_EMPTY_PATH}}, {"move_mount", vector{here, "target", here, "target", 0}},
		{"fsopen", vector{"nosuch", unix.FSOPEN_CLOEXEC}}, {"fsopen", vector{bad, 0}}, {"fsopen", vector{0, minus}}, {"fsopen", vector{"", high}},
		{"fsconfig", vector{92, text, "size", "64k", 0}}, {"fsconfig", vector{92, text, "nosuch", "value", 7}}, {"fsconfig", vector{92, text, longText, longText, 0}}, {"fsconfig", vector{92, text, 0, bad, 0}}, {"fsconfig", vector{92, text, longText[:256], longText[:255], 0}},
		{"fsconfig", vector{92, unix.FSCONFIG_SET_FLAG, "ro", 0, 0}}, {"fsconfig", vector{92, unix.FSCONFIG_SET_FLAG, "ro", bad, minus}}, {"fsconfig", vector{92, unix.FSCONFIG_SET_BINARY, "key", 0, 5}},
		{"fsconfig", vector{92, file, "lowerdir", "/nosuch", here}}, {"fsconfig", vector{minus, file + 1, "a", "", 91}}, {"fsconfig", vector{92, file, bad, bad, minus}}, {"fsconfig", vector{92, unix.FSCONFIG_SET_FD, "upperdir", 0, 91}}, {"fsconfig", vector{92, unix.FSCONFIG_SET_FD, "a", bad, minus}},
		{"fsconfig", vector{91, unix.FSCONFIG_CMD_CREATE, 0, 0, 0}}, {"fsconfig", vector{91, high | unix.FSCONFIG_CMD_RECONFIGURE, bad, bad, 5}}, {"fsconfig", vector{91, 8, 0, 0, 0}}, {"fsconfig", vector{91, minus, "a", "b", 3}},
		{"fsmount", vector{91, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC}}, {"fsmount", vector{minus, minus, minus}}, {"fsmount", vector{92, high, high}}, {"fsmount", vector{92, 0, unix.MOUNT_ATTR_NOATIME}},
		{"fspick", vector{91, "", unix.FSPICK_EMPTY_PATH | unix.FSPICK_CLOEXEC}}, {"fspick", vector{here, bad, minus}}, {"fspick", vector{minus, 0, 0}},
		{"mount_setattr", vector{here, "/nosuch", unix.AT_RECURSIVE, numbers64(unix.MOUNT_ATTR_RDONLY, 0, unix.MS_PRIVATE, 0), 32}}, {"mount_setattr", vector{91, "", minus, numbers64(^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)), 32}},
		{"mount_setattr", vector{91, "", 0, numbers64(unix.MOUNT_ATTR_IDMAP, 0, 0, 91), 32}}, {"mount_setattr", vector{77, "", 0, numbers64(0, unix.MOUNT_ATTR_IDMAP, unix.MS_SLAVE|unix.MS_SHARED, 1<<33), 32}}, {"mount_setattr", vector{77, "", 0, numbers64(0, 0, 0, 91, 0), 40}},
		{"mount_setattr", vector{77, bad, 0, numbers64(0, 0, 0, 91, 0), 31}}, {"mount_setattr", vector{77, "a", 0, bad, 32}}, {"mount_setattr", vector{77, "a", 0, 0, minus}},
	}
	for bit := range 32 {
		all = append(all, attempt{"open_tree", vector{77, "nosuch", 1 << bit}}, attempt{"move_mount", vector{77, "nosuch", 77, "nosuch", 1 << bit}},
			attempt{"fsmount", vector{77, 1 << bit, 1 << bit}}, attempt{"fspick", vector{77, "nosuch", 1 << bit}}, attempt{"fsopen", vector{"nosuch", 1 << bit}},
			attempt{"mount_setattr", vector{77, "nosuch", 1 << bit, numbers64(1<<bit, 1<<bit, 1<<bit, 0), 32}})
	}
	return all
}

func fileCalls(dir string) []attempt {
	open(`we"<ir>d`+"\n"+`"`, unix.O_CREAT|unix.O_RDWR, 90)
	open(dir, unix.O_PATH|unix.O_DIRECTORY, 91)
	all := []attempt{
		{"mkdir", vector{"made", 0o755}}, {"mkdir", vector{"made", 0}}, {"rmdir", vector{"made"}}, {"rmdir", vector{"made"}},
		{"mkdirat", vector{here, "made", 0o1777}}, {"mkdirat", vector{half1 - 99, "made", 7}}, {"mkdirat", vector{91, "made", 0x1ffff}}, {"mkdirat", vector{77, bad, 0}},
		{"unlinkat", vector{91, "made", 0x200}}, {"unlinkat", vector{here, "made", minus}}, {"unlinkat", vector{here, "made", 0}}, {"unlinkat", vector{here, "made", high}},
		{"unlink", vector{"made"}}, {"unlink", vector{bad}}, {"unlink", vector{0}},
		{"symlink", vector{"/proc/self/fd", "link"}}, {"symlink", vector{"", ""}}, {"symlink", vector{bad, 0}}, {"symlinkat", vector{"text", 91, "link"}}, {"symlinkat", vector{0, minus, bad}}, {"symlinkat", vector{"text\n", here, "other"}},
		{"mknod", vector{"null", unix.S_IFCHR | 0o666, 0x103}}, {"mknod", vector{"fifo", unix.S_IFIFO | 0o4777, 0x103}}, {"mknod", vector{"file", 0o1644, minus}}, {"mknod", vector{bad, minus, minus}}, {"mknod", vector{"disk", high | unix.S_IFBLK | 0o7000, minus}}, {"mknod", vector{"bad", unix.S_IFDIR, 0}}, {"mknod", vector{"bad", 0o150000, 0}},
		{"mknodat", vector{91, "null", unix.S_IFCHR | 0o620, 0x8801}}, {"mknodat", vector{here, "socket", unix.S_IFSOCK, 0}}, {"mknodat", vector{minus, bad, unix.S_IFLNK | 0o2000, 1}}, {"mknodat", vector{91, "a", unix.S_IFREG, 1}},
		{"open", vector{"/nosuch", 0}}, {"open", vector{bad, unix.O_CREAT, 0o644}}, {"open", vector{"/nosuch/a", high | unix.O_RDWR | unix.O_CREAT | unix.O_EXCL, minus}},
		{"openat", vector{here, "/nosuch", unix.O_RDONLY | unix.O_CLOEXEC}}, {"openat", vector{91, "", minus, 0}}, {"openat", vector{91, "nosuch/a", unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC, 0o600}}, {"openat", vector{minus, bad, 3, 0}}, {"openat", vector{91, "nosuch", unix.O_TMPFILE | unix.O_RDWR, 0o600}}, {"openat", vector{91, "nosuch", realTmpfile, 7}},
		{"openat2", vector{91, "nosuch", numbers64(unix.O_PATH|unix.O_NOFOLLOW, 0, unix.RESOLVE_BENEATH), 24}}, {"openat2", vector{91, "nosuch/a", numbers64(unix.O_CREAT, 0o644, ^uint64(0)), 24}}, {"openat2", vector{here, "nosuch", numbers64(0, 0o10644, 0, 0), 32}}, {"openat2", vector{here, bad, numbers64(0, 0, 0), 23}}, {"openat2", vector{here, "nosuch", bad, 24}}, {"openat2", vector{here, "nosuch", 0, minus}},
		{"read", vector{91, bad, 10}}, {"read", vector{minus, 0, minus}}, {"read", vector{90, 0, 5}},
		{"pwrite64", vector{90, "text", 4, 3}}, {"pwrite64", vector{90, bad, 4, minus}}, {"pwrite64", vector{high + 90, longText, 5000, 0}}, {"pwrite64", vector{minus, 0, 0, 1 << 62}},
		{"write", vector{90, "text\x00\x01\x012\xff", 9}}, {"write", vector{77, "text", 4}}, {"write", vector{90, bad, 5}}, {"write", vector{90, 0, 5}}, {"write", vector{90, "", 0}}, {"write", vector{90, 0, 0}}, {"write", vector{high + 90, longText, 5000}},
	}
	for bit := range 32 {
		all = append(all, attempt{"openat", vector{77, "/nosuch/a", 1 << bit, 0o644}}, attempt{"unlinkat", vector{77, "nosuch", 1 << bit}},
			attempt{"openat2", vector{77, "nosuch", numbers64(1<<bit, 0, 1<<bit), 24}})
	}
	return all
}

// numbers64 are numbers of 64 bits in memory.
func numbers64(values ...uint64) (b []byte) {
	for _, v := range values {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return b
}

// cloneArgumentsOf is struct clone_args that the kernel refuses.
func cloneArgumentsOf(flags uint64, address uintptr) []byte {
	pointer := uint64(address)
	return numbers64(flags, pointer, pointer, pointer, 17, 0, 0, 0, 0, 0, 0)
}
