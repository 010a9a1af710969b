package trace

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// readMessages reads what the messages in a buffer are about.
func (p *netlinkPrinter) readMessages(b []byte) []Message {
	list := []Message{}
	all, _ := splitMessages(b)
	for _, raw := range all {
		m := Message{Type: raw.kind, TypeName: messageType(raw.kind), Flags: raw.flags, Sequence: raw.sequence}
		p.read(&m, raw.body)
		m.Text = m.command()
		list = append(list, m)
	}
	return list
}

// read fills what depends on the type.
func (p *netlinkPrinter) read(m *Message, body []byte) {
	switch m.Type {
	case unix.NLMSG_ERROR, unix.NLMSG_DONE:
		if len(body) >= 4 {
			m.Errno = syscall.Errno(max(0, -int64(int32(binary.NativeEndian.Uint32(body)))))
		}
		return
	}
	form, known := formOf(m.Type)
	if !known || len(body) < form.length {
		return
	}
	values := attributeValues(body[form.length:])
	switch m.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_GETLINK, unix.RTM_SETLINK:
		p.readLink(m, body, values)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_GETADDR:
		p.readAddress(m, body, values)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE, unix.RTM_GETROUTE:
		p.readRoute(m, body, values)
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		p.readNeighbor(m, body, values)
	}
}

// readLink reads a message about an interface. Of two names, one by its number and one
// in the attributes, the latter is a new one.
func (p *netlinkPrinter) readLink(m *Message, body []byte, values map[uint16][]byte) {
	m.setInterface(p, binary.NativeEndian.Uint32(body[4:]))
	if name := word(values[unix.IFLA_IFNAME]); m.Name == "" {
		m.Name = name
	} else if name != m.Name {
		m.NewName = name
	}
	state, change := binary.NativeEndian.Uint32(body[8:]), binary.NativeEndian.Uint32(body[12:])
	creates := m.Type == unix.RTM_NEWLINK && m.Flags&unix.NLM_F_CREATE != 0
	m.Up = state&unix.IFF_UP != 0 && (change&unix.IFF_UP != 0 || creates)
	m.Down = state&unix.IFF_UP == 0 && change&unix.IFF_UP != 0
	if master := values[unix.IFLA_MASTER]; len(master) >= 4 {
		m.Master = p.interfaceName(binary.NativeEndian.Uint32(master))
	}
	p.readNamespace(m, values)
	info := attributeValues(values[unix.IFLA_LINKINFO])
	m.Kind = word(info[unix.IFLA_INFO_KIND])
	if m.Kind == "veth" {
		p.readPeer(m, attributeValues(info[unix.IFLA_INFO_DATA])[vethPeer])
	}
}

const vethPeer = 1 // VETH_INFO_PEER of linux/veth.h

// readPeer reads a whole description of an interface, as readLink does.
func (p *netlinkPrinter) readPeer(m *Message, peer []byte) {
	if len(peer) < unix.SizeofIfInfomsg {
		return
	}
	values := attributeValues(peer[unix.SizeofIfInfomsg:])
	m.Peer = word(values[unix.IFLA_IFNAME])
	p.readNamespace(m, values)
}

// readNamespace reads into which network namespace an interface goes.
func (p *netlinkPrinter) readNamespace(m *Message, values map[uint16][]byte) {
	if pid := values[unix.IFLA_NET_NS_PID]; len(pid) >= 4 {
		m.PID = int(binary.NativeEndian.Uint32(pid))
	}
	if fd := values[unix.IFLA_NET_NS_FD]; len(fd) >= 4 {
		m.Namespace = p.descriptor(uint64(binary.NativeEndian.Uint32(fd)))
		if _, file, ok := strings.Cut(m.Namespace, "<"); ok {
			m.Namespace = strings.TrimSuffix(file, ">")
		}
	}
}

func (p *netlinkPrinter) readAddress(m *Message, body []byte, values map[uint16][]byte) {
	m.setInterface(p, binary.NativeEndian.Uint32(body[4:]))
	value := values[unix.IFA_LOCAL]
	if value == nil {
		value = values[unix.IFA_ADDRESS] // IPv6 has only this
	}
	m.Address = prefix(body[0], value, body[1])
}

func (p *netlinkPrinter) readRoute(m *Message, body []byte, values map[uint16][]byte) {
	if out := values[unix.RTA_OIF]; len(out) >= 4 {
		m.setInterface(p, binary.NativeEndian.Uint32(out))
	}
	m.Address = prefix(body[0], values[unix.RTA_DST], body[1])
	if body[1] == 0 && values[unix.RTA_DST] == nil && m.Type != unix.RTM_GETROUTE {
		m.Address = "default"
	}
	if gateway, ok := ipAddress(body[0], values[unix.RTA_GATEWAY]); ok {
		m.Gateway = gateway.String()
	}
}

func (p *netlinkPrinter) readNeighbor(m *Message, body []byte, values map[uint16][]byte) {
	m.setInterface(p, binary.NativeEndian.Uint32(body[4:]))
	if address, ok := ipAddress(body[0], values[unix.NDA_DST]); ok {
		m.Address = address.String()
	}
}

func (m *Message) setInterface(p *netlinkPrinter, index uint32) {
	m.Index = int(int32(index))
	if index != 0 {
		m.Name = p.nameOf(index)
	}
}

// interfaceName is an interface's name, or its number where it has none anymore.
func (p *netlinkPrinter) interfaceName(index uint32) string {
	if name := p.nameOf(index); name != "" || index == 0 {
		return name
	}
	return strconv.FormatUint(uint64(index), 10)
}

func prefix(family uint8, value []byte, length uint8) string {
	address, ok := ipAddress(family, value)
	if !ok {
		return ""
	}
	if network := netip.PrefixFrom(address, int(length)); network.IsValid() {
		return network.String()
	}
	return address.String()
}

// word is a string up to its zero byte.
func word(b []byte) string {
	text, _, _ := strings.Cut(string(b), "\x00")
	return text
}

// command is a message as a command of ip(8), which would send such a one. What the
// kernel sends is no request: it says what there is.
func (m Message) command() string {
	switch {
	case m.Type == unix.NLMSG_ERROR, m.Type == unix.NLMSG_DONE:
		return m.result()
	case m.Flags&unix.NLM_F_REQUEST == 0:
		return m.tidings()
	}
	switch m.Type {
	case unix.RTM_NEWLINK, unix.RTM_SETLINK:
		return m.linkCommand()
	case unix.RTM_DELLINK:
		return joined("ip link delete", m.object())
	case unix.RTM_GETLINK:
		return joined("ip link show", m.object())
	case unix.RTM_NEWADDR:
		return joined("ip address add", shown(m.Address), "dev", m.object())
	case unix.RTM_DELADDR:
		return joined("ip address delete", shown(m.Address), "dev", m.object())
	case unix.RTM_GETADDR:
		return "ip address show"
	case unix.RTM_NEWROUTE:
		return joined("ip route add", shown(m.Address), after("via", m.Gateway), after("dev", m.Name))
	case unix.RTM_DELROUTE:
		return joined("ip route delete", shown(m.Address), after("via", m.Gateway), after("dev", m.Name))
	case unix.RTM_GETROUTE:
		return "ip route show"
	case unix.RTM_NEWNEIGH:
		return joined("ip neighbor add", shown(m.Address), after("dev", m.Name))
	case unix.RTM_DELNEIGH:
		return joined("ip neighbor delete", shown(m.Address), after("dev", m.Name))
	}
	return m.TypeName
}

// tidings are what the kernel says of an interface, an address, a route.
func (m Message) tidings() string {
	switch m.Type {
	case unix.RTM_NEWLINK:
		return joined("interface", m.object())
	case unix.RTM_NEWADDR:
		return joined("address", shown(m.Address), "of", m.object())
	case unix.RTM_NEWROUTE:
		return joined("route", shown(m.Address), after("via", m.Gateway), after("dev", m.Name))
	case unix.RTM_NEWNEIGH:
		return joined("neighbor", shown(m.Address), after("dev", m.Name))
	}
	return joined(m.TypeName, m.object())
}

func (m Message) linkCommand() string {
	if m.object() == "" {
		return m.TypeName // ip(8) tries with such a one whether the kernel knows it
	}
	state := ""
	switch {
	case m.Up:
		state = "up"
	case m.Down:
		state = "down"
	}
	namespace := m.Namespace
	if m.PID != 0 {
		namespace = strconv.Itoa(m.PID)
	}
	end := joined(after("master", m.Master), after("name", m.NewName), state)
	if m.Kind == "" || m.Type != unix.RTM_NEWLINK || m.Flags&unix.NLM_F_CREATE == 0 {
		return joined("ip link set", m.object(), end, after("netns", namespace))
	}
	return joined("ip link add", shown(m.Name), end, after("type", m.Kind), after("peer name", m.Peer), after("netns", namespace))
}

func (m Message) result() string {
	switch {
	case m.Errno != 0:
		return ErrnoName(m.Errno) + " (" + m.Errno.Error() + ")"
	case m.Type == unix.NLMSG_DONE:
		return "the end of the list"
	}
	return "done"
}

// object is the interface that a message is about.
func (m Message) object() string {
	if m.Name == "" && m.Index != 0 {
		return "if" + strconv.Itoa(m.Index)
	}
	return shown(m.Name)
}

// joined joins what is not empty.
func joined(some ...string) string {
	var all []string
	for _, s := range some {
		if s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, " ")
}

// after is a keyword with its value, nothing without one.
func after(keyword, value string) string {
	if value == "" {
		return ""
	}
	return keyword + " " + shown(value)
}

// shown makes a name that a program has chosen safe to print.
func shown(name string) string {
	quoted := Quote(name)
	return quoted[1 : len(quoted)-1]
}
