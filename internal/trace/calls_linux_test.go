package trace

import (
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
		{"waitid", vector{0, 0, status, 4 | 0x01000000, 0}}, {"waitid", vector{0, 0, 0, 4, 0}}, {"waitid", vector{1, minus, status, 4, 0}}, {"waitid", vector{77, 1, 0, minus, 0}}, {"waitid", vector{3, 91, bad, 5, 0}}, {"waitid", vector{high, 0, status, 5, status}},
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

func fileCalls(dir string) []attempt {
	open(`we"<ir>d`+"\n"+`"`, unix.O_CREAT|unix.O_RDWR, 90)
	open(dir, unix.O_PATH|unix.O_DIRECTORY, 91)
	return []attempt{
		{"mkdir", vector{"made", 0o755}}, {"mkdir", vector{"made", 0}}, {"rmdir", vector{"made"}}, {"rmdir", vector{"made"}},
		{"mkdirat", vector{here, "made", 0o1777}}, {"mkdirat", vector{half1 - 99, "made", 7}}, {"mkdirat", vector{91, "made", 0x1ffff}}, {"mkdirat", vector{77, bad, 0}},
		{"unlinkat", vector{91, "made", 0x200}}, {"unlinkat", vector{here, "made", minus}}, {"unlinkat", vector{here, "made", 0}}, {"unlinkat", vector{here, "made", high}},
		{"write", vector{90, "text\x00\x01\x012\xff", 9}}, {"write", vector{77, "text", 4}}, {"write", vector{90, bad, 5}}, {"write", vector{90, 0, 5}}, {"write", vector{90, "", 0}}, {"write", vector{90, 0, 0}}, {"write", vector{high + 90, longText, 5000}},
	}
}
