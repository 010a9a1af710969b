package publish

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is a socket that never blocks a thread: whoever waits for it is a
// goroutine in Go's poller.
type socket struct {
	file *os.File
	raw  syscall.RawConn
}

func newSocket(family, kind int) (*socket, error) {
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return wrap(fd)
}

// wrap makes a socket of a file descriptor with O_NONBLOCK.
func wrap(fd int) (*socket, error) {
	file := os.NewFile(uintptr(fd), "socket")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &socket{file, raw}, nil
}

// Close closes the socket; whoever waits for it wakes with an error.
func (s *socket) Close() error { return s.file.Close() }

// control calls do with the file descriptor.
func (s *socket) control(do func(fd int) error) error {
	var err error
	if closed := s.raw.Control(func(fd uintptr) { err = do(int(fd)) }); closed != nil {
		return closed
	}
	return err
}

// whenReadable calls try when the socket may have something to read, and again
// until it answers something other than EAGAIN. It returns that answer.
func (s *socket) whenReadable(try func(fd int) error) error {
	return retry(s.raw.Read, try)
}

// whenWritable is the same for writing.
func (s *socket) whenWritable(try func(fd int) error) error {
	return retry(s.raw.Write, try)
}

func retry(wait func(func(uintptr) bool) error, try func(fd int) error) error {
	var err error
	closed := wait(func(fd uintptr) bool {
		for {
			if err = try(int(fd)); err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	switch {
	case closed == nil:
		return err
	case errors.Is(closed, os.ErrDeadlineExceeded):
		return closed
	}
	return os.ErrClosed // what Go's poller says of this has no exported name
}

// rest is how long to wait when the system has run out of something: file
// descriptors, memory. No event says when there is more.
const rest = 100 * time.Millisecond
