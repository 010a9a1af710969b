package trace

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// messageForm is how the messages of one kind are made: a structure that begins with
// the family, then attributes.
type messageForm struct {
	prefix     string // of the structure's fields
	length     int
	fixed      func(p *netlinkPrinter, b []byte) string // the fields after the family
	attributes attributeTable
}

var (
	linkForm     = messageForm{"ifi_", unix.SizeofIfInfomsg, linkFields, linkAttributes}
	addressForm  = messageForm{"ifa_", unix.SizeofIfAddrmsg, addressFields, addressAttributes}
	routeForm    = messageForm{"rtm_", unix.SizeofRtMsg, routeFields, routeAttributes}
	neighborForm = messageForm{"ndm_", unix.SizeofNdMsg, neighborFields, neighborAttributes}
)

// formOf finds the form of the messages whose structures are known.
func formOf(kind uint16) (form messageForm, known bool) {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_GETLINK, unix.RTM_SETLINK:
		return linkForm, true
	case unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_GETADDR:
		return addressForm, true
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE, unix.RTM_GETROUTE:
		return routeForm, true
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		return neighborForm, true
	}
	return messageForm{}, false
}

// linkFields prints struct ifinfomsg.
func linkFields(p *netlinkPrinter, b []byte) string {
	hardware := constantName(uint64(binary.NativeEndian.Uint16(b[2:])), hardwareTypes)
	if hardware == "" {
		hardware = left
	}
	return fmt.Sprintf("ifi_type=%s, ifi_index=%s, ifi_flags=%s, ifi_change=%s", hardware, p.interfaceIndex(binary.NativeEndian.Uint32(b[4:])),
		flags(uint64(binary.NativeEndian.Uint32(b[8:])), interfaceFlags), hex(uint64(binary.NativeEndian.Uint32(b[12:]))))
}

// addressFields prints struct ifaddrmsg.
func addressFields(p *netlinkPrinter, b []byte) string {
	return fmt.Sprintf("ifa_prefixlen=%d, ifa_flags=%s, ifa_scope=%s, ifa_index=%s", b[1], flags(uint64(b[2]), addressFlags),
		choice(uint64(b[3]), scopeNames), p.interfaceIndex(binary.NativeEndian.Uint32(b[4:])))
}

// routeFields prints struct rtmsg.
func routeFields(_ *netlinkPrinter, b []byte) string {
	return fmt.Sprintf("rtm_dst_len=%d, rtm_src_len=%d, rtm_tos=%s, rtm_table=%s, rtm_protocol=%s, rtm_scope=%s, rtm_type=%s, rtm_flags=%s",
		b[1], b[2], flags(uint64(b[3]), serviceTypes), choice(uint64(b[4]), routeTables), choice(uint64(b[5]), routeProtocols),
		choice(uint64(b[6]), scopeNames), routeTypeNames.choice(uint64(b[7])), flags(uint64(binary.NativeEndian.Uint32(b[8:])), routeFlags))
}

// neighborFields prints struct ndmsg.
func neighborFields(p *netlinkPrinter, b []byte) string {
	state := "NUD_NONE"
	if value := binary.NativeEndian.Uint16(b[8:]); value != 0 {
		state = flags(uint64(value), neighborStates)
	}
	return fmt.Sprintf("ndm_ifindex=%s, ndm_state=%s, ndm_flags=%s, ndm_type=%s", p.interfaceIndex(binary.NativeEndian.Uint32(b[4:])),
		state, flags(uint64(b[10]), neighborFlags), routeTypeNames.choice(uint64(b[11])))
}

// values print the values of attributes, and stand at their types.
type values []func(p *netlinkPrinter, value []byte) string

var linkAttributes = attributeTable{linkAttributeNames, values{
	unix.IFLA_IFNAME: textValue, unix.IFLA_IFALIAS: textValue, unix.IFLA_QDISC: textValue, unix.IFLA_ALT_IFNAME: textValue,
	unix.IFLA_PHYS_PORT_NAME: textValue, unix.IFLA_PARENT_DEV_NAME: textValue, unix.IFLA_PARENT_DEV_BUS_NAME: textValue,
	unix.IFLA_ADDRESS: hardwareValue, unix.IFLA_BROADCAST: hardwareValue, unix.IFLA_PERM_ADDRESS: hardwareValue,
	unix.IFLA_MTU: number32, unix.IFLA_LINK: number32, unix.IFLA_MASTER: number32, unix.IFLA_TXQLEN: number32, unix.IFLA_WEIGHT: number32,
	unix.IFLA_GROUP: number32, unix.IFLA_NET_NS_PID: number32, unix.IFLA_PROMISCUITY: number32, unix.IFLA_NUM_VF: number32,
	unix.IFLA_NUM_TX_QUEUES: number32, unix.IFLA_NUM_RX_QUEUES: number32, unix.IFLA_CARRIER_CHANGES: number32,
	unix.IFLA_GSO_MAX_SEGS: number32, unix.IFLA_GSO_MAX_SIZE: number32, unix.IFLA_GRO_MAX_SIZE: number32, unix.IFLA_TSO_MAX_SIZE: number32,
	unix.IFLA_TSO_MAX_SEGS: number32, unix.IFLA_ALLMULTI: number32, unix.IFLA_MIN_MTU: number32, unix.IFLA_MAX_MTU: number32,
	unix.IFLA_CARRIER_UP_COUNT: number32, unix.IFLA_CARRIER_DOWN_COUNT: number32,
	unix.IFLA_LINK_NETNSID: signed32, unix.IFLA_NEW_NETNSID: signed32, unix.IFLA_TARGET_NETNSID: signed32,
	unix.IFLA_OPERSTATE: number8, unix.IFLA_LINKMODE: number8, unix.IFLA_CARRIER: number8, unix.IFLA_PROTO_DOWN: number8,
	unix.IFLA_NET_NS_FD: descriptorValue, unix.IFLA_NEW_IFINDEX: interfaceValue,
	unix.IFLA_LINKINFO: func(p *netlinkPrinter, b []byte) string { return p.attributes(b, linkInfo) },
}}

// linkInfo is what an interface of a kind has. The data, which differ from kind to
// kind, are left out.
var linkInfo = attributeTable{linkInfoNames, values{unix.IFLA_INFO_KIND: wordValue, unix.IFLA_INFO_SLAVE_KIND: wordValue}}

var addressAttributes = attributeTable{addressAttributeNames, values{
	unix.IFA_ADDRESS: addressValue, unix.IFA_LOCAL: addressValue, unix.IFA_BROADCAST: addressValue, unix.IFA_ANYCAST: addressValue,
	unix.IFA_MULTICAST: addressValue, unix.IFA_LABEL: textValue, unix.IFA_FLAGS: addressFlagsValue,
	unix.IFA_RT_PRIORITY: number32, unix.IFA_TARGET_NETNSID: signed32,
}}

var routeAttributes = attributeTable{routeAttributeNames, values{
	unix.RTA_DST: addressValue, unix.RTA_SRC: addressValue, unix.RTA_GATEWAY: addressValue, unix.RTA_PREFSRC: addressValue, unix.RTA_NEWDST: addressValue,
	unix.RTA_IIF: interfaceValue, unix.RTA_OIF: interfaceValue, unix.RTA_PRIORITY: number32, unix.RTA_FLOW: number32, unix.RTA_MARK: number32,
	unix.RTA_UID: number32, unix.RTA_PREF: number8, unix.RTA_TTL_PROPAGATE: number8, unix.RTA_IP_PROTO: number8,
	unix.RTA_TABLE: func(_ *netlinkPrinter, b []byte) string {
		if len(b) < 4 {
			return ""
		}
		return choice(uint64(binary.NativeEndian.Uint32(b)), routeTables)
	},
}}

var neighborAttributes = attributeTable{neighborAttributeNames, values{
	unix.NDA_DST: addressValue, unix.NDA_PROBES: number32, unix.NDA_VNI: number32, unix.NDA_IFINDEX: interfaceValue, unix.NDA_MASTER: interfaceValue,
	unix.NDA_LLADDR: macValue,
}}

var errorAttributes = attributeTable{errorAttributeNames, values{1: textValue, 2: number32}}
