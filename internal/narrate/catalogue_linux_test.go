package narrate

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// call is a system call by its name, as if it had been read; nil on a processor
// that lacks it.
func call(name string, values ...uint64) *trace.Call {
	for number := range uint64(1024) {
		if trace.Name(number) == name {
			return trace.NewCall(number, values...)
		}
	}
	return nil
}

var listedCalls = []string{"clone", "clone3", "fork", "vfork", "unshare", "setns", "sethostname", "setdomainname", "chroot", "chdir", "fchdir", "pivot_root",
	"mount", "umount2", "mkdir", "mkdirat", "rmdir", "unlinkat", "write", "prctl", "execve", "execveat", "waitid", "wait4"}

// Every call that a lesson is told from has a sentence and a manual page.
func TestEveryCallHasItsSentence(t *testing.T) {
	listed := map[string]bool{}
	for _, name := range listedCalls {
		listed[name] = true
	}
	for number := range uint64(1024) {
		if name := trace.Name(number); ofLessons[name] && !listed[name] {
			t.Errorf("a lesson is told from %s, and no sentence of it is tested", name)
		}
	}
	for _, name := range listedCalls {
		c := call(name)
		if c == nil {
			continue // arm64 has only the newer form
		}
		for _, again := range []bool{false, true} {
			if s := sentence(c, again); !strings.HasSuffix(s, ".") || strings.ToUpper(s[:1]) != s[:1] {
				t.Errorf("the sentence of %s is %q", name, s)
			}
		}
		page := manualPage(c)
		topic, section, _ := strings.Cut(strings.TrimSuffix(page, ")"), "(")
		if section != "2" && section != "7" {
			t.Errorf("the page of %s is %q", name, page)
		}
		if os.Getenv("GONSRUN_MAN") != "" { // where the manual is installed
			if out, err := exec.Command("man", "-w", section, topic).CombinedOutput(); err != nil {
				t.Errorf("man %s %s: %s", section, topic, out)
			}
		}
	}
}

// What is said of a mount is what the kernel does with its flags.
func TestMountSentence(t *testing.T) {
	for _, test := range []struct {
		flags uint64
		want  string
	}{
		{unix.MS_REC | unix.MS_PRIVATE, "Private"},
		{unix.MS_SLAVE, "Slave"},
		{unix.MS_SHARED, "Shared"},
		{unix.MS_UNBINDABLE, "Unbindable"},
		{unix.MS_BIND | unix.MS_REC, "A file or folder appears"},
		{unix.MS_BIND | unix.MS_PRIVATE, "A file or folder appears"}, // the kernel ignores the second
		{unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY, "The flags of a mount"},
		{unix.MS_REMOUNT | unix.MS_PRIVATE, "The flags of a mount"},
		{unix.MS_MOVE, "A mount moves"},
		{unix.MS_NOSUID, "A file system is mounted"},
		{0xc0ed0000, "A file system is mounted"}, // MS_MGC_VAL
	} {
		if got := sentence(call("mount", 0, 0, 0, test.flags), false); !strings.HasPrefix(got, test.want) {
			t.Errorf("flags %#x: %q, expected %q", test.flags, got, test.want)
		}
	}
	c := call("mount")
	c.Arguments = []string{`"proc"`, `"/proc"`, `"proc"`, "0", "NULL"}
	if got := sentence(c, false); !strings.HasPrefix(got, "A new /proc") {
		t.Errorf("of a new /proc: %q", got)
	}
}

// What is said of a value in a cgroup's file.
func TestWriteSentence(t *testing.T) {
	for _, test := range []struct{ path, data, want string }{
		{"/sys/fs/cgroup/g/cgroup.procs", "0", "This process moves"},
		{"/sys/fs/cgroup/g/cgroup.procs", "17\n", "The process with this pid"},
		{"/sys/fs/cgroup/g/pids.max", "20", "At most so many tasks"},
		{"/sys/fs/cgroup/g/pids.max", "max\n", "Here is no limit"},
		{"/sys/fs/cgroup/g/memory.max", "64M", "At most so many bytes"},
		{"/sys/fs/cgroup/g/memory.limit_in_bytes", "-1", "Here is no limit"},
		{"/sys/fs/cgroup/g/cpu.max", "50000 100000", "CPU time"},
		{"/sys/fs/cgroup/g/cpu.max", "max 100000", "Here is no limit"},
		{"/sys/fs/cgroup/g/cgroup.subtree_control", "+pids +cpu", "The groups below get these"},
		{"/sys/fs/cgroup/g/cgroup.subtree_control", "-pids", "The groups below lose these"},
		{"/sys/fs/cgroup/g/cgroup.subtree_control", "+pids -cpu", "The groups below get some"},
		{"/sys/fs/cgroup/g/cgroup.freeze", "1", "A file of a cgroup"},
	} {
		c := call("write")
		c.Path, c.Data = test.path, []byte(test.data)
		if got := sentence(c, false); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s in %s: %q, expected %q", test.data, test.path, got, test.want)
		}
	}
}

// Calls whose arguments change what they do.
func TestSentenceByArguments(t *testing.T) {
	for _, test := range []struct {
		call *trace.Call
		want string
	}{
		{call("clone", unix.CLONE_NEWUTS|unix.CLONE_NEWPID|17), "A new process begins, in new namespaces: uts, pid."},
		{call("clone", unix.CLONE_VM|17), "A new process begins, in the namespaces of the one"},
		{call("unshare", unix.CLONE_NEWUTS), "This process moves into new"},
		{call("unshare", unix.CLONE_FS), "This thread no longer shares"},
		{call("setns", 3, unix.CLONE_NEWUTS), "This process moves into a namespace"},
		{call("setns", 3, unix.CLONE_NEWPID|unix.CLONE_NEWUTS), "This process moves into namespaces that are there already. A PID"},
		{call("prctl", unix.PR_SET_PDEATHSIG, 9), "If the process that made"},
		{call("prctl", unix.PR_SET_PDEATHSIG, 0), "From now on, no signal"},
	} {
		if got := sentence(test.call, false); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s %#x: %q, expected %q", test.call.Name(), test.call.Values, got, test.want)
		}
	}
}
