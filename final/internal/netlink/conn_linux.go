// Package netlink makes network interfaces, addresses and routes, by speaking
// rtnetlink(7) to the kernel over a socket: no ip(8) is run.
//
// A container on a bridge needs five messages, each a verb of [Conn], each one
// request that the kernel acknowledges. The host's side makes the veth pair: one
// end on the bridge, the other already inside the container's network namespace.
// The container's side, which opens a Conn of its own there, brings up lo and
// eth0, gives eth0 its address, and sets the default route. The first container
// of all needs the bridge too: [Conn.NewBridge] and [Conn.AddAddress].
//
// A request that the kernel refuses was still sent: the sendto succeeds, and the
// verb returns an [Error].
package netlink

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Conn is a conversation with the kernel about the network namespace that the
// calling process was in when it was opened. Not for use by two goroutines at once.
type Conn struct {
	fd       int
	sequence uint32
}

// Open opens a conversation. It needs no privilege; most verbs need
// CAP_NET_ADMIN in the user namespace that owns the network namespace.
func Open() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE): %w", err)
	}
	// The kernel gives the socket an address. Whoever watches, as strace(1) does,
	// finds out by it that this is rtnetlink.
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind(AF_NETLINK): %w", err)
	}
	// Ask for words beside the errno, without the request repeated before them.
	// Kernels before 4.12 know neither, and are understood all the same.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	return &Conn{fd: fd}, nil
}

// Close ends the conversation.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// Error is a request that the kernel refused.
type Error struct {
	Op    string     // what was asked for: "make bridge"
	Arg   string     // of what: the interface's name, the address
	Errno unix.Errno // why not
	Text  string     // the kernel's own words, "" for none
}

// Error names the operation, its argument, the errno, and the kernel's words.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %s (%s)", e.Op, e.Arg, unix.ErrnoName(e.Errno), e.Errno)
	if e.Text != "" {
		text += ": " + e.Text
	}
	if e.Errno == unix.EPERM {
		text += ": this needs CAP_NET_ADMIN, as root has it: sudo"
	}
	return text
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }

// order is a request, and how it is named in an error: see Error.
type order struct {
	op, arg string
	message *message
}

// acknowledged sends a request and waits for the kernel's acknowledgment.
func (c *Conn) acknowledged(o order) error {
	if err := c.send(o); err != nil {
		return err
	}
	for {
		list, err := c.receive(make([]byte, 4096))
		if err != nil {
			return fmt.Errorf("%s %s: the kernel's answer: %w", o.op, o.arg, err)
		}
		for _, m := range list {
			if m.sequence == c.sequence && m.kind == unix.NLMSG_ERROR {
				return o.refusal(m)
			}
		}
	}
}

// refusal is the error that an acknowledgment holds, nil for success.
func (o order) refusal(m received) error {
	ack, err := parseAcknowledgment(m)
	if err != nil {
		return fmt.Errorf("%s %s: the kernel's answer: %w", o.op, o.arg, err)
	}
	if ack.errno == 0 {
		return nil
	}
	return &Error{Op: o.op, Arg: o.arg, Errno: ack.errno, Text: ack.text}
}

// errInterrupted is answered for a list that changed while the kernel read it out.
var errInterrupted = errors.New("the list changed while it was read")

// listed sends a request for a list, and calls each for every message of it.
// fresh makes the request anew: a list that changed meanwhile is asked for again.
func (c *Conn) listed(fresh func() order, each func(received) error) error {
	const attempts = 10
	var err error
	for range attempts {
		o := fresh()
		var list []received
		if list, err = c.dump(o); err == nil {
			for _, m := range list {
				if err := each(m); err != nil {
					return fmt.Errorf("%s %s: the kernel's answer: %w", o.op, o.arg, err)
				}
			}
			return nil
		}
		if !errors.Is(err, errInterrupted) {
			return err
		}
	}
	return err
}

// dump sends a request with NLM_F_DUMP and gathers the answers up to NLMSG_DONE.
func (c *Conn) dump(o order) ([]received, error) {
	if err := c.send(o); err != nil {
		return nil, err
	}
	var answer []received
	var changed error
	for {
		list, err := c.receive(make([]byte, 32<<10)) // the most that the kernel puts into one piece
		if err != nil {
			return nil, fmt.Errorf("%s %s: the kernel's answer: %w", o.op, o.arg, err)
		}
		for _, m := range list {
			if m.sequence != c.sequence {
				continue
			}
			if m.flags&unix.NLM_F_DUMP_INTR != 0 {
				changed = fmt.Errorf("%s %s: %w: try again", o.op, o.arg, errInterrupted)
			}
			switch m.kind {
			case unix.NLMSG_ERROR:
				return nil, o.refusal(m)
			case unix.NLMSG_DONE:
				return answer, changed
			default:
				answer = append(answer, m)
			}
		}
	}
}

// send sends a request to no address: a socket that is not connected speaks to
// the kernel, which takes the whole message or nothing.
func (c *Conn) send(o order) error {
	c.sequence++
	if err := unix.Sendto(c.fd, o.message.finish(c.sequence), 0, nil); err != nil {
		return fmt.Errorf("%s %s: sendto: %w", o.op, o.arg, err)
	}
	return nil
}

// receive waits for what the kernel says next.
func (c *Conn) receive(buffer []byte) ([]received, error) {
	for {
		n, from, err := unix.Recvfrom(c.fd, buffer, unix.MSG_TRUNC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("recvfrom: %w", err)
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue // another process may write to this socket: only the kernel's port is 0
		}
		if n > len(buffer) {
			return nil, fmt.Errorf("recvfrom: %d bytes came, and %d is the most that was expected", n, len(buffer))
		}
		return parseMessages(buffer[:n])
	}
}
