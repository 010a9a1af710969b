package trace

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// socketReaders are for what goes over sockets. Of messages of rtnetlink(7) it is
// read what they say.
func socketReaders() map[string]reader {
	return map[string]reader{
		"sendto":   (*Call).readSendto,
		"recvfrom": (*Call).readRecvfrom,
		"sendmsg":  (*Call).readSendmsg,
		"recvmsg":  (*Call).readRecvmsg,
	}
}

func (c *Call) readSendto(v [6]uint64) []string {
	s := c.socket(v[0])
	if s.protocol == unix.NETLINK_ROUTE {
		c.Messages, _ = c.messages(s, c.some(v[1], v[2]))
	}
	return []string{s.text, c.packet(s, v[1], v[2]), strconv.FormatUint(v[2], 10), flags(half(v[3]), packetFlags), c.peer(v[4], v[5]), signed(v[5])}
}

// some reads what is looked at for messages, nothing where that cannot be read.
func (c *Call) some(address, length uint64) []byte {
	data, _ := c.memory().Bytes(address, min(length, netlinkMost))
	return data
}

// packet prints what goes over a socket.
func (c *Call) packet(s *socket, address, length uint64) string {
	if s.protocol == notNetlink {
		return c.bytes(address, length)
	}
	data, err := c.memory().Bytes(address, min(length, netlinkMost))
	switch {
	case address == 0:
		return "NULL"
	case err != nil || s.protocol != unix.NETLINK_ROUTE && len(data) > 0:
		return left
	}
	_, text := c.messages(s, data)
	if length > netlinkMost {
		text += left
	}
	return text
}

// readRecvfrom prints what is known before the answer.
func (c *Call) readRecvfrom(v [6]uint64) []string {
	c.receives = c.socket(v[0])
	c.receives.room, _ = c.number(v[5])
	return []string{c.receives.text, nullOr(v[1], left), strconv.FormatUint(v[2], 10), flags(half(v[3]), packetFlags), nullOr(v[4], left), nullOr(v[5], left)}
}

// answerRecvfrom prints what has come, and from where.
func (c *Call) answerRecvfrom() {
	v, room := c.Values, c.receives.room
	if c.Errno() == 0 {
		length := min(uint64(c.Result), v[2])
		c.Arguments[1] = c.packet(c.receives, v[1], length)
		c.received(c.some(v[1], length), v[3])
	}
	size, err := c.number(v[5])
	switch {
	case v[4] == 0 || err != nil:
	case c.Errno() != 0:
		c.Arguments[5] = fmt.Sprintf("[%d]", room)
	default:
		c.Arguments[4] = c.peer(v[4], uint64(min(room, size)))
		if c.Arguments[5] = fmt.Sprintf("[%d]", size); size != room {
			c.Arguments[5] = fmt.Sprintf("[%d => %d]", room, size)
		}
	}
}

// received reads the messages that have come. Who only looks at them, with MSG_PEEK,
// gets them once more.
func (c *Call) received(data []byte, bits uint64) {
	if c.receives.protocol == unix.NETLINK_ROUTE && bits&unix.MSG_PEEK == 0 {
		c.Messages, _ = c.messages(c.receives, data)
	}
}

// number reads an int.
func (c *Call) number(address uint64) (int, error) {
	word, err := c.memory().Bytes(address, 4)
	if err != nil {
		return 0, err
	}
	return int(int32(binary.NativeEndian.Uint32(word))), nil
}

// peer prints an address of a socket; that of netlink(7) as a whole.
func (c *Call) peer(address, length uint64) string {
	text, _ := c.peerOf(address, length)
	return text
}

// peerOf also returns the family, 0 for none.
func (c *Call) peerOf(address, length uint64) (text string, family uint16) {
	const longest, netlinkLength = 128, 12
	if int32(length) < 2 {
		return nullOr(address, left), 0
	}
	b, err := c.memory().Bytes(address, min(half(length), longest))
	if err != nil {
		return nullOr(address, left), 0
	}
	family = binary.NativeEndian.Uint16(b)
	name := familyNames.choice(uint64(family))
	switch {
	case family == unix.AF_NETLINK && len(b) >= netlinkLength:
		return fmt.Sprintf("{sa_family=AF_NETLINK, nl_pid=%d, nl_groups=%08x}", int32(binary.NativeEndian.Uint32(b[4:])), binary.NativeEndian.Uint32(b[8:])), family
	case len(b) == 2:
		return "{sa_family=" + name + "}", family
	}
	return "{sa_family=" + name + ", …}", family
}

// packetHeader is struct msghdr.
type packetHeader struct {
	name     uint64
	room     int
	parts    uint64
	count    uint64
	control  uint64
	controls uint64
	flags    uint32
}

func (c *Call) packetHeader(address uint64) (h packetHeader, err error) {
	const length = 56
	b, err := c.memory().Bytes(address, length)
	if err != nil {
		return h, err
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
	return packetHeader{word(0), int(int32(word(1))), word(2), word(3), word(4), word(5), uint32(word(6))}, nil
}

func (c *Call) readSendmsg(v [6]uint64) []string {
	s := c.socket(v[0])
	text := nullOr(v[1], left)
	if h, err := c.packetHeader(v[1]); err == nil {
		text = c.headerText(s, h, h.room, unlimited)
		if s.protocol == unix.NETLINK_ROUTE {
			c.Messages, _ = c.messages(s, c.whole(h, unlimited))
		}
	}
	return []string{s.text, text, flags(half(v[2]), packetFlags)}
}

func (c *Call) readRecvmsg(v [6]uint64) []string {
	c.receives = c.socket(v[0])
	if h, err := c.packetHeader(v[1]); err == nil {
		c.receives.room = h.room
	}
	return []string{c.receives.text, nullOr(v[1], left), flags(half(v[2]), packetFlags)}
}

// answerRecvmsg prints what has come.
func (c *Call) answerRecvmsg() {
	h, err := c.packetHeader(c.Values[1])
	switch {
	case err != nil:
	case c.Errno() != 0:
		c.Arguments[1] = fmt.Sprintf("{msg_namelen=%d}", c.receives.room)
	default:
		c.Arguments[1] = c.headerText(c.receives, h, c.receives.room, uint64(c.Result))
		c.received(c.whole(h, uint64(c.Result)), c.Values[2])
	}
}

const unlimited = ^uint64(0)

// headerText prints a header, and as much of the parts as there is. Like strace it looks
// at the address for what the parts are.
func (c *Call) headerText(s *socket, h packetHeader, room int, length uint64) string {
	name, family := c.peerOf(h.name, uint64(min(room, h.room)))
	text := "{msg_name=" + name + ", msg_namelen="
	if room != h.room {
		text += strconv.Itoa(room) + " => "
	}
	plain := *s
	if family != unix.AF_NETLINK {
		plain.protocol = notNetlink
	}
	text += fmt.Sprintf("%d, msg_iov=%s, msg_iovlen=%d", h.room, c.partsText(&plain, h, length), h.count)
	if h.controls != 0 {
		text += ", msg_control=" + nullOr(h.control, left)
	}
	return text + fmt.Sprintf(", msg_controllen=%d, msg_flags=%s}", h.controls, flags(uint64(h.flags), packetFlags))
}

// part is struct iovec.
type part struct{ address, length uint64 }

const mostParts = 64

// parts reads where the parts of a packet are. The kernel takes more of them.
func (c *Call) parts(h packetHeader) (all []part, err error) {
	b, err := c.memory().Bytes(h.parts, 16*min(h.count, mostParts))
	for ; len(b) >= 16; b = b[16:] {
		all = append(all, part{binary.NativeEndian.Uint64(b), binary.NativeEndian.Uint64(b[8:])})
	}
	return all, err
}

func (c *Call) partsText(s *socket, h packetHeader, length uint64) string {
	all, err := c.parts(h)
	if h.parts == 0 || err != nil {
		return nullOr(h.parts, left)
	}
	var texts []string
	for _, p := range all {
		n := min(p.length, length)
		if length != unlimited {
			length -= n
		}
		texts = append(texts, fmt.Sprintf("{iov_base=%s, iov_len=%d}", c.packet(s, p.address, n), p.length))
	}
	if h.count > mostParts {
		texts = append(texts, left)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// whole reads the parts of a packet as one.
func (c *Call) whole(h packetHeader, length uint64) (data []byte) {
	all, _ := c.parts(h)
	for _, p := range all {
		n := min(p.length, length-uint64(len(data)), netlinkMost-uint64(len(data)))
		data = append(data, c.some(p.address, n)...)
	}
	return data
}

var packetFlags = []flag{
	{unix.MSG_OOB, "MSG_OOB"},
	{unix.MSG_PEEK, "MSG_PEEK"},
	{unix.MSG_DONTROUTE, "MSG_DONTROUTE"},
	{unix.MSG_CTRUNC, "MSG_CTRUNC"},
	{unix.MSG_PROXY, "MSG_PROBE"},
	{unix.MSG_TRUNC, "MSG_TRUNC"},
	{unix.MSG_DONTWAIT, "MSG_DONTWAIT"},
	{unix.MSG_EOR, "MSG_EOR"},
	{unix.MSG_WAITALL, "MSG_WAITALL"},
	{unix.MSG_FIN, "MSG_FIN"},
	{unix.MSG_SYN, "MSG_SYN"},
	{unix.MSG_CONFIRM, "MSG_CONFIRM"},
	{unix.MSG_RST, "MSG_RST"},
	{unix.MSG_ERRQUEUE, "MSG_ERRQUEUE"},
	{unix.MSG_NOSIGNAL, "MSG_NOSIGNAL"},
	{unix.MSG_MORE, "MSG_MORE"},
	{unix.MSG_WAITFORONE, "MSG_WAITFORONE"},
	{0x20000, "MSG_SENDPAGE_NOTLAST"},
	{unix.MSG_BATCH, "MSG_BATCH"},
	{0x80000, "MSG_NO_SHARED_FRAGS"},
	{unix.MSG_ZEROCOPY, "MSG_ZEROCOPY"},
	{unix.MSG_FASTOPEN, "MSG_FASTOPEN"},
	{unix.MSG_CMSG_CLOEXEC, "MSG_CMSG_CLOEXEC"},
	{0x80000000, "MSG_CMSG_COMPAT"},
}
