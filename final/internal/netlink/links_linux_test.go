package netlink

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// link is an interface.
type link struct {
	Index  int
	Name   string
	Kind   string // "bridge", "veth", …; "" for hardware and lo
	Master int    // index of the bridge it is plugged into, 0 for none
	Up     bool
}

// links lists the interfaces, for the tests to see what the verbs have done.
func (c *Conn) links() ([]link, error) {
	var links []link
	err := c.listed(func() order {
		links = nil
		return order{"list links", "of this network namespace",
			newMessage(unix.RTM_GETLINK, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, interfaceInfo(0, 0))}
	}, func(m received) error {
		one, err := parseLink(m.body)
		links = append(links, one)
		return err
	})
	return links, err
}

func parseLink(body []byte) (link, error) {
	fixed, found, err := split(body, unix.SizeofIfInfomsg)
	if err != nil {
		return link{}, err
	}
	info, err := parseAttributes(found[unix.IFLA_LINKINFO])
	return link{
		Index:  int(int32(binary.NativeEndian.Uint32(fixed[4:]))),
		Name:   found.text(unix.IFLA_IFNAME),
		Kind:   info.text(unix.IFLA_INFO_KIND),
		Master: int(found.number(unix.IFLA_MASTER)),
		Up:     binary.NativeEndian.Uint32(fixed[8:])&unix.IFF_UP != 0,
	}, err
}

// number is the value of an attribute of 32 bits, 0 for none.
func (a attributes) number(kind uint16) uint32 {
	if len(a[kind]) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(a[kind])
}
