package trace

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// netlinkPrinter prints messages of rtnetlink(7) as strace does. It asks for the
// names of interfaces, and for what file descriptors are open on, where the program
// is that sends the messages.
type netlinkPrinter struct {
	nameOf     func(index uint32) string // "" for an interface that is not there
	descriptor func(fd uint64) string
	family     uint8 // of the message that is printed now
}

// messages prints a buffer of messages.
func (p *netlinkPrinter) messages(b []byte) string {
	all, rest := splitMessages(b)
	var texts []string
	for _, m := range all {
		texts = append(texts, p.message(m))
	}
	if len(rest) > 0 || len(all) == 0 {
		texts = append(texts, quoteHex(rest))
	}
	return inBrackets(texts)
}

func (p *netlinkPrinter) message(m netlinkMessage) string {
	header := fmt.Sprintf("{nlmsg_len=%d, nlmsg_type=%s, nlmsg_flags=%s, nlmsg_seq=%d, nlmsg_pid=%d}",
		m.length, messageType(m.kind), messageFlagsText(m.flags, m.kind), m.sequence, int32(m.port))
	if len(m.body) == 0 {
		return header
	}
	return "[" + header + ", " + p.body(m) + "]"
}

func messageType(kind uint16) string {
	if kind < unix.NLMSG_MIN_TYPE {
		return choice(uint64(kind), controlTypes)
	}
	return choice(uint64(kind), routeMessages)
}

// messageFlagsText prints the flags, of which the upper ones depend on what is asked
// for: the lower two bits of a type say that.
func messageFlagsText(value, kind uint16) string {
	known := messageFlags
	switch {
	case kind == unix.NLMSG_ERROR:
		known = append(known[:len(known):len(known)], ackFlags...)
	case kind < unix.NLMSG_MIN_TYPE:
	case kind&3 == 2, kind == unix.RTM_DELACTION:
		known = append(known[:len(known):len(known)], getFlags...)
	case kind&3 == 0:
		known = append(known[:len(known):len(known)], newFlags...)
	case kind&3 == 1:
		known = append(known[:len(known):len(known)], deleteFlags...)
	}
	return flags(uint64(value), known)
}

// body prints what follows a header.
func (p *netlinkPrinter) body(m netlinkMessage) string {
	switch {
	case m.kind == unix.NLMSG_ERROR:
		return p.answer(m)
	case m.kind == unix.NLMSG_DONE && len(m.body) == 4:
		return strconv.Itoa(int(int32(binary.NativeEndian.Uint32(m.body))))
	case m.kind < unix.NLMSG_MIN_TYPE:
		return quoteHex(m.body)
	}
	p.family = m.body[0]
	form, known := formOf(m.kind)
	if !known {
		return left
	}
	if len(m.body) < form.length {
		return "{" + form.prefix + "family=" + familyNames.choice(uint64(p.family)) + ", …}"
	}
	text := "{" + form.prefix + "family=" + familyNames.choice(uint64(p.family)) + ", " + form.fixed(p, m.body) + "}"
	if len(m.body) > form.length {
		text += ", " + p.attributes(m.body[form.length:], form.attributes)
	}
	return text
}

// answer prints an NLMSG_ERROR: the error, the header of the request, the kernel's own
// words.
func (p *netlinkPrinter) answer(m netlinkMessage) string {
	const errorLength = 4
	if len(m.body) < errorLength+headerLength {
		return quoteHex(m.body)
	}
	request := m.body[errorLength:]
	length := max(headerLength, uint64(binary.NativeEndian.Uint32(request)))
	if m.flags&unix.NLM_F_CAPPED != 0 {
		length = headerLength
	}
	length = min(length, uint64(len(request)))
	asked, _ := splitMessages(request[:length])
	if asked[0].kind == unix.NLMSG_ERROR {
		return left // no request is an answer
	}
	text := "{error=" + errorText(m.body) + ", msg=" + p.message(asked[0]) + "}"
	if rest := request[length:]; len(rest) > 0 {
		text = "[" + text + ", " + p.attributes(rest, errorAttributes) + "]"
	}
	return text
}

func errorText(body []byte) string {
	number := int32(binary.NativeEndian.Uint32(body))
	if name := ErrnoName(syscall.Errno(-number)); name != "" && number < 0 {
		return "-" + name
	}
	return strconv.Itoa(int(number))
}

// attributeTable says how attributes are called, and how the values of some are
// printed: "" for one that is not as it should be. The other values are left out.
type attributeTable struct {
	names  numbered
	values values
}

func (p *netlinkPrinter) attributes(b []byte, table attributeTable) string {
	all, rest := splitAttributes(b)
	var texts []string
	for _, a := range all {
		texts = append(texts, p.attribute(a, table))
	}
	if len(rest) > 0 || len(all) == 0 {
		texts = append(texts, quoteHex(rest))
	}
	return inBrackets(texts)
}

func (p *netlinkPrinter) attribute(a netlinkAttribute, table attributeTable) string {
	number := int(a.kind & onlyType)
	kind := table.names.choice(uint64(number))
	if a.kind&networkOrder != 0 {
		kind = "NLA_F_NET_BYTEORDER|" + kind
	}
	if a.kind&nested != 0 {
		kind = "NLA_F_NESTED|" + kind
	}
	header := fmt.Sprintf("{nla_len=%d, nla_type=%s}", a.length, kind)
	if len(a.value) == 0 {
		return header
	}
	value := left
	if number < len(table.values) && table.values[number] != nil {
		if value = table.values[number](p, a.value); value == "" {
			value = quoteHex(a.value)
		}
	}
	return "[" + header + ", " + value + "]"
}

// inBrackets prints one as it is, and several as a list.
func inBrackets(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func quoteHex(b []byte) string {
	var text strings.Builder
	text.WriteByte('"')
	for _, c := range b {
		fmt.Fprintf(&text, `\x%02x`, c)
	}
	text.WriteByte('"')
	return text.String()
}

// Values of attributes.

func number32(_ *netlinkPrinter, b []byte) string {
	if len(b) < 4 {
		return ""
	}
	return strconv.FormatUint(uint64(binary.NativeEndian.Uint32(b)), 10)
}

func signed32(_ *netlinkPrinter, b []byte) string {
	if len(b) < 4 {
		return ""
	}
	return strconv.Itoa(int(int32(binary.NativeEndian.Uint32(b))))
}

func number8(_ *netlinkPrinter, b []byte) string { return strconv.Itoa(int(b[0])) }

func interfaceValue(p *netlinkPrinter, b []byte) string {
	if len(b) < 4 {
		return ""
	}
	return p.interfaceIndex(binary.NativeEndian.Uint32(b))
}

func (p *netlinkPrinter) interfaceIndex(index uint32) string {
	if name := p.nameOf(index); name != "" {
		return "if_nametoindex(" + Quote(name) + ")"
	}
	return strconv.FormatUint(uint64(index), 10)
}

// textValue is a string that should end with a zero byte.
func textValue(_ *netlinkPrinter, b []byte) string {
	if b[len(b)-1] != 0 {
		return Quote(string(b)) + left
	}
	return Quote(string(b[:len(b)-1]))
}

// wordValue is a string up to the first zero byte.
func wordValue(_ *netlinkPrinter, b []byte) string {
	word, _, ended := strings.Cut(string(b), "\x00")
	if !ended {
		return Quote(word) + left
	}
	return Quote(word)
}

// addressValue is an address of the message's family.
func addressValue(p *netlinkPrinter, b []byte) string {
	address, ok := ipAddress(p.family, b)
	switch {
	case !ok:
		return ""
	case p.family == unix.AF_INET:
		return "inet_addr(" + Quote(address.String()) + ")"
	}
	return "inet_pton(AF_INET6, " + Quote(address.String()) + ")"
}

func ipAddress(family uint8, b []byte) (netip.Addr, bool) {
	switch {
	case family == unix.AF_INET && len(b) >= 4:
		return netip.AddrFrom4([4]byte(b)), true
	case family == unix.AF_INET6 && len(b) >= 16:
		return netip.AddrFrom16([16]byte(b)), true
	}
	return netip.Addr{}, false
}

// hardwareValue is a MAC address, whose length strace takes from the kind of hardware.
// Beside the usual one it takes the family for that.
func hardwareValue(p *netlinkPrinter, b []byte) string {
	const usual = 7
	if p.family != unix.AF_UNSPEC {
		return left
	}
	return macValue(p, b[:min(len(b), usual)])
}

func macValue(_ *netlinkPrinter, b []byte) string {
	const longest = 32
	if len(b) > longest {
		return ""
	}
	var parts []string
	for _, c := range b {
		parts = append(parts, fmt.Sprintf("%02x", c))
	}
	return strings.Join(parts, ":")
}

func descriptorValue(p *netlinkPrinter, b []byte) string {
	if len(b) < 4 {
		return ""
	}
	return p.descriptor(uint64(binary.NativeEndian.Uint32(b)))
}

func addressFlagsValue(_ *netlinkPrinter, b []byte) string {
	if len(b) < 4 {
		return ""
	}
	return flags(uint64(binary.NativeEndian.Uint32(b)), addressFlags)
}
