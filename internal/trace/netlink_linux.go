package trace

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Message is a message of rtnetlink(7), by which programs make network interfaces,
// addresses and routes, and by which the kernel answers.
type Message struct {
	Type     uint16 // RTM_… or NLMSG_…
	TypeName string
	Flags    uint16 // NLM_F_…
	Sequence uint32 // an answer has that of the request

	// Errno is the answer in an NLMSG_ERROR; 0 says that it is done.
	Errno syscall.Errno

	Index   int    // of the interface that it is about; 0 where only the name is given
	Name    string // of that interface
	Kind    string // of a new interface: bridge, veth
	Up      bool   // the interface is brought up
	Down    bool   // or down
	Master  string // the interface that it becomes a port of
	Peer    string // the other end of a veth
	PID     int    // the process whose network namespace it moves to, or its peer is in
	Address string // an IP address with its prefix's length; a route's destination, or default
	Gateway string // of a route

	Text string // all that, in one line for people
}

// Answers reports whether a message that was received is the last of the kernel's
// answer to the request with the same Sequence.
func (m Message) Answers() bool {
	switch m.Type {
	case unix.NLMSG_ERROR, unix.NLMSG_DONE:
		return true
	}
	return m.Flags&unix.NLM_F_MULTI == 0
}
