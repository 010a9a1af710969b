// Package terminal gives a container a terminal of its own, as final run -t
// and docker run -t do: a pseudo-terminal, see pty(7).
//
// It has two ends. The slave is what the command has for stdin, stdout and
// stderr: a terminal in every respect, with line editing, Ctrl-C and job
// control. The master is where its keys are typed and its screen is read. The
// container's side makes both in the container's own devpts, so that the slave
// has a name in there, keeps the slave, and sends the master to the host's side:
//
//	user's terminal ◀──▶ host's side ◀──master ═ slave──▶ command
//
// The user's terminal is raw meanwhile: it hands on every key as it is, and
// what Ctrl-C means is decided by the terminal inside.
package terminal

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open makes a pseudo-terminal. ptmx is the multiplexer of a devpts,
// /dev/pts/ptmx in a container. The caller closes both ends. See
// TIOCGPTPEER(2const).
func Open(ptmx string) (master, slave int, err error) {
	master, err = unix.Open(ptmx, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("make a terminal: %w", &os.PathError{Op: "open", Path: ptmx, Err: err})
	}
	slave, err = openSlave(master)
	if err != nil {
		unix.Close(master)
		return -1, -1, fmt.Errorf("make a terminal in %s: %w", ptmx, err)
	}
	return master, slave, nil
}

func openSlave(master int) (int, error) {
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return -1, fmt.Errorf("ioctl(TIOCSPTLCK): %w", err)
	}
	// Not by name: whoever could mount another devpts would decide what it is.
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	slave, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, flags)
	if errno != 0 {
		return -1, fmt.Errorf("ioctl(TIOCGPTPEER): %w", errno)
	}
	if mode, err := unix.IoctlGetTermios(int(slave), unix.TCGETS); err == nil {
		mode.Iflag |= unix.IUTF8 // Backspace takes a whole character
		unix.IoctlSetTermios(int(slave), unix.TCSETS, mode)
	}
	return int(slave), nil
}

// Control makes slave the calling process's stdin, stdout, stderr and
// controlling terminal, in a new session: Ctrl-C, Ctrl-Z and the hangup of this
// terminal reach what this process starts. It closes slave.
func Control(slave int) error {
	if session, _ := unix.Getsid(0); session != unix.Getpid() { // who leads one already cannot have another
		if _, err := unix.Setsid(); err != nil {
			return fmt.Errorf("setsid: %w (who leads a process group may not)", err)
		}
	}
	if err := unix.IoctlSetInt(slave, unix.TIOCSCTTY, 0); err != nil {
		return fmt.Errorf("make the terminal this session's, ioctl(%d, TIOCSCTTY, 0): %w", slave, err)
	}
	for fd := range 3 {
		if slave == fd {
			unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0) // no close-on-exec
		} else if err := unix.Dup3(slave, fd, 0); err != nil {
			return fmt.Errorf("dup3(%d, %d, 0): %w", slave, fd, err)
		}
	}
	if slave > 2 {
		unix.Close(slave)
	}
	return nil
}

// SendFile sends an open file to the process at the other end of socket (a
// Unix socket), see SCM_RIGHTS in unix(7). The sender keeps it open too.
func SendFile(socket, fd int) error {
	// One byte goes along: over a stream, no control data travels alone.
	if err := unix.Sendmsg(socket, []byte{0}, unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("send descriptor %d: sendmsg: %w", fd, err)
	}
	return nil
}

// ReceiveFile receives an open file that SendFile sends. It is closed by execve.
func ReceiveFile(socket int) (fd int, err error) {
	data, control := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	n, controlLen, _, err := receive(socket, data, control)
	if err != nil {
		return -1, fmt.Errorf("receive a descriptor: recvmsg: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:controlLen])
	if err == nil && len(messages) == 1 {
		if files, err := unix.ParseUnixRights(&messages[0]); err == nil && len(files) == 1 {
			return files[0], nil
		}
	}
	if n == 0 {
		return -1, fmt.Errorf("receive a descriptor: the other side ended before it sent one")
	}
	return -1, fmt.Errorf("receive a descriptor: the message holds none")
}

func receive(socket int, data, control []byte) (n, controlLen, flags int, err error) {
	for {
		n, controlLen, flags, _, err = unix.Recvmsg(socket, data, control, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			return n, controlLen, flags, err
		}
	}
}
