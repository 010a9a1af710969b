package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary plays the container's side, too: with these arguments it
// takes descriptor 3 as its terminal and becomes a command.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "control" {
		err := Control(3)
		if err == nil {
			err = syscall.Exec(os.Args[2], os.Args[2:], os.Environ())
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	if len(os.Args) > 1 && os.Args[1] == "in container" {
		inContainer()
	}
	os.Exit(m.Run())
}

// open makes a terminal of this machine's.
func open(t *testing.T) (master, slave int) {
	t.Helper()
	master, slave, err := Open("/dev/ptmx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(master) })
	return master, slave
}

// start starts a shell's script with slave as its controlling terminal.
func start(t *testing.T, slave int, script string) *exec.Cmd {
	t.Helper()
	f := os.NewFile(uintptr(slave), "slave")
	c := exec.Command("/proc/self/exe", "control", "/bin/sh", "-c", script)
	c.ExtraFiles = []*os.File{f}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return c
}

func TestControl(t *testing.T) {
	master, slave := open(t)
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("/dev/pts/%d", number)
	c := start(t, slave, `tty; readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2; test -e /proc/$$/fd/3 || echo closed; echo >/dev/tty controlled`)
	var screen bytes.Buffer
	if err := Copy(master, -1, &screen, nil); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	want := strings.ReplaceAll(strings.Repeat(name+"\n", 4)+"closed\ncontrolled\n", "\n", "\r\n")
	if got := screen.String(); got != want {
		t.Errorf("screen %q, want %q", got, want)
	}
}

func TestControlErrors(t *testing.T) {
	for _, test := range []struct {
		attr syscall.SysProcAttr
		want string
	}{
		{syscall.SysProcAttr{Setsid: true}, "fine\r\n"}, // leads a session already
		{syscall.SysProcAttr{Setpgid: true}, "setsid: operation not permitted"},
	} {
		master, slave := open(t)
		var screen, stderr bytes.Buffer
		c := exec.Command("/proc/self/exe", "control", "/bin/echo", "fine")
		c.ExtraFiles = []*os.File{os.NewFile(uintptr(slave), "slave")}
		c.SysProcAttr, c.Stderr = &test.attr, &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		c.ExtraFiles[0].Close()
		Copy(master, -1, &screen, nil)
		c.Wait()
		if got := screen.String() + stderr.String(); !strings.Contains(got, test.want) {
			t.Errorf("%+v: %q, want %q", test.attr, got, test.want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	if _, _, err := Open("/nonexistent/ptmx"); !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "/nonexistent/ptmx") {
		t.Error(err)
	}
	if _, _, err := Open("/dev/null"); !errors.Is(err, unix.ENOTTY) || !strings.Contains(err.Error(), "/dev/null") {
		t.Error(err)
	}
	if _, err := Raw(int(devNull(t).Fd())); !errors.Is(err, unix.ENOTTY) {
		t.Error(err)
	}
}

func devNull(t *testing.T) *os.File {
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// In a container the terminal is one of its own devpts, and has a name there.
func TestInContainer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for a devpts of its own: go test -exec sudo")
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	its := os.NewFile(uintptr(ends[1]), "socket")
	c := exec.Command("/proc/self/exe", "in container")
	c.ExtraFiles = []*os.File{its}
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	its.Close()
	master, err := ReceiveFile(ends[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(master)
	flags, _ := unix.FcntlInt(uintptr(master), unix.F_GETFD, 0)
	if flags&unix.FD_CLOEXEC == 0 {
		t.Error("the master would be left open at execve")
	}
	var screen bytes.Buffer
	if err := Copy(master, -1, &screen, nil); err != nil || screen.String() != "/dev/pts/0\r\n" {
		t.Errorf("screen %q, error %v", screen.String(), err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if fd, err := ReceiveFile(ends[0]); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("received %d, %v from one that ended", fd, err)
	}
}

func inContainer() {
	must := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(unix.Mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620"))
	master, slave, err := Open("/dev/pts/ptmx")
	must(err)
	must(SendFile(3, master))
	unix.Close(master)
	unix.Close(3)
	must(Control(slave))
	must(syscall.Exec("/bin/sh", []string{"sh", "-c", "tty"}, nil))
}

func TestSendNothing(t *testing.T) {
	ends, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	unix.Write(ends[0], []byte{0})
	if fd, err := ReceiveFile(ends[1]); err == nil || !strings.Contains(err.Error(), "holds none") {
		t.Errorf("received %d, %v", fd, err)
	}
	if err := SendFile(ends[0], 9999); !errors.Is(err, unix.EBADF) {
		t.Error(err)
	}
}

// within fails the test unless the condition comes true soon. The kernel sends
// no event when a terminal's settings change.
func within(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}

func TestRaw(t *testing.T) {
	_, slave := open(t)
	defer unix.Close(slave)
	mode := func() unix.Termios {
		m, err := unix.IoctlGetTermios(slave, unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return *m
	}
	isRaw := func() bool {
		return mode().Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) == 0 && mode().Oflag&unix.OPOST == 0
	}
	before := mode()
	if before.Iflag&unix.IUTF8 == 0 {
		t.Error("a new terminal erases bytes, not characters")
	}
	restore, err := Raw(slave)
	if err != nil {
		t.Fatal(err)
	}
	if !isRaw() {
		t.Errorf("not raw: %+v", mode())
	}
	unix.IoctlSetTermios(slave, unix.TCSETS, &before) // as a shell does when we are stopped
	unix.Kill(os.Getpid(), unix.SIGCONT)
	within(t, "raw again after SIGCONT", isRaw)
	restore()
	if mode() != before {
		t.Errorf("restored %+v, want %+v", mode(), before)
	}
	unix.Kill(os.Getpid(), unix.SIGCONT)
	changed := before
	changed.Lflag &^= unix.ECHO
	unix.IoctlSetTermios(slave, unix.TCSETS, &changed)
	restore() // twice does no harm
	if mode() != changed {
		t.Errorf("restored twice: %+v, want %+v", mode(), changed)
	}
}

// What a user types in reaches the command, and its end is its end.
func TestTyped(t *testing.T) {
	for _, test := range []struct{ typed, screen string }{
		{"hello\n", "hello\r\nhello\r\n"},
		{"no newline", "no newlineno newline"},
		{"", ""},
	} {
		goroutines := runtime.NumGoroutine()
		master, slave := open(t)
		c := start(t, slave, "cat")
		in, typist, _ := os.Pipe()
		typist.WriteString(test.typed)
		typist.Close()
		var screen bytes.Buffer
		if err := Copy(master, int(in.Fd()), &screen, nil); err != nil {
			t.Error(err)
		}
		if err := c.Wait(); err != nil || screen.String() != test.screen {
			t.Errorf("typed %q: screen %q, want %q; %v", test.typed, screen.String(), test.screen, err)
		}
		in.Close()
		within(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
	}
}

func TestCtrlC(t *testing.T) {
	master, slave := open(t)
	c := start(t, slave, "echo ready; exec sleep 1000")
	read, write := io.Pipe()
	copied := make(chan struct{})
	go func() {
		Copy(master, -1, write, nil)
		close(copied)
	}()
	io.ReadFull(read, make([]byte, 6))
	go io.Copy(io.Discard, read)
	defer func() { <-copied }() // or it would look at the next test's terminal, which gets the same number
	unix.Write(master, []byte{3})
	err := c.Wait()
	if ws := c.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != unix.SIGINT {
		t.Errorf("Ctrl-C: %v", err)
	}
}

// A command that prints much and reads nothing.
func TestMuch(t *testing.T) {
	master, slave := open(t)
	c := start(t, slave, "stty raw -echo; echo ready; seq 1 200000")
	in, typist, _ := os.Pipe()
	defer in.Close()
	go func() { // more than the terminal takes
		typist.Write(make([]byte, 1<<20))
		typist.Close()
	}()
	var screen bytes.Buffer
	if err := Copy(master, int(in.Fd()), &screen, nil); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	_, printed, _ := strings.Cut(screen.String(), "ready\n")
	if lines := strings.Count(printed, "\n"); lines != 200000 || !strings.HasSuffix(printed, "\n200000\n") {
		t.Errorf("%d lines, want 200000, the last is %.20q", lines, printed[max(0, len(printed)-20):])
	}
}

// What was typed after the command's end is not ours to take.
func TestLeavesInput(t *testing.T) {
	master, slave := open(t)
	start(t, slave, "exit")
	in, typist, _ := os.Pipe()
	defer typist.Close()
	if err := Copy(master, int(in.Fd()), io.Discard, nil); err != nil {
		t.Error(err)
	}
	typist.WriteString("ls\n")
	line := make([]byte, 10)
	if n, err := in.Read(line); string(line[:n]) != "ls\n" {
		t.Errorf("the next reader gets %q, %v", line[:n], err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, unix.EPIPE }

func TestBrokenOutput(t *testing.T) {
	master, slave := open(t)
	c := start(t, slave, "echo hello; exec sleep 1000")
	in, typist, _ := os.Pipe()
	defer typist.Close()
	if err := Copy(master, int(in.Fd()), brokenWriter{}, nil); !errors.Is(err, unix.EPIPE) {
		t.Errorf("error %v, want EPIPE", err)
	}
	unix.Close(master)
	c.Wait()
	if ws := c.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != unix.SIGHUP {
		t.Errorf("the command did not get the hangup: %v", ws)
	}
}

func TestFollowSize(t *testing.T) {
	_, outer := open(t)
	defer unix.Close(outer)
	master, slave := open(t)
	defer unix.Close(slave)
	resize := func(columns uint16) {
		unix.IoctlSetWinsize(outer, unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: columns})
	}
	columns := func() uint16 {
		size, err := unix.IoctlGetWinsize(slave, unix.TIOCGWINSZ)
		if err != nil {
			t.Fatal(err)
		}
		return size.Col
	}
	resize(70)
	stop := FollowSize(master, outer)
	if columns() != 70 {
		t.Errorf("%d columns, want 70", columns())
	}
	resize(90)
	unix.Kill(os.Getpid(), unix.SIGWINCH)
	within(t, "90 columns", func() bool { return columns() == 90 })
	stop()
	stop()
	resize(50)
	seen := make(chan os.Signal, 1)
	signal.Notify(seen, unix.SIGWINCH)
	defer signal.Stop(seen)
	unix.Kill(os.Getpid(), unix.SIGWINCH)
	<-seen
	if columns() != 90 {
		t.Errorf("followed after stop: %d columns", columns())
	}
}
