package netlink

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h: the other end of a veth pair.
const vethInfoPeer = 1

// group marks the interfaces that this package makes on the host (IFLA_GROUP;
// ip(8): `ip link show group 1735356019`). The number is "gons".
const group = 0x676f6e73

// Flags of the requests that make something, and fail where it is there already.
const create = unix.NLM_F_REQUEST | unix.NLM_F_ACK | unix.NLM_F_CREATE | unix.NLM_F_EXCL

// interfaceInfo is struct ifinfomsg. index 0 means: the one that an attribute names.
func interfaceInfo(index int, flags uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], flags)
	binary.NativeEndian.PutUint32(b[12:], flags) // the mask: change these flags and no other
	return b
}

// LinkUp brings up the interface of that name, as `ip link set NAME up` does. In a
// new network namespace even lo is down, and 127.0.0.1 does not answer.
func (c *Conn) LinkUp(name string) error {
	m := newMessage(unix.RTM_NEWLINK, unix.NLM_F_REQUEST|unix.NLM_F_ACK, interfaceInfo(0, unix.IFF_UP))
	m.text(unix.IFLA_IFNAME, name)
	return c.acknowledged(order{"bring up", name, m})
}

// NewBridge makes a bridge, which is a switch made of software, and brings it up,
// as `ip link add NAME type bridge` does. Where it is there already the errno is
// EEXIST.
//
// hardware is its MAC address. A bridge without one takes the lowest of its
// ports', which changes with them: neighbors would go on sending to the old one.
func (c *Conn) NewBridge(name string, hardware [6]byte) error {
	m := newMessage(unix.RTM_NEWLINK, create, interfaceInfo(0, unix.IFF_UP))
	m.text(unix.IFLA_IFNAME, name)
	m.attribute(unix.IFLA_ADDRESS, hardware[:])
	m.number(unix.IFLA_GROUP, group)
	m.nest(unix.IFLA_LINKINFO, func() { m.text(unix.IFLA_INFO_KIND, "bridge") })
	return c.acknowledged(order{"make bridge", name, m})
}

// Veth describes a pair of virtual Ethernet interfaces (veth(4)): what goes in
// at one end comes out at the other.
type Veth struct {
	Name   string // of the end on the host
	Bridge string // the bridge to plug it into

	PeerName     string  // of the end in the container
	PeerHardware [6]byte // its MAC address
	PID          int     // of a process in the container's network namespace
}

// NewVeth makes the pair, with all that v says, and brings the host's end up, in
// one request. Needs the bridge to be there. The peer's end is for [Conn.LinkUp]
// inside: the kernel answers ENOTCONN for an end that is up before it has another.
func (c *Conn) NewVeth(v Veth) error {
	bridge, err := c.Index(v.Bridge)
	if err != nil {
		return err
	}
	m := newMessage(unix.RTM_NEWLINK, create, interfaceInfo(0, unix.IFF_UP))
	m.text(unix.IFLA_IFNAME, v.Name)
	m.number(unix.IFLA_MASTER, uint32(bridge))
	m.number(unix.IFLA_GROUP, group)
	m.nest(unix.IFLA_LINKINFO, func() {
		m.text(unix.IFLA_INFO_KIND, "veth")
		m.nest(unix.IFLA_INFO_DATA, func() { m.nest(vethInfoPeer, v.peer(m)) })
	})
	return c.acknowledged(order{"make veth pair", v.Name, m})
}

// peer adds to m what VETH_INFO_PEER holds: a whole description of an interface.
func (v Veth) peer(m *message) func() {
	return func() {
		m.append(interfaceInfo(0, 0))
		m.text(unix.IFLA_IFNAME, v.PeerName)
		m.attribute(unix.IFLA_ADDRESS, v.PeerHardware[:])
		m.number(unix.IFLA_NET_NS_PID, uint32(v.PID))
	}
}

// DeleteLink removes the interface of that name, and the other end of a veth
// with it. Where there is none the errno is ENODEV.
func (c *Conn) DeleteLink(name string) error {
	m := newMessage(unix.RTM_DELLINK, unix.NLM_F_REQUEST|unix.NLM_F_ACK, interfaceInfo(0, 0))
	m.text(unix.IFLA_IFNAME, name)
	return c.acknowledged(order{"delete link", name, m})
}

// DeleteAll removes every interface that was made on the host: the bridge, and
// veths whose namespaces are not quite gone. Where there is none the errno is
// ENODEV. It is one request, because the kernel waits, for some ten
// milliseconds, until nobody looks at an interface any more: once for all of
// them is twice as fast as once for each of two.
func (c *Conn) DeleteAll() error {
	m := newMessage(unix.RTM_DELLINK, unix.NLM_F_REQUEST|unix.NLM_F_ACK, interfaceInfo(0, 0))
	m.number(unix.IFLA_GROUP, group)
	return c.acknowledged(order{"delete links", "of the containers' network", m})
}

// Index is the number that the kernel gave the interface of that name. Where
// there is none the errno is ENODEV. It is a question by ioctl, netdevice(7).
func (c *Conn) Index(name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, fmt.Errorf("interface name %q: 1 to %d bytes are allowed", name, unix.IFNAMSIZ-1)
	}
	if err := unix.IoctlIfreq(c.fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, fmt.Errorf("ioctl(SIOCGIFINDEX) %s: %w", name, err)
	}
	return int(request.Uint32()), nil
}

// Hardware is a MAC address made from an IPv4 address, so that whoever gets an
// address from the pool gets its hardware address with it: what a neighbor
// remembers of the one before is still right. 02 marks it as locally administered.
func Hardware(address netip.Addr) [6]byte {
	ip := address.As4()
	return [6]byte{0x02, 0x67, ip[0], ip[1], ip[2], ip[3]}
}
