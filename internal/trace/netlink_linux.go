package trace

import (
	"encoding/binary"
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

	Index     int    // of the interface that it is about; 0 where only the name is given
	Name      string // of that interface
	NewName   string // that the interface gets
	Kind      string // of a new interface: bridge, veth
	Up, Down  bool   // the interface is brought up, or down
	Master    string // the interface that it becomes a port of
	Peer      string // the other end of a veth
	PID       int    // whose network namespace the interface, or the peer of a veth, goes into
	Namespace string // or which one, as the descriptor is open on it: net:[4026532000]
	Address   string // an IP address with its prefix's length; a route's destination, or default
	Gateway   string // of a route

	Text string // all that in one line, as a command of ip(8)
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

// netlinkMost bounds how many bytes of messages are looked at: the kernel puts 32 KiB
// into one answer at most.
const netlinkMost = 64 << 10

// netlinkHeader is struct nlmsghdr. Its length is what the program says, and can be
// anything.
type netlinkHeader struct {
	length   uint32
	kind     uint16
	flags    uint16
	sequence uint32
	port     uint32
}

const headerLength = 16

// netlinkMessage is a message as it stands in a buffer.
type netlinkMessage struct {
	netlinkHeader
	body []byte // no longer than what is there
}

// splitMessages takes a buffer apart: each message is padded to four bytes. rest is
// what is too short for a header.
func splitMessages(b []byte) (all []netlinkMessage, rest []byte) {
	for len(b) >= headerLength {
		h := netlinkHeader{binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:]),
			binary.NativeEndian.Uint32(b[8:]), binary.NativeEndian.Uint32(b[12:])}
		end := min(uint64(h.length), uint64(len(b)))
		m := netlinkMessage{netlinkHeader: h}
		if end > headerLength {
			m.body = b[headerLength:end]
		}
		all = append(all, m)
		next := (uint64(h.length) + 3) &^ 3
		if h.length < headerLength || next >= uint64(len(b)) {
			return all, nil
		}
		b = b[next:]
	}
	return all, b
}

// netlinkAttribute is struct nlattr with its value, or rtattr(3), which is the same.
type netlinkAttribute struct {
	length uint16
	kind   uint16
	value  []byte
}

const attributeLength = 4

// splitAttributes takes attributes apart, as splitMessages does with messages.
func splitAttributes(b []byte) (all []netlinkAttribute, rest []byte) {
	for len(b) >= attributeLength {
		a := netlinkAttribute{length: binary.NativeEndian.Uint16(b), kind: binary.NativeEndian.Uint16(b[2:])}
		if end := min(int(a.length), len(b)); end > attributeLength {
			a.value = b[attributeLength:end]
		}
		all = append(all, a)
		next := (int(a.length) + 3) &^ 3
		if a.length < attributeLength || next >= len(b) {
			return all, nil
		}
		b = b[next:]
	}
	return all, b
}

// Bits of an attribute's type that are no part of it.
const (
	nested       = 1 << 15 // NLA_F_NESTED
	networkOrder = 1 << 14 // NLA_F_NET_BYTEORDER
	onlyType     = ^uint16(nested | networkOrder)
)

// attributeValues are the values of attributes by their types. Of two of one type the
// kernel takes the last.
func attributeValues(b []byte) map[uint16][]byte {
	values := map[uint16][]byte{}
	all, _ := splitAttributes(b)
	for _, a := range all {
		values[a.kind&onlyType] = a.value
	}
	return values
}
