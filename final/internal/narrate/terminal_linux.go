package narrate

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// terminal is the terminal that the host's side was started on.
//
// An interactive shell in the container wants to be in the foreground, in a
// process group that its PID namespace can name: with ours it could not give
// the terminal back at its end ("Cannot set tty process group"). So the
// container's side makes a process group, and the host's side puts that into
// the foreground and joins it: Ctrl-C reaches both, until the shell gives the
// terminal to a job of its own.
var terminal terminalState

type terminalState struct {
	fd         int
	foreground bool // we were in the foreground when we started
	group      int  // the process group that we were in
	modes      *unix.Termios
	given      bool
}

// remember looks how we found the terminal.
func (t *terminalState) remember() {
	for fd := 0; fd <= 2; fd++ {
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
			return // in a pipe the others of our process group need the terminal too
		}
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	t.fd = fd
	t.group = unix.Getpgrp()
	t.modes, _ = unix.IoctlGetTermios(fd, unix.TCGETS)
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	session, _ := unix.Getsid(0)
	t.foreground = err == nil && group == t.group && session != unix.Getpid() && !config.OwnTerminal
}

// give puts the process group of pid into the foreground, and joins it.
func (t *terminalState) give(pid int) {
	if t.foreground && unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, pid) == nil {
		t.given = true
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
	unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, unix.Getpgrp())
	signal.Reset(unix.SIGTTOU)
}

// stop is what Ctrl-Z does: all of the process group that we came from stops,
// as the shell above us expects, and goes on when that shell says fg.
func (t *terminalState) stop(pid int) {
	wasGiven := t.given
	t.takeBack()
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	if wasGiven {
		unix.Kill(0, unix.SIGSTOP)
	} else {
		unix.Kill(unix.Getpid(), unix.SIGSTOP) // the others were told by the terminal
	}
	<-continued // this thread may run on for a moment before the stop reaches it
	signal.Stop(continued)
	if wasGiven {
		t.give(pid)
		unix.Kill(-pid, unix.SIGCONT)
	}
}

// restore leaves the terminal as we found it.
func (t *terminalState) restore() {
	t.takeBack()
	if t.modes != nil {
		unix.IoctlSetTermios(t.fd, unix.TCSETSW, t.modes)
	}
}
