package trace

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// prctlCalls makes each option with arguments that the kernel refuses, and with
// better ones.
func prctlCalls(string) (all []attempt) {
	for option := range 80 {
		all = append(all, attempt{"prctl", vector{option, minus, minus, minus, minus}})
	}
	for capability := range 70 {
		all = append(all,
			attempt{"prctl", vector{unix.PR_CAPBSET_READ, capability}},
			attempt{"prctl", vector{unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, capability, 0, 0}})
	}
	for value := range 20 {
		all = append(all,
			attempt{"prctl", vector{unix.PR_SET_MM, value, 1, 0, 0}},
			attempt{"prctl", vector{unix.PR_CAP_AMBIENT, value + 4, unix.CAP_CHOWN, 0x10, 0}},
			attempt{"prctl", vector{unix.PR_SET_DUMPABLE, value + 2}}) // not dumpable, it could not be read
	}
	return append(all, []attempt{
		{"prctl", vector{1, 9}}, {"prctl", vector{1, 0}}, {"prctl", vector{1, 34}}, {"prctl", vector{1, 32}}, {"prctl", vector{1, 64}}, {"prctl", vector{1, 65}}, {"prctl", vector{1, 128}}, {"prctl", vector{1, 129}}, {"prctl", vector{1, 0}}, {"prctl", vector{high + 1, 0}},
		{"prctl", vector{unix.PR_SET_NAME, "short"}}, {"prctl", vector{unix.PR_SET_NAME, "0123456789abcde"}}, {"prctl", vector{unix.PR_SET_NAME, "0123456789abcdef"}}, {"prctl", vector{unix.PR_SET_NAME, 0}}, {"prctl", vector{unix.PR_SET_NAME, bad}}, {"prctl", vector{unix.PR_SET_NAME, ""}},
		{"prctl", vector{unix.PR_SET_SECUREBITS, 0xff}}, {"prctl", vector{unix.PR_SET_SECUREBITS, 0}}, {"prctl", vector{unix.PR_SET_SECUREBITS, 0x101}}, {"prctl", vector{unix.PR_SET_SECUREBITS, high}},
		{"prctl", vector{unix.PR_SET_KEEPCAPS, 1}}, {"prctl", vector{unix.PR_SET_KEEPCAPS, 0}}, {"prctl", vector{unix.PR_SET_CHILD_SUBREAPER, 0}},
		{"prctl", vector{unix.PR_CAP_AMBIENT, 4, 0, 0, 0}}, {"prctl", vector{unix.PR_CAP_AMBIENT, 2, unix.CAP_KILL, 0, 0}}, {"prctl", vector{unix.PR_CAP_AMBIENT, 3, high, 1, 2}},
		{"prctl", vector{unix.PR_CAPBSET_DROP, unix.CAP_SYS_BOOT}}, {"prctl", vector{unix.PR_CAPBSET_DROP, 64}},
		{"prctl", vector{unix.PR_SET_SECCOMP, 0, 1, 2, 3}}, {"prctl", vector{unix.PR_SET_SECCOMP, 2, 0}}, {"prctl", vector{unix.PR_SET_SECCOMP, 2, bad}}, {"prctl", vector{unix.PR_SET_SECCOMP, 3, 0}},
		{"prctl", vector{unix.PR_SET_PTRACER, 0}}, {"prctl", vector{unix.PR_SET_PTRACER, minus}}, {"prctl", vector{unix.PR_SET_TIMERSLACK, 0}},
		{"prctl", vector{unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 1}}, {"prctl", vector{unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0}}, {"prctl", vector{unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0}},
		{"prctl", vector{unix.PR_GET_DUMPABLE}}, {"prctl", vector{unix.PR_GET_KEEPCAPS}}, {"prctl", vector{unix.PR_GET_SECCOMP}}, {"prctl", vector{unix.PR_GET_NAME, 0}},
	}...)
}

// words are numbers of 32 bits in memory.
func words(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

func privilegeCalls(string) []attempt {
	allow := vector{uintptr(unix.BPF_RET) | uintptr(unix.SECCOMP_RET_ALLOW)<<32}
	filter := vector{1, allow}
	const set, action = unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_GET_ACTION_AVAIL
	all := []attempt{
		{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_3, 0), words(1, 1, 1, 0, 0, 0)}},
		{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_3, 7777777), words(0, 0x80000001, 0, 0, 1<<8, 0)}},
		{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_3, 0xffffffff), words(0, 0, 0, 0, 0, 0)}},
		{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_2, 1), words(minusWord, minusWord, minusWord, minusWord, minusWord, minusWord)}},
		{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_3, 1), words(0, 0, 0, 0xffff0000, 0, 1)}},
		{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_1, 1), words(1, 2, 3, 4, 5, 6)}},
		{"capset", vector{words(1, 1), words(1, 2, 3, 4, 5, 6)}}, {"capset", vector{0, words(1, 2, 3)}},
		{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_3, 1), 0}}, {"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_3, 1), bad}}, {"capset", vector{bad, bad}}, {"capset", vector{0, 0}},
		{"seccomp", vector{0, 1, 0}}, {"seccomp", vector{0, 0, bad}}, {"seccomp", vector{7, minus, filter}}, {"seccomp", vector{3, 1, 0}}, {"seccomp", vector{high + 2, 0, words(unix.SECCOMP_RET_LOG)}},
		{"seccomp", vector{action, 0, words(unix.SECCOMP_RET_ERRNO)}}, {"seccomp", vector{action, 1, words(1)}}, {"seccomp", vector{action, 0, 0}}, {"seccomp", vector{action, 0, bad}}, {"seccomp", vector{action, 0, words(unix.SECCOMP_RET_KILL_PROCESS)}},
		{"seccomp", vector{set, 0, 0}}, {"seccomp", vector{set, 0, bad}}, {"seccomp", vector{set, minus, filter}}, {"seccomp", vector{set, 0, vector{0, 0}}}, {"seccomp", vector{set, high, filter}},
		{"seccomp", vector{set, 0x3f, vector{0xffff, bad}}}, {"seccomp", vector{set, unix.SECCOMP_FILTER_FLAG_LOG | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, filter}},
		{"prctl", vector{unix.PR_SET_SECCOMP, 2, filter}},
	}
	for bit := range 64 {
		set := uint64(1) << bit
		all = append(all, attempt{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_3, 1), words(uint32(set), 0, 0, uint32(set>>32), 0, 0)}})
	}
	for bit := range 32 {
		all = append(all, attempt{"seccomp", vector{set, 1 << bit, 0}}, attempt{"seccomp", vector{action, 1, words(1 << bit)}})
	}
	for _, known := range []uint32{unix.SECCOMP_RET_KILL_THREAD, unix.SECCOMP_RET_TRAP, unix.SECCOMP_RET_USER_NOTIF, unix.SECCOMP_RET_TRACE, unix.SECCOMP_RET_ALLOW} {
		all = append(all, attempt{"seccomp", vector{action, 1, words(known)}})
	}
	return all
}

// bpfCalls loads and attaches nothing: the instructions are nowhere, and the target is no
// cgroup.
func bpfCalls(dir string) (all []attempt) {
	open(dir, unix.O_RDONLY, 91)
	load := func(kind, count uintptr, rest ...any) vector { return append(vector{kind | count<<32, bad}, rest...) }
	for command := range 50 {
		all = append(all, attempt{"bpf", vector{command, 0, minus}}, attempt{"bpf", vector{command, bad, minus}}, attempt{"bpf", vector{high + uintptr(command), bad, 32}})
	}
	all = append(all, attempt{"bpf", vector{unix.BPF_PROG_LOAD, 0, 0}},
		attempt{"bpf", vector{unix.BPF_PROG_LOAD, load(15, 5, "GPL"), 24}}, attempt{"bpf", vector{unix.BPF_PROG_LOAD, load(15, 5, "GPL", 1, 2, 3), 48}}, attempt{"bpf", vector{unix.BPF_PROG_LOAD, load(half1, half1, bad), 24}},
		attempt{"bpf", vector{unix.BPF_PROG_LOAD, load(15, 5, "GPL"), 4}}, attempt{"bpf", vector{unix.BPF_PROG_LOAD, load(15, 5, "GPL"), 5000}})
	for kind := range 50 {
		where := words(91, 77, uint32(kind), uint32(kind), 91, 0, 0, 1)
		all = append(all, attempt{"bpf", vector{unix.BPF_PROG_LOAD, load(uintptr(kind), 0, 0), 24}}, attempt{"bpf", vector{unix.BPF_PROG_ATTACH, where, 16}},
			attempt{"bpf", vector{unix.BPF_PROG_ATTACH, where, 20}}, attempt{"bpf", vector{unix.BPF_PROG_ATTACH, where, 28}}, attempt{"bpf", vector{unix.BPF_PROG_ATTACH, where, 32}},
			attempt{"bpf", vector{unix.BPF_PROG_DETACH, where, 16}}, attempt{"bpf", vector{unix.BPF_PROG_QUERY, where, 24}})
	}
	return append(all, attempt{"bpf", vector{unix.BPF_PROG_ATTACH, words(minusWord, 0, 6, minusWord), 16}})
}

const minusWord = 0xffffffff

func idCalls(dir string) []attempt {
	open("strange", unix.O_CREAT|unix.O_RDWR, 90)
	unix.Unlink("strange")
	open("owned", unix.O_CREAT|unix.O_RDWR, 91)
	return []attempt{
		{"chown", vector{"owned", 12, 34}}, {"chown", vector{"/nosuch", minus, half1}}, {"chown", vector{bad, high, 0x80000000}}, {"lchown", vector{"owned", minus, 0}}, {"lchown", vector{0, 0, 0}},
		{"fchown", vector{91, 12, minus}}, {"fchown", vector{90, 0, 0}}, {"fchown", vector{minus, 0, 0}}, {"fchown", vector{0, minus, minus}},
		{"fchownat", vector{here, "owned", 0, 0, unix.AT_SYMLINK_NOFOLLOW}}, {"fchownat", vector{91, "", minus, 5, unix.AT_EMPTY_PATH}}, {"fchownat", vector{91, bad, 1, 1, minus}},
		{"setgroups", vector{3, words(0, 5, 77)}}, {"setgroups", vector{1, words(minusWord)}}, {"setgroups", vector{0, 0}}, {"setgroups", vector{0, bad}}, {"setgroups", vector{2, 0}}, {"setgroups", vector{2, bad}}, {"setgroups", vector{minus, words(1)}}, {"setgroups", vector{65537, words(1)}}, {"setgroups", vector{high + 1, words(1)}},
		{"setregid", vector{minus, 0}}, {"setresgid", vector{0, minus, half1}}, {"setresgid", vector{100, 101, 102}}, {"setfsgid", vector{100}}, {"setfsgid", vector{minus}}, {"setgid", vector{high + 100}}, {"setgid", vector{minus}},
		{"setreuid", vector{minus, minus}}, {"setresuid", vector{0, 1000, 0}}, {"setfsuid", vector{0}}, {"setfsuid", vector{minus}}, {"setuid", vector{minus}}, {"setuid", vector{high + 5}},
	}
}

func sessionCalls(dir string) []attempt {
	open("/dev/null", unix.O_RDWR, 90)
	open(dir, unix.O_RDONLY, 91)
	all := []attempt{
		{"setpgid", vector{0, 0}}, {"setpgid", vector{minus, half1}}, {"setpgid", vector{high, 77777777}}, {"setsid", nil}, {"setsid", nil},
		{"ioctl", vector{90, unix.TIOCSCTTY, 0}}, {"ioctl", vector{91, unix.TIOCSCTTY, minus}}, {"ioctl", vector{minus, high | unix.TIOCSCTTY, bad}}, {"ioctl", vector{90, unix.TIOCNOTTY, 0}},
		{"ioctl", vector{90, unix.SIOCSIFFLAGS, interfaceRequest("lo", unix.IFF_UP|unix.IFF_LOOPBACK)}}, {"ioctl", vector{77, unix.SIOCSIFFLAGS, interfaceRequest("0123456789abcdef", 0)}}, {"ioctl", vector{77, unix.SIOCSIFFLAGS, 0}}, {"ioctl", vector{77, unix.SIOCSIFFLAGS, bad}},
		{"close_range", vector{1000, half1, 0}}, {"close_range", vector{1000, minus, unix.CLOSE_RANGE_CLOEXEC | unix.CLOSE_RANGE_UNSHARE}}, {"close_range", vector{5, 3, minus}}, {"close_range", vector{minus, high + 3, high}},
		{"keyctl", vector{unix.KEYCTL_JOIN_SESSION_KEYRING, 0}}, {"keyctl", vector{unix.KEYCTL_JOIN_SESSION_KEYRING, bad}}, {"keyctl", vector{high + unix.KEYCTL_JOIN_SESSION_KEYRING, "_ses.test"}}, {"keyctl", vector{unix.KEYCTL_JOIN_SESSION_KEYRING, ""}},
		{"keyctl", vector{unix.KEYCTL_GET_KEYRING_ID, minus - 2, 0}}, {"keyctl", vector{unix.KEYCTL_GET_KEYRING_ID, 0, minus}},
		{"keyctl", vector{unix.KEYCTL_REVOKE, 1}}, {"keyctl", vector{unix.KEYCTL_INVALIDATE, 1}}, {"keyctl", vector{unix.KEYCTL_ASSUME_AUTHORITY, 0}}, {"keyctl", vector{unix.KEYCTL_CLEAR, 1}},
		{"keyctl", vector{unix.KEYCTL_LINK, 1, 2}}, {"keyctl", vector{unix.KEYCTL_UNLINK, 1, 2}}, {"keyctl", vector{unix.KEYCTL_CHOWN, 1, 2, minus}}, {"keyctl", vector{unix.KEYCTL_SET_TIMEOUT, 1, minus}},
		{"keyctl", vector{unix.KEYCTL_GET_PERSISTENT, minus, 1}}, {"keyctl", vector{unix.KEYCTL_SEARCH, 1, "user", bad, 0}},
		{"keyctl", vector{unix.KEYCTL_SETPERM, 1, 0}}, {"keyctl", vector{unix.KEYCTL_SETPERM, 1, minus}},
	}
	for key := range uintptr(10) { // these permissions are refused: the keyrings are also this machine's
		all = append(all, attempt{"keyctl", vector{unix.KEYCTL_SETPERM, minus - key, minus}})
	}
	for bit := range 32 {
		all = append(all, attempt{"keyctl", vector{unix.KEYCTL_SETPERM, 1, 1 << bit}})
	}
	for operation := range 40 {
		if operation == unix.KEYCTL_SESSION_TO_PARENT {
			continue // it changes the test's own
		}
		all = append(all, attempt{"keyctl", vector{operation, bad, bad, bad, bad}})
	}
	return all
}

// interfaceRequest is struct ifreq.
func interfaceRequest(name string, flags uint16) []byte {
	b := make([]byte, 40)
	copy(b[:unix.IFNAMSIZ], name)
	binary.NativeEndian.PutUint16(b[unix.IFNAMSIZ:], flags)
	return b
}
