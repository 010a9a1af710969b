package trace

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// socket is the socket that a call sends to or receives from.
type socket struct {
	fd       uint64
	text     string // as it is printed
	protocol int    // NETLINK_…; notNetlink for another socket, or one that cannot be looked at
	room     int    // for the other end's address, before the call fills it
}

const notNetlink = -1

// socket finds out what a descriptor of the program is. The kernel says what protocol a
// socket speaks only to who has it, so we look at a copy.
func (c *Call) socket(value uint64) *socket {
	s := &socket{fd: value, text: c.descriptor(value), protocol: notNetlink}
	if proc.IsOurs() && !strings.HasPrefix(s.text, signed(value)+"<socket:[") {
		return s
	}
	fd, err := c.copyDescriptor(value)
	if err != nil {
		return s
	}
	defer unix.Close(fd)
	if domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || domain != unix.AF_NETLINK {
		return s
	}
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return s
	}
	s.protocol = protocol
	address, err := unix.Getsockname(fd)
	if port, ok := address.(*unix.SockaddrNetlink); ok && err == nil && port.Pid != 0 {
		s.text = fmt.Sprintf("%s<NETLINK:[%s:%d]>", signed(value), netlinkProtocols.choice(uint64(protocol)), port.Pid)
	}
	return s
}

// messages reads the messages of rtnetlink(7) in what goes over a socket, and prints
// them. Names of interfaces are asked for in the socket's own network namespace.
func (c *Call) messages(s *socket, data []byte) (list []Message, text string) {
	fd, err := c.copyDescriptor(s.fd)
	if err == nil {
		defer unix.Close(fd)
	}
	p := &netlinkPrinter{descriptor: c.descriptor, nameOf: func(index uint32) string {
		if err != nil || index == 0 {
			return ""
		}
		return interfaceOf(fd, index)
	}}
	return p.readMessages(data), p.messages(data)
}

// interfaceOf is the name of an interface in a socket's network namespace, see
// netdevice(7).
func interfaceOf(fd int, index uint32) string {
	request, err := unix.NewIfreq("-") // the kernel writes the name there
	if err != nil {
		return ""
	}
	request.SetUint32(index)
	if unix.IoctlIfreq(fd, unix.SIOCGIFNAME, request) != nil {
		return ""
	}
	return request.Name()
}

// copyDescriptor gets a copy of the program's descriptor. It needs Linux 5.6. Threads
// have their descriptors in common, but need not; before Linux 6.9 only those of the
// first one can be had.
func (c *Call) copyDescriptor(value uint64) (int, error) {
	const ofThread = unix.O_EXCL // PIDFD_THREAD
	process, err := unix.PidfdOpen(c.thread.ID, ofThread)
	if err != nil {
		process, err = unix.PidfdOpen(c.thread.Process.ID, 0)
	}
	if err != nil {
		return 0, err
	}
	defer unix.Close(process)
	return unix.PidfdGetfd(process, int(int32(value)), 0)
}
