//go:build linux

package main

import (
	"bytes"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/logfile"
	"gonsrun/final/internal/terminal"
)

// console is what the container's stdin, stdout and stderr are connected to:
// ours, a terminal of its own, or, when detached, the log.
type console struct {
	containerEnd int           // what the container's side gets as consoleFD
	hostEnd      int           // the socket over which a terminal's master comes, or the pipe that ends in the log
	finished     chan struct{} // closed when the last byte has come; nil when nothing is copied
	restore      func()        // our terminal's mode, and what follows it
}

// openConsole makes what connects the two sides. The container's side connects
// its end when it has said all, just before it becomes the command.
func (c *container) openConsole(logs bool) (err error) {
	c.console.restore = func() {}
	if logs {
		if c.log, err = logfile.Create(c.dir.Path); err != nil {
			return err
		}
	}
	switch {
	case c.spec.Process.Terminal:
		c.console.hostEnd, c.console.containerEnd, err = socketPair()
	case logs:
		c.console.containerEnd, c.console.hostEnd, err = pipe()
	default:
		c.console.containerEnd, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		err = os.NewSyscallError("open /dev/null", err)
	}
	return err
}

// startConsole begins to copy, when the command has begun.
func (c *container) startConsole() error {
	con := &c.console
	switch {
	case c.spec.Process.Terminal:
		master, err := terminal.ReceiveFile(con.hostEnd)
		if err != nil {
			return err
		}
		con.copyTerminal(master, c.log, c.explainInterrupt(master))
	case c.state.Detached:
		con.finished = make(chan struct{})
		go func() {
			output := os.NewFile(uintptr(con.hostEnd), "output")
			io.Copy(c.log, output)
			io.Copy(io.Discard, output) // the disk is full: that is no reason for the command to wait
			close(con.finished)
		}()
	}
	return nil
}

// copyTerminal copies between the command's terminal and ours, or to the log.
// When nobody reads what it prints any more, the command's terminal hangs up.
func (con *console) copyTerminal(master int, log io.Writer, typing func(keys []byte)) {
	con.finished = make(chan struct{})
	in, out, unfollow := 0, io.Writer(os.Stdout), func() {}
	if log != nil {
		in, out = -1, log
	} else {
		if restore, err := terminal.Raw(0); err == nil { // else stdin is not a terminal: what comes from there is typed
			con.restore = restore
		}
		unfollow = terminal.FollowSize(master, 1)
	}
	go func() {
		terminal.Copy(master, in, out, typing)
		unfollow()
		unix.Close(master)
		close(con.finished)
	}()
}

// explainInterrupt returns a function that says, when the command does not get
// the Ctrl-C that is typed, how to end it.
func (c *container) explainInterrupt(master int) func(keys []byte) {
	said, pid := false, host.process.Pid
	return func(keys []byte) {
		mode, err := unix.IoctlGetTermios(master, unix.TCGETS)
		if said || err != nil || mode.Lflag&unix.ISIG == 0 || !bytes.Contains(keys, mode.Cc[unix.VINTR:unix.VINTR+1]) || !isDeaf(pid, unix.SIGINT) {
			return
		}
		said = true
		interject("%s To end it, type in another terminal:\n  %s", whyDeaf, typed("kill", c.state.Name))
	}
}

// finishConsole waits until the last byte of output has arrived, and leaves our
// terminal as it was.
func (c *container) finishConsole() {
	if c.console.finished != nil {
		<-c.console.finished
	}
	c.console.restore()
	if c.log != nil {
		c.log.Close()
	}
}

// takeConsole connects stdin, stdout and stderr on the container's side.
func takeConsole(p Process) error {
	switch {
	case p.Terminal:
		master, slave, err := terminal.Open("/dev/pts/ptmx")
		if err != nil {
			return err
		}
		if err := terminal.SendFile(consoleFD, master); err != nil {
			return err
		}
		unix.Close(master)
		return terminal.Control(slave)
	case p.Logged:
		null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		for to, from := range []int{null, consoleFD, consoleFD} {
			if err := unix.Dup3(from, to, 0); err != nil {
				return err
			}
		}
	}
	return nil
}
