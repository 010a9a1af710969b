package terminal

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// Raw switches the terminal fd to raw mode, see cfmakeraw in termios(3), and
// back there after it was stopped and continued (SIGCONT): a shell changes the
// mode in between. restore brings back the mode that it had. It may be called
// more than once, and must be called however this process ends: defer it.
func Raw(fd int) (restore func(), err error) {
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("switch the terminal to raw mode, ioctl(%d, TCGETS): %w", fd, err)
	}
	raw := makeRaw(*before)
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("switch the terminal to raw mode, ioctl(%d, TCSETS): %w", fd, err)
	}
	stop := onSignal(unix.SIGCONT, func() { set(fd, &raw) })
	return sync.OnceFunc(func() {
		stop()
		set(fd, before)
	}), nil
}

// set sets a mode, unless the terminal is another job's now: then it is that
// one's, and the kernel would stop us for it (SIGTTOU).
func set(fd int, mode *unix.Termios) {
	foreground, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err == nil && foreground != unix.Getpgrp() {
		return
	}
	unix.IoctlSetTermios(fd, unix.TCSETS, mode)
}

func makeRaw(mode unix.Termios) unix.Termios {
	mode.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	mode.Oflag &^= unix.OPOST
	mode.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	mode.Cflag = mode.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	return mode
}

// FollowSize gives master the size of the terminal fd, now and whenever that
// changes (SIGWINCH), until stop is called. The kernel tells the command.
func FollowSize(master, fd int) (stop func()) {
	resize := func() {
		if size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil {
			unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, size)
		}
	}
	stop = onSignal(unix.SIGWINCH, resize)
	resize()
	return stop
}

// onSignal calls do at each signal, until stop is called. After that do does
// not run any more.
func onSignal(sig os.Signal, do func()) (stop func()) {
	signals := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(signals, sig)
	go func() {
		defer close(done)
		for range signals {
			do()
		}
	}()
	return sync.OnceFunc(func() {
		signal.Stop(signals)
		close(signals)
		<-done
	})
}

// bufferSize is what is copied at once: a terminal has no more at a time.
const bufferSize = 4096 // bytes

// Copy copies from in to master, and from master to out, until no process has
// the slave open any more: then it returns nil. Where in is -1 there is nothing
// to type. The end of in is typed as Ctrl-D (or what is set for it). An error is
// one of writing to out, and no reason for the command to end: closing master
// is one, a hangup. What was not read from in by then stays there for others.
// typing is told what is about to be typed; nil tells nobody.
func Copy(master, in int, out io.Writer, typing func(keys []byte)) error {
	// A command that does not read must not keep us from seeing its end.
	if err := unix.SetNonblock(master, true); err != nil {
		return fmt.Errorf("set descriptor %d to O_NONBLOCK: %w", master, err)
	}
	if in < 0 {
		return show(out, master)
	}
	ended, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	defer unix.Close(ended)
	k := keyboard{in: in, master: master, ended: ended, typing: typing}
	typed := make(chan struct{})
	go func() {
		defer close(typed)
		k.typeAll()
	}()
	err = show(out, master)
	unix.Write(ended, []byte{1, 0, 0, 0, 1, 0, 0, 0}) // any number, in any byte order
	<-typed
	return err
}

// show copies from master to out.
func show(out io.Writer, master int) error {
	buffer := make([]byte, bufferSize)
	for {
		n, err := unix.Read(master, buffer)
		switch {
		case err == unix.EAGAIN:
			unix.Poll([]unix.PollFd{{Fd: int32(master), Events: unix.POLLIN}}, -1)
		case err == unix.EINTR:
		case n <= 0: // EIO: no slave is open
			return nil
		default:
			if _, err := out.Write(buffer[:n]); err != nil {
				return err
			}
		}
	}
}

// keyboard copies from in to master until the descriptor ended is readable.
type keyboard struct {
	in, master, ended int
	typing            func(keys []byte)
}

func (k keyboard) typeAll() {
	buffer := make([]byte, bufferSize)
	atLineStart := true
	for k.await(k.in, unix.POLLIN) {
		n, err := unix.Read(k.in, buffer)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case n <= 0:
			k.typeEnd(atLineStart)
			return
		default:
			if k.typing != nil {
				k.typing(buffer[:n])
			}
			k.write(buffer[:n])
			atLineStart = buffer[n-1] == '\n'
		}
	}
}

// await waits for an event on fd, and reports false when all has ended.
func (k keyboard) await(fd int, event int16) bool {
	for {
		events := []unix.PollFd{{Fd: int32(k.ended), Events: unix.POLLIN}, {Fd: int32(fd), Events: event}}
		if _, err := unix.Poll(events, -1); err != unix.EINTR {
			return events[0].Revents == 0
		}
	}
}

// write types data. What the command's end leaves untyped is lost.
func (k keyboard) write(data []byte) {
	for len(data) > 0 && k.await(k.master, unix.POLLOUT) {
		n, err := unix.Write(k.master, data)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err != nil:
			return
		default:
			data = data[n:]
		}
	}
}

// typeEnd types the character for the end of file, where the command has lines
// read for it. In the middle of a line the first one only ends the line.
func (k keyboard) typeEnd(atLineStart bool) {
	mode, err := unix.IoctlGetTermios(k.master, unix.TCGETS)
	if err != nil || mode.Lflag&unix.ICANON == 0 {
		return
	}
	end := []byte{mode.Cc[unix.VEOF]}
	if !atLineStart {
		end = append(end, end...)
	}
	k.write(end)
}
