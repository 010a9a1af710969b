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
		outside(thread, path, func(path string) { is = proc.SameFile(path, command) })
		if is != want {
			t.Errorf("%s is the thread's %s: %v", path, command, is)
		}
	}
	outside(thread, "/nowhere", func(path string) { t.Errorf("/nowhere leads to %s", path) })
	if !isProgram(thread, "/proc/self/exe") || isProgram(thread, "/command") {
		t.Error("only the program is itself")
	}
	theirs := look(id)
	if theirs.root != identity(root) || theirs.namespaces["uts"] == uts {
		t.Errorf("the thread's root and UTS namespace are seen as %s, %s", theirs.root, theirs.namespaces["uts"])
	}
}
