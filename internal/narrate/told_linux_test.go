package narrate

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// A quick look leaves out what changes nothing, and of a lesson what is not in its list.
func TestMayBeTold(t *testing.T) {
	for _, test := range []struct {
		call          *trace.Call
		whole, lesson bool
	}{
		{call("execve"), true, true},
		{call("prctl", unix.PR_SET_PDEATHSIG, 9), true, true},
		{call("prctl", unix.PR_CAPBSET_DROP), true, false},
		{call("prctl", unix.PR_CAPBSET_READ), false, false},
		{call("prctl", unix.PR_SET_NAME), false, false},
		{call("prctl", unix.PR_SET_VMA), false, false},
		{call("prctl", unix.PR_SET_PTRACER), false, false}, // the narrator's
		{call("prctl", unix.PR_GET_NO_NEW_PRIVS), false, false},
		{call("prctl", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET), false, false},
		{call("prctl", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL), true, false},
		{call("prctl", unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 0), false, false}, // is it there?
		{call("prctl", unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 1), true, false},
		{call("seccomp", unix.SECCOMP_SET_MODE_STRICT, 1), false, false},
		{call("seccomp", unix.SECCOMP_SET_MODE_STRICT, 0), true, false},
		{call("seccomp", unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_LOG, 0), false, false},
		{call("seccomp", unix.SECCOMP_SET_MODE_FILTER, 0, 1), true, false},
		{call("seccomp", unix.SECCOMP_GET_ACTION_AVAIL, 0, 1), false, false},
		{call("capset"), true, false},
		{call("ioctl", 0, unix.TCGETS), false, false},
		{call("ioctl", 0, unix.TIOCSCTTY), true, false},
		{call("setfsuid", 0xffffffff), false, false},
		{call("setfsuid", 0), true, false},
		{call("keyctl", unix.KEYCTL_JOIN_SESSION_KEYRING), true, false},
		{call("keyctl", 6), false, false},
		{call("bpf", unix.BPF_PROG_LOAD), true, false},
		{call("bpf", unix.BPF_MAP_CREATE), false, false},
		{call("unlinkat"), false, false},
		{call("unlinkat", 0, 0, unix.AT_REMOVEDIR), true, true},
		{call("wait4", 0, 0, unix.WNOHANG), false, false},
		{call("wait4"), true, true},
		{call("waitid", 0, 0, 0, unix.WNOHANG|unix.WEXITED), false, false},
		{call("clone", unix.CLONE_THREAD), false, false},
		{call("clone"), true, true},
		{call("openat"), false, false},
		{call("recvmsg"), false, false},
		{call("mount"), true, true},
		{call("move_mount"), true, false},
		{trace.NewCall(unix.SYS_GETPID), false, false},
	} {
		for lesson, want := range map[bool]bool{false: test.whole, true: test.lesson} {
			if got := mayBeTold(test.call, lesson); got != want {
				t.Errorf("%s %#x, of a lesson: %v: it may be told: %v, expected %v", test.call.Name(), test.call.Values, lesson, got, want)
			}
		}
	}
}

// Of files, nodes and links only those that set something are told, and the catalogue
// gets the path that it knows.
func TestIsToldOfWholePrograms(t *testing.T) {
	dev := filepath.Join(t.TempDir(), "dev")
	if err := os.Mkdir(dev, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dev, link); err != nil {
		t.Fatal(err)
	}
	open := func(file string) uint64 {
		fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return uint64(fd)
	}
	runtime.LockOSThread() // TestOutside may leave the first thread with another root
	defer runtime.UnlockOSThread()
	thread := &trace.Thread{ID: unix.Gettid(), Process: &trace.Process{ID: os.Getpid()}}
	here := ^uint64(99) // AT_FDCWD
	null := uint64(unix.Mkdev(1, 3))
	of := func(c *trace.Call, path string) *trace.Call {
		if c != nil {
			c.Path = path
		}
		return c
	}
	network := call("sendmsg")
	network.Messages = []trace.Message{{Type: unix.RTM_GETLINK}, {Type: unix.RTM_NEWLINK}}
	question := call("sendmsg")
	question.Messages = []trace.Message{{Type: unix.RTM_GETADDR}, {Type: unix.NLMSG_DONE}}
	device, other := call("bpf", unix.BPF_PROG_LOAD), call("bpf", unix.BPF_PROG_LOAD)
	device.Kind, other.Kind = "BPF_PROG_TYPE_CGROUP_DEVICE", "BPF_PROG_TYPE_SOCKET_FILTER"

	for _, test := range []struct {
		call  *trace.Call
		want  bool
		known string
	}{
		{of(call("write", open("/proc/self/oom_score_adj")), "/proc/7/oom_score_adj"), true, "/proc/7/oom_score_adj"},
		{of(call("write", open("/proc/self/oom_score_adj")), "/elsewhere/proc/7/oom_score_adj"), true, "/proc/7/oom_score_adj"},
		{of(call("pwrite64", open("/proc/self/oom_score_adj")), "/7/oom_score_adj"), true, "/proc/7/oom_score_adj"}, // mounted nowhere
		{of(call("write", open("/proc/sys/kernel/hostname")), "/proc/sys/kernel/hostname"), true, "/proc/sys/kernel/hostname"},
		{of(call("write", open("/proc/self/uid_map")), "/proc/7/uid_map"), true, "/proc/7/uid_map"},
		{of(call("write", open("/proc/self/comm")), "/proc/7/comm"), false, ""},
		{of(call("write", open("/dev/null")), "/dev/null"), false, ""},
		{of(call("write", open(dev)), "/proc/7/uid_map"), false, ""}, // a file of that name elsewhere
		{of(call("symlinkat", 0, here), dev+"/fd"), true, dev + "/fd"},
		{of(call("symlinkat", 0, open(dev)), "fd"), true, dev + "/fd"},
		{of(call("symlinkat", 0, here), link+"/fd"), true, dev + "/fd"},
		{of(call("symlink"), dev+"/fd"), true, dev + "/fd"},
		{of(call("symlinkat", 0, here), dev+"x/fd"), false, ""},
		{of(call("mknodat", here, 0, unix.S_IFIFO), dev+"/initctl"), true, dev + "/initctl"},
		{of(call("mknodat", here, 0, unix.S_IFIFO), "/run/exec.fifo"), false, ""},
		{of(call("mknodat", here, 0, unix.S_IFCHR, null), "/tmp/null"), true, "/tmp/null"},
		{of(call("mknodat", here, 0, unix.S_IFCHR, 0), "/layer/whiteout"), false, ""},
		{of(call("mknod", 0, unix.S_IFCHR, null), "/tmp/null"), true, "/tmp/null"},
		{network, true, ""},
		{question, false, ""},
		{call("sendmsg"), false, ""},
		{device, true, ""},
		{other, false, ""},
	} {
		if test.call == nil {
			continue // arm64
		}
		path := test.call.Path
		if got := isTold(test.call, thread, false); got != test.want || got && test.call.Path != test.known {
			t.Errorf("%s %s is told: %v, as %s; expected %v, as %s", test.call.Name(), path, got, test.call.Path, test.want, test.known)
		}
	}
	if isTold(of(call("write", open("/proc/self/uid_map")), "/proc/7/uid_map"), thread, true) {
		t.Error("a lesson is told of an id map")
	}
}
