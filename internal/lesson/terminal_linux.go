package lesson

import (
	"os"
	"os/signal"
	"strconv"
	"syscall"

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
	ours  bool // all standard descriptors are our terminal, and we can move to another group
	given bool // the container's process group is in the foreground, and we are in it
	group int  // the process group that we were in
	modes *unix.Termios
}

// remember looks how we found the terminal. Where one of the standard
// descriptors is another file we are in a pipe, whose other processes need the
// terminal, too.
func (t *terminalState) remember() {
	t.group = unix.Getpgrp()
	for fd := range 3 {
		if _, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil {
			return
		}
	}
	if inForeground() {
		t.modes, _ = unix.IoctlGetTermios(0, unix.TCGETS)
	}
	session, _ := unix.Getsid(0)
	t.ours = session != unix.Getpid() // who leads a session stays in its group
}

// prepare lets the container's first process have a group of its own before it
// runs anything, and the terminal if it is ours now. In the background it needs
// that only where its PID namespace cannot name our group: a shell in there would
// take the terminal from those who have it.
func (t *terminalState) prepare(attributes *syscall.SysProcAttr) {
	if !t.ours {
		return
	}
	t.given = inForeground()
	attributes.Setpgid = t.given || attributes.Cloneflags&unix.CLONE_NEWPID != 0
	attributes.Foreground = t.given
	attributes.Ctty = 0 // stdin
}

// inForeground reports whether our process group is the one in the foreground of
// the terminal.
func inForeground() bool {
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
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
	signal.Reset(unix.SIGTTOU, unix.SIGTTIN)
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

// give gives the terminal to the container, if we have got it by fg, and lets
// the container go on.
func (t *terminalState) give(pid int) {
	if group, err := unix.Getpgid(pid); !t.ours || t.given || !inForeground() || err != nil || group == t.group {
		return
	}
	// A shell that waits for the terminal stops its process group again and again,
	// and we are about to join that.
	signal.Notify(make(chan os.Signal, 1), unix.SIGTTIN)
	t.given = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, pid) == nil
	t.join(pid)
	unix.Kill(-pid, unix.SIGCONT)
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
	if t.modes != nil && inForeground() {
		unix.IoctlSetTermios(0, unix.TCSETSW, t.modes)
	}
}
