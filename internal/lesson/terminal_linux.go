package lesson

import (
	"os/signal"
	"strconv"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// terminal is the terminal that the host's side was started on.
//
// An interactive shell in the container wants to be in the foreground, in a
// process group that its PID namespace can name: with ours it could not give
// the terminal back at its end ("Cannot set tty process group"). So the
// container's first process leads a group of its own, in the foreground, and
// the host's side joins it: Ctrl-C reaches both, until the shell gives the
// terminal to a job of its own.
var terminal terminalState

type terminalState struct {
	foreground bool // we were in the foreground when we started, and can move
	given      bool // now the container's process group is
	group      int  // the process group that we were in
	modes      *unix.Termios
}

// remember looks how we found the terminal. Where one of the standard
// descriptors is another file we are in a pipe, whose other processes need the
// terminal, too.
func (t *terminalState) remember() {
	t.group = unix.Getpgrp()
	for fd := range 3 {
		if !inForeground(fd) {
			return
		}
	}
	t.modes, _ = unix.IoctlGetTermios(0, unix.TCGETS)
	session, _ := unix.Getsid(0)
	t.foreground = session != unix.Getpid() // who leads a session stays in its group
}

// inForeground reports whether fd is our controlling terminal, and our process
// group the one in its foreground.
func inForeground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// join moves us to the process group of pid, which has got the terminal.
func (t *terminalState) join(pid int) {
	if t.given {
		unix.Setpgid(0, pid)
	}
}

// takeBack goes back to the process group that we came from, in the foreground.
func (t *terminalState) takeBack() {
	if !t.given {
		return
	}
	t.given = false
	if unix.Setpgid(0, t.group) != nil {
		unix.Setpgid(0, 0) // we were the last of that group: make it again
	}
	signal.Ignore(unix.SIGTTOU) // we may be in the background just now
	unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, unix.Getpgrp())
	signal.Reset(unix.SIGTTOU)
}

// stop is what Ctrl-Z does: all of the process group that we came from stops, as
// the shell above us expects, and goes on when that shell says fg or bg.
func (t *terminalState) stop() {
	if t.orphaned() {
		return // as the kernel does for Ctrl-Z: nobody could say fg
	}
	if !t.given {
		unix.Kill(unix.Getpid(), unix.SIGSTOP) // the others were told by the terminal
		return
	}
	t.takeBack()
	unix.Kill(0, unix.SIGSTOP)
}

// goOn is what SIGCONT does: in the foreground the container gets the terminal
// again.
func (t *terminalState) goOn(pid int) {
	if t.foreground && !t.given && inForeground(0) {
		t.given = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, pid) == nil
		t.join(pid)
		unix.Kill(-pid, unix.SIGCONT)
	}
}

// orphaned reports whether nobody outside of the process group that we came from
// is there to continue it: no parent in another group of this session.
func (t *terminalState) orphaned() bool {
	session, _ := unix.Getsid(0)
	for pid := unix.Getppid(); pid > 0; pid, _ = strconv.Atoi(proc.StatusField(strconv.Itoa(pid), "PPid")) {
		if group, err := unix.Getpgid(pid); err != nil || group != t.group {
			theirs, err := unix.Getsid(pid)
			return err != nil || theirs != session
		}
	}
	return true
}

// restore leaves the terminal as we found it.
func (t *terminalState) restore() {
	t.takeBack()
	if t.modes != nil && inForeground(0) {
		unix.IoctlSetTermios(0, unix.TCSETSW, t.modes)
	}
}
