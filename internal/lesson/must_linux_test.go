package lesson

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/narrate"
	"gonsrun/internal/proc"
)

// asMain has the functions of this package believe that they belong to a
// program, until the test ends. It returns what they print.
func asMain(t *testing.T, source ...string) (printed func() string) {
	t.Helper()
	manual, lines = narrate.Manual{Program: "step00-test", Text: "go run -exec sudo ./step00-test"}, source
	file, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	stderr = int(file.Fd())
	t.Cleanup(func() {
		stderr, settings, host, side = 2, &narrate.Settings{}, hostSide{}, "host"
		file.Close()
	})
	return func() string {
		text, _ := os.ReadFile(file.Name())
		return string(text)
	}
}

// statusOf calls a function that unwinds, and returns the exit status.
func statusOf(unwinds func()) (status int) {
	defer func() {
		if e, ok := recover().(ended); ok {
			status = e.status
		}
	}()
	unwinds()
	return 0
}

// What Must says of an error, and with which status it ends.
func TestFail(t *testing.T) {
	source := []string{
		"	must(unix.Sethostname([]byte(hostname)))",
		"	must(unix.Exec(path, command, environment))",
		"	must(group.mkdir())",
	}
	for _, test := range []struct {
		err    error
		line   int
		status int
		says   string
	}{
		{unix.EPERM, 1, 125, "step00-test: main.go:1: sethostname: operation not permitted (EPERM)\n"},
		{unix.ENOENT, 2, 127, "step00-test: main.go:2: execve: no such file or directory (ENOENT)\n"},
		{unix.ENOEXEC, 2, 126, "step00-test: main.go:2: execve: exec format error (ENOEXEC)\n"},
		{&fs.PathError{Op: "mkdir", Path: "/sys/fs/cgroup/x", Err: unix.EROFS}, 3, 125, "step00-test: main.go:3: mkdir /sys/fs/cgroup/x: read-only file system (EROFS)\n"},
		{&fs.PathError{Op: "fork/exec", Path: "/proc/self/exe", Err: unix.ENOSPC}, 3, 125, "step00-test: main.go:3: fork/exec /proc/self/exe: no space left on device (ENOSPC)\nThe limit for namespaces"},
		{fmt.Errorf("%w: x does not exist", proc.ErrNotFound), 0, 127, "step00-test: command not found: x does not exist\nNothing of that name"},
		{fmt.Errorf("/x %w: %w", proc.ErrNotExecutable, unix.EISDIR), 0, 126, "step00-test: /x cannot be run: is a directory (EISDIR)\nIt is there"},
		{emptyFolder{}, 0, 127, "step00-test: this folder is empty\n"},
	} {
		printed := asMain(t, source...)
		status := statusOf(func() { fail(test.err, callOn(test.line), test.line) })
		if !strings.HasPrefix(printed(), test.says) || status != test.status {
			t.Errorf("%v on line %d\n  expected: exit status %d and\n%s\n  seen:     exit status %d and\n%s", test.err, test.line, test.status, test.says, status, printed())
		}
	}
}

type emptyFolder struct{}

func (emptyFolder) Error() string   { return "this folder is empty" }
func (emptyFolder) ExitStatus() int { return 127 }

// Must goes on, unless a signal has come before the container's process was there.
func TestMustAfterSignal(t *testing.T) {
	asMain(t)
	if status := statusOf(func() { Must(nil) }); status != 0 {
		t.Errorf("without a signal Must(nil) ends with exit status %d", status)
	}
	host.end(unix.SIGTERM)
	if status := statusOf(func() { Must(nil) }); status != 128+15 {
		t.Errorf("after SIGTERM Must(nil) ends with exit status %d, expected 143", status)
	}
	host.over()
	if status := statusOf(func() { Must(nil) }); status != 0 {
		t.Errorf("what is removed at the end is stopped, with exit status %d", status)
	}
}

// A note is safe for a terminal: a name of a folder can be in it.
func TestNote(t *testing.T) {
	printed := asMain(t)
	Note("it is in %s", "/home/\x1b[31m\u009bx/.cache")
	if want := "step00-test: it is in /home/?[31m?x/.cache\n"; printed() != want {
		t.Errorf("seen %q, expected %q", printed(), want)
	}
}

// What has failed is said in one object with -json, whatever is in the error.
func TestFailInJSON(t *testing.T) {
	printed := asMain(t, "	must(unix.Chroot(root))")
	settings = &narrate.Settings{JSON: true}
	statusOf(func() { fail(errors.New("a \"quote\"\nand <a line>"), callOn(1), 1) })
	want := fmt.Sprintf(`{"lesson":"step00-test","side":"host","pid":%d,"call":"","args":"","ret":-1,"errno":"","why":"chroot: a \"quote\"\nand <a line>","man":"","file":"main.go","line":1}`+"\n", os.Getpid())
	if printed() != want {
		t.Errorf("seen\n%s\nexpected\n%s", printed(), want)
	}
}

// The exit status that is passed on.
func TestStatus(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 128 + 9, "kill -TERM $$": 128 + 15} {
		host = hostSide{}
		asMain(t)
		if status := Status(exec.Command("/bin/sh", "-c", script).Run()); status != want {
			t.Errorf("%s: exit status %d, expected %d", script, status, want)
		}
		host.told = unix.SIGHUP
		if status := Status(exec.Command("/bin/sh", "-c", script).Run()); status != 128+1 {
			t.Errorf("%s, after SIGHUP: exit status %d, expected 129", script, status)
		}
	}
}

// A failure ends the container's process, and waits for it.
func TestFailEndsContainer(t *testing.T) {
	asMain(t)
	sleep := exec.Command("sleep", "1000")
	if err := Start(sleep); err != nil {
		t.Fatal(err)
	}
	if status := statusOf(func() { fail(unix.EIO, "", 0) }); status != statusFailed {
		t.Errorf("exit status %d, expected %d", status, statusFailed)
	}
	if sleep.ProcessState == nil {
		t.Error("nobody has waited for the container's process")
		sleep.Process.Kill()
		sleep.Wait()
	}
}
