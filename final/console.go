//go:build linux

package main

import (
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
func (c *container) openConsole(o *options) error {
	c.console.restore = func() {}
	var err error
	if o.detach {
		if c.log, err = logfile.Create(c.dir.Path); err != nil {
			return err
		}
	}
	switch {
	case c.spec.Process.Terminal:
		c.console.hostEnd, c.console.containerEnd = socketPair()
	case o.detach:
		c.console.containerEnd, c.console.hostEnd = pipe()
	default:
		c.console.containerEnd, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	}
	return os.NewSyscallError("open the console", err)
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
		con.copyTerminal(master, c.log)
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
func (con *console) copyTerminal(master int, log io.Writer) {
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
		terminal.Copy(master, in, out)
		unfollow()
		unix.Close(master)
		close(con.finished)
	}()
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
