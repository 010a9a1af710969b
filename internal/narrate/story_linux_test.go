package narrate

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// A path of a thread with a root of its own is looked for in there, and so is what a
// symlink leads to; what the kernel says of such a thread is the thread's, too.
func TestOutside(t *testing.T) {
	root := t.TempDir()
	command := filepath.Join(root, "command")
	os.WriteFile(command, nil, 0o755)
	for _, link := range []struct{ target, name string }{{"/command", "inside"}, {"/etc/passwd", "nowhere"}} {
		if err := os.Symlink(link.target, filepath.Join(root, link.name)); err != nil {
			t.Fatal(err)
		}
	}
	uts := proc.Namespace("self", "uts")
	started, end := make(chan int), make(chan bool)
	go func() {
		runtime.LockOSThread() // it ends with the goroutine
		if unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWUTS) != nil || unix.Chroot(root) != nil || unix.Chdir("/") != nil {
			close(started)
			return
		}
		started <- unix.Gettid()
		<-end
	}()
	id, ok := <-started
	if !ok {
		t.Skip("a root of its own is root's")
	}
	defer close(end)
	thread := &trace.Thread{ID: id, Process: &trace.Process{ID: os.Getpid()}}
	for path, want := range map[string]bool{"/command": true, "command": true, "/inside": true, "/../inside": true, "/nowhere": false, "/nosuch": false, "/etc/passwd": false} {
		is := false
		outside(thread, path, "cwd", func(path string) { is = proc.SameFile(path, command) })
		if is != want {
			t.Errorf("%s is the thread's %s: %v", path, command, is)
		}
	}
	outside(thread, "/nowhere", "cwd", func(path string) { t.Errorf("/nowhere leads to %s", path) })
	if !isProgram(thread, "/proc/self/exe") || isProgram(thread, "/command") {
		t.Error("only the program is itself")
	}
	theirs := look(id)
	if theirs.root != identity(root) || theirs.namespaces["uts"] == uts {
		t.Errorf("the thread's root and UTS namespace are seen as %s, %s", theirs.root, theirs.namespaces["uts"])
	}
}

// Whether a folder is, or would be, a cgroup, the kernel knows, by whatever path it is
// called.
func TestIsTold(t *testing.T) {
	all := trees()
	if len(all) == 0 {
		t.Skip("no cgroup tree is mounted here")
	}
	tree, elsewhere := all[0].dir, t.TempDir()
	link := filepath.Join(elsewhere, "link")
	if err := os.Symlink(tree, link); err != nil {
		t.Fatal(err)
	}
	open := func(dir string) uint64 {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return uint64(fd)
	}
	here := ^uint64(99)    // AT_FDCWD
	runtime.LockOSThread() // TestOutside may leave the first thread with another root
	defer runtime.UnlockOSThread()
	thread := &trace.Thread{ID: unix.Gettid(), Process: &trace.Process{ID: os.Getpid()}}
	for _, test := range []struct {
		dir   uint64
		path  string
		want  bool
		known string
	}{
		{here, tree + "/new", true, tree + "/new"},
		{here, link + "/new", true, tree + "/new"},
		{here, link + "/../new", false, ""}, // a symlink's .. is that of where it leads
		{here, elsewhere + "/cgroup", false, ""},
		{here, "new", false, ""},
		{here, tree + "/nosuch/new", true, tree + "/nosuch/new"}, // ENOENT
		{open(tree), "new", true, tree + "/new"},
		{open(elsewhere), "link/new", true, tree + "/new"},
		{open(elsewhere), "new", false, ""},
		{open(elsewhere), tree + "/new", true, tree + "/new"},
	} {
		c := trace.NewCall(unix.SYS_MKDIRAT, test.dir)
		c.Path = test.path
		if got := isTold(c, thread, true); got != test.want || got && c.Path != test.known {
			t.Errorf("mkdirat %d %s is told: %v, as %s; expected %v, as %s", int32(test.dir), test.path, got, c.Path, test.want, test.known)
		}
	}
	for file, want := range map[string]bool{tree + "/cgroup.procs": true, "/proc/self/status": false} {
		if got := isTold(trace.NewCall(unix.SYS_WRITE, open(file)), thread, true); got != want {
			t.Errorf("a write to %s is told: %v", file, got)
		}
	}
}
