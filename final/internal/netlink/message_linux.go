package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// align is the boundary, in bytes, at which messages and attributes begin
// (NLMSG_ALIGNTO and NLA_ALIGNTO in linux/netlink.h).
const align = 4

func aligned(n int) int { return (n + align - 1) &^ (align - 1) }

// A message is a header, a fixed part that depends on its type (struct
// ifinfomsg, ifaddrmsg, rtmsg), and a tree of attributes. The kernel speaks in
// the byte order of the machine; only addresses are in the network's.
type message struct {
	bytes []byte
}

// newMessage begins a message of a type (RTM_NEWLINK, …) with the flags of its
// header (NLM_F_REQUEST, …).
func newMessage(kind, flags uint16, fixed []byte) *message {
	m := &message{bytes: make([]byte, unix.SizeofNlMsghdr, 128)}
	binary.NativeEndian.PutUint16(m.bytes[4:], kind)
	binary.NativeEndian.PutUint16(m.bytes[6:], flags)
	m.append(fixed)
	return m
}

// append adds b and fills up to the next boundary.
func (m *message) append(b []byte) {
	m.bytes = append(m.bytes, b...)
	m.bytes = append(m.bytes, make([]byte, aligned(len(m.bytes))-len(m.bytes))...)
}

// attribute adds an attribute: its length, its type, its value.
func (m *message) attribute(kind uint16, value []byte) {
	m.nest(kind, func() { m.bytes = append(m.bytes, value...) })
}

// text adds an attribute that holds s and the zero byte that ends it.
func (m *message) text(kind uint16, s string) {
	m.attribute(kind, append([]byte(s), 0))
}

// number adds an attribute that holds a number of 32 bits.
func (m *message) number(kind uint16, n uint32) {
	m.attribute(kind, binary.NativeEndian.AppendUint32(nil, n))
}

// nest adds an attribute whose value is what fill adds.
func (m *message) nest(kind uint16, fill func()) {
	start := len(m.bytes)
	m.bytes = binary.NativeEndian.AppendUint16(m.bytes, 0) // the length, known afterwards
	m.bytes = binary.NativeEndian.AppendUint16(m.bytes, kind)
	fill()
	// The length does not count the bytes that fill up to the next boundary.
	binary.NativeEndian.PutUint16(m.bytes[start:], uint16(len(m.bytes)-start))
	m.append(nil)
}

// finish writes the length and the sequence number into the header.
func (m *message) finish(sequence uint32) []byte {
	binary.NativeEndian.PutUint32(m.bytes, uint32(len(m.bytes)))
	binary.NativeEndian.PutUint32(m.bytes[8:], sequence)
	return m.bytes
}

// received is a message from the kernel, cut into its parts.
type received struct {
	kind, flags uint16
	sequence    uint32
	body        []byte // what follows the header
}

// errMalformed is answered for bytes that are no netlink messages.
var errMalformed = errors.New("malformed netlink message")

// parseMessages cuts what one recvfrom(2) brought into messages. It believes
// no length that it has not checked.
func parseMessages(b []byte) ([]received, error) {
	var list []received
	for len(b) > 0 {
		if len(b) < unix.SizeofNlMsghdr {
			return nil, fmt.Errorf("%w: %d bytes are too few for a header", errMalformed, len(b))
		}
		length := binary.NativeEndian.Uint32(b)
		if length < unix.SizeofNlMsghdr || uint64(length) > uint64(len(b)) {
			return nil, fmt.Errorf("%w: it says that it has %d bytes, and %d are here", errMalformed, length, len(b))
		}
		list = append(list, received{
			kind:     binary.NativeEndian.Uint16(b[4:]),
			flags:    binary.NativeEndian.Uint16(b[6:]),
			sequence: binary.NativeEndian.Uint32(b[8:]),
			body:     b[unix.SizeofNlMsghdr:length],
		})
		b = b[min(aligned(int(length)), len(b)):]
	}
	return list, nil
}

// attributes are the attributes of one level, by type.
type attributes map[uint16][]byte

// parseAttributes cuts b into attributes. Of several with one type the last counts.
func parseAttributes(b []byte) (attributes, error) {
	found := attributes{}
	for len(b) >= unix.SizeofNlAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofNlAttr || length > len(b) {
			return nil, fmt.Errorf("%w: an attribute says that it has %d bytes, and %d are here", errMalformed, length, len(b))
		}
		kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		found[kind] = b[unix.SizeofNlAttr:length]
		b = b[min(aligned(length), len(b)):]
	}
	return found, nil
}

// text is the value of an attribute up to the zero byte that ends it, "" for none.
func (a attributes) text(kind uint16) string {
	return unix.ByteSliceToString(a[kind])
}

// split parts a message's body into the fixed part of size bytes and its attributes.
func split(body []byte, size int) ([]byte, attributes, error) {
	if len(body) < size {
		return nil, nil, fmt.Errorf("%w: %d bytes are too few for its fixed part", errMalformed, len(body))
	}
	found, err := parseAttributes(body[min(aligned(size), len(body)):])
	return body[:size], found, err
}

// acknowledgment is what the kernel answers to a request: NLMSG_ERROR, with 0
// for success (netlink(7)).
type acknowledgment struct {
	errno unix.Errno
	text  string // what the kernel adds in words, "" for nothing
}

// parseAcknowledgment reads a message of type NLMSG_ERROR: an errno, the
// request's header, the request itself unless NLM_F_CAPPED is set, and
// attributes when NLM_F_ACK_TLVS is set.
func parseAcknowledgment(m received) (acknowledgment, error) {
	const fixed = 4 + unix.SizeofNlMsghdr
	if len(m.body) < fixed {
		return acknowledgment{}, fmt.Errorf("%w: %d bytes are too few for an acknowledgment", errMalformed, len(m.body))
	}
	ack := acknowledgment{errno: unix.Errno(-int32(binary.NativeEndian.Uint32(m.body)))}
	if m.flags&unix.NLM_F_ACK_TLVS == 0 {
		return ack, nil
	}
	rest := uint64(fixed)
	if m.flags&unix.NLM_F_CAPPED == 0 {
		rest = 4 + (uint64(binary.NativeEndian.Uint32(m.body[4:]))+align-1)&^(align-1)
	}
	if rest < fixed || rest > uint64(len(m.body)) {
		return acknowledgment{}, fmt.Errorf("%w: the request it answers to does not fit in", errMalformed)
	}
	found, err := parseAttributes(m.body[rest:])
	ack.text = found.text(unix.NLMSGERR_ATTR_MSG)
	return ack, err
}
