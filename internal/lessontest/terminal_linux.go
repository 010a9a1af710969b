package lessontest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo-terminal with a command on it, in a session of its own,
// as a terminal window or tmux starts its shell.
type Terminal struct {
	t       testing.TB
	master  *os.File
	Command *exec.Cmd

	mu     sync.Mutex
	screen string // all that came out
	read   int    // what Expect has read of it
	closed chan struct{}
}

// NewTerminal makes a terminal of that many columns and starts command on it.
// What command already has as stdin, stdout or stderr it keeps. At the end of
// the test the terminal hangs up.
func NewTerminal(t testing.TB, columns int, command *exec.Cmd) *Terminal {
	t.Helper()
	master, slave := openTerminal(t, columns)
	term := &Terminal{t: t, master: master, Command: command, closed: make(chan struct{})}
	if command.Stdin == nil {
		command.Stdin = slave
	}
	if command.Stdout == nil {
		command.Stdout = slave
	}
	if command.Stderr == nil {
		command.Stderr = slave
	}
	command.ExtraFiles = []*os.File{slave}
	if command.SysProcAttr == nil {
		command.SysProcAttr = &unix.SysProcAttr{}
	}
	command.SysProcAttr.Setsid = true
	command.SysProcAttr.Setctty = true
	command.SysProcAttr.Ctty = 3
	if err := command.Start(); err != nil {
		t.Fatalf("%s\n  does not start: %v", shellLine(command), err)
	}
	slave.Close()
	limit := time.AfterFunc(runLimit, func() { command.Process.Kill() })
	go term.listen()
	t.Cleanup(func() {
		if command.ProcessState == nil {
			command.Process.Kill()
			command.Wait()
		}
		limit.Stop()
		master.Close()
		<-term.closed
	})
	return term
}

// openTerminal makes the two ends of a pseudo-terminal, see pty(7).
func openTerminal(t testing.TB, columns int) (master, slave *os.File) {
	t.Helper()
	fail := func(what string, err error) {
		if err != nil {
			t.Fatalf("cannot make a pseudo-terminal: %s: %v", what, err)
		}
	}
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	fail("/dev/ptmx", err)
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	fail("TIOCSPTLCK", unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	fail("TIOCGPTN", err)
	fail("TIOCSWINSZ", unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: uint16(columns)}))
	name := fmt.Sprintf("/dev/pts/%d", number)
	slave, err = os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	fail(name, err)
	return master, slave
}

// listen collects what comes out of the terminal, until nobody holds it.
func (term *Terminal) listen() {
	defer close(term.closed)
	buffer := make([]byte, 4096)
	for {
		n, err := term.master.Read(buffer)
		term.mu.Lock()
		term.screen += string(buffer[:n])
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Screen returns all that came out of the terminal, without carriage returns.
func (term *Terminal) Screen() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return strings.ReplaceAll(term.screen, "\r", "")
}

// Type types text. "\x03" is Ctrl-C.
func (term *Terminal) Type(text string) {
	term.t.Helper()
	if _, err := term.master.WriteString(text); err != nil {
		term.fail("the terminal takes what is typed (%v)", err)
	}
}

// Expect waits until text appears behind what was read before. It reads up to
// the end of text.
func (term *Terminal) Expect(text string) {
	term.t.Helper()
	if !Eventually(Patience, func() bool {
		term.mu.Lock()
		defer term.mu.Unlock()
		i := strings.Index(term.screen[term.read:], text)
		if i >= 0 {
			term.read += i + len(text)
		}
		return i >= 0
	}) {
		term.fail("%q appears", text)
	}
}

// Foreground returns the process group that Ctrl-C reaches, see tty_ioctl(2).
func (term *Terminal) Foreground() int {
	group, err := term.control(func(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.TIOCGPGRP) })
	if err != nil {
		term.fail("the terminal has a foreground process group (%v)", err)
	}
	return group
}

// Modes returns how the terminal is set, see termios(3).
func (term *Terminal) Modes() unix.Termios {
	var modes *unix.Termios
	if _, err := term.control(func(fd int) (_ int, err error) {
		modes, err = unix.IoctlGetTermios(fd, unix.TCGETS)
		return 0, err
	}); err != nil {
		term.fail("the terminal has modes (%v)", err)
	}
	return *modes
}

// Wait waits until the command has ended, and returns its exit status.
func (term *Terminal) Wait() int {
	term.Command.Wait()
	select {
	case <-term.closed:
	case <-time.After(Patience):
		term.fail("nobody holds the terminal after its command has ended")
	}
	return statusOf(term.Command.ProcessState)
}

// SetModes sets the terminal.
func (term *Terminal) SetModes(modes unix.Termios) {
	if _, err := term.control(func(fd int) (int, error) { return 0, unix.IoctlSetTermios(fd, unix.TCSETS, &modes) }); err != nil {
		term.fail("the terminal can be set (%v)", err)
	}
}

func (term *Terminal) control(do func(fd int) (int, error)) (result int, err error) {
	raw, err := term.master.SyscallConn()
	if err != nil {
		return 0, err
	}
	if err2 := raw.Control(func(fd uintptr) { result, err = do(int(fd)) }); err2 != nil {
		return 0, err2
	}
	return result, err
}

// WaitForeground waits until a process with these last arguments is in the
// foreground, and returns it.
func (term *Terminal) WaitForeground(args ...string) process {
	term.t.Helper()
	var p process
	if !Eventually(Patience, func() bool {
		p = findEnding(term.t, term.Command.Process.Pid, args...)
		return p.group == term.Foreground()
	}) {
		term.fail("%s is in the foreground process group (%d)", p, term.Foreground())
	}
	return p
}

func (term *Terminal) fail(format string, args ...any) {
	term.t.Helper()
	term.t.Fatalf("\n  on a terminal: %s\n  expected:      %s\n  seen:          %s", shellLine(term.Command),
		fmt.Sprintf(format, args...), indent(term.Screen()))
}
