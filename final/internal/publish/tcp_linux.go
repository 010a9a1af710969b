package publish

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// serveTCP accepts connections until the listener is closed.
func serveTCP(listener *socket, to unix.SockaddrInet4) {
	for {
		client, err := listener.accept()
		switch {
		case err == nil:
			go relay(client, to)
		case errors.Is(err, os.ErrClosed):
			return
		case errors.Is(err, unix.ECONNABORTED): // the client was gone before we came
		default:
			time.Sleep(rest)
		}
	}
}

func (s *socket) accept() (*socket, error) {
	var accepted int
	err := s.whenReadable(func(fd int) (err error) {
		accepted, _, err = unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		return err
	})
	if err != nil {
		return nil, err
	}
	return wrap(accepted)
}

// relay connects to the container for a client, and passes on what both say
// until both have ended. When either fails both are reset, so that no end takes
// half a message for a whole one.
func relay(client *socket, to unix.SockaddrInet4) {
	defer client.Close()
	server, err := connect(to)
	if err != nil {
		client.reset()
		return
	}
	defer server.Close()
	_, _ = client.control(keepAlive), server.control(keepAlive)

	var both sync.WaitGroup
	pass := func(from, to *socket) {
		defer both.Done()
		if err := move(from, to); err != nil {
			client.reset()
			server.reset()
		}
	}
	both.Add(2)
	go pass(client, server)
	pass(server, client)
	both.Wait()
}

// connect connects to an address, and waits until that is done.
//
// The address is a value: the call writes into it, and many are under way.
func connect(to unix.SockaddrInet4) (*socket, error) {
	s, err := newSocket(unix.AF_INET, unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	err = s.control(func(fd int) error { return unix.Connect(fd, &to) })
	if err == unix.EINPROGRESS || err == unix.EINTR {
		err = s.whenWritable(connected)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connected is how a connection attempt ended; EAGAIN while it has not.
func connected(fd int) error {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
	if err != nil {
		return err
	}
	if n == 0 {
		return unix.EAGAIN
	}
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	return err
}

// keepAlive lets the kernel ask an end that is silent whether it still lives.
func keepAlive(fd int) error {
	const seconds = 60
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds))
}

// reset closes a connection so that its other end learns that it failed.
func (s *socket) reset() {
	_ = s.control(func(fd int) error {
		return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 0})
	})
	s.Close()
}

// move passes on what comes from one socket to the other, and then that it has
// ended: the other direction may go on. The bytes go through a pipe, which
// splice(2) needs between two sockets, and never leave the kernel.
func move(from, to *socket) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])

	const most = 64 << 10 // bytes, what a pipe holds
	var inPipe, moved int64
	read := func(fd int) (err error) {
		inPipe, err = unix.Splice(fd, nil, pipe[1], nil, most, unix.SPLICE_F_NONBLOCK)
		return err
	}
	write := func(fd int) (err error) {
		moved, err = unix.Splice(pipe[0], nil, fd, nil, int(inPipe), unix.SPLICE_F_NONBLOCK)
		return err
	}
	for {
		if err := from.whenReadable(read); err != nil {
			return err
		}
		if inPipe == 0 {
			return to.control(func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
		}
		for ; inPipe > 0; inPipe -= moved {
			if err := to.whenWritable(write); err != nil {
				return err
			}
		}
	}
}
