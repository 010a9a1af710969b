package netlink

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// AddAddress gives the interface of that name an address, with the length of
// its network's prefix, as `ip address add ADDRESS dev NAME` does. Where it has
// it already the errno is EEXIST.
func (c *Conn) AddAddress(name string, address netip.Prefix) error {
	index, err := c.Index(name)
	if err != nil {
		return err
	}
	family := familyOf(address.Addr())
	fixed := make([]byte, unix.SizeofIfAddrmsg)
	fixed[0] = family
	fixed[1] = byte(address.Bits())
	binary.NativeEndian.PutUint32(fixed[4:], uint32(index))

	m := newMessage(unix.RTM_NEWADDR, create, fixed)
	m.attribute(unix.IFA_LOCAL, address.Addr().AsSlice())
	m.attribute(unix.IFA_ADDRESS, address.Addr().AsSlice())
	return c.acknowledged(order{"add address", address.String() + " to " + name, m})
}

// AddDefaultRoute sends through the gateway what has no other way, as
// `ip route add default via GATEWAY` does.
func (c *Conn) AddDefaultRoute(gateway netip.Addr) error {
	family := familyOf(gateway)
	fixed := make([]byte, unix.SizeofRtMsg)
	fixed[0] = family
	fixed[4] = unix.RT_TABLE_MAIN
	fixed[5] = unix.RTPROT_BOOT
	fixed[6] = unix.RT_SCOPE_UNIVERSE
	fixed[7] = unix.RTN_UNICAST

	m := newMessage(unix.RTM_NEWROUTE, create, fixed)
	m.attribute(unix.RTA_GATEWAY, gateway.AsSlice())
	return c.acknowledged(order{"add default route via", gateway.String(), m})
}

// familyOf is the family of an address.
func familyOf(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// Addresses lists the addresses of all interfaces, each with its network's prefix.
func (c *Conn) Addresses() ([]netip.Prefix, error) {
	var list []netip.Prefix
	err := c.listed(func() order {
		list = nil
		return order{"list addresses", "of this network namespace",
			newMessage(unix.RTM_GETADDR, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, make([]byte, unix.SizeofIfAddrmsg))}
	}, func(m received) error {
		address, err := parseAddress(m.body)
		if address.IsValid() {
			list = append(list, address)
		}
		return err
	})
	return list, err
}

func parseAddress(body []byte) (netip.Prefix, error) {
	fixed, found, err := split(body, unix.SizeofIfAddrmsg)
	if err != nil {
		return netip.Prefix{}, err
	}
	value := found[unix.IFA_LOCAL] // on a point-to-point link IFA_ADDRESS is the other end's
	if value == nil {
		value = found[unix.IFA_ADDRESS] // IPv6 has only this
	}
	address, _ := netip.AddrFromSlice(value)
	return netip.PrefixFrom(address, int(fixed[1])), nil
}

// Routes lists the destinations to which this machine has a route in any
// table: its neighbors' networks, and what lies behind gateways. The default
// routes, which lead to everything, are left out.
func (c *Conn) Routes() ([]netip.Prefix, error) {
	var list []netip.Prefix
	err := c.listed(func() order {
		list = nil
		return order{"list routes", "of this network namespace",
			newMessage(unix.RTM_GETROUTE, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, make([]byte, unix.SizeofRtMsg))}
	}, func(m received) error {
		destination, err := parseRoute(m.body)
		if destination.IsValid() {
			list = append(list, destination)
		}
		return err
	})
	return list, err
}

// parseRoute is a route's destination, not valid for a default route.
func parseRoute(body []byte) (netip.Prefix, error) {
	fixed, found, err := split(body, unix.SizeofRtMsg)
	if err != nil {
		return netip.Prefix{}, err
	}
	destination, _ := netip.AddrFromSlice(found[unix.RTA_DST])
	return netip.PrefixFrom(destination, int(fixed[1])), nil
}
