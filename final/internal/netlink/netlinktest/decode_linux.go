// Package netlinktest helps tests that compare what was narrated with what
// strace(1) saw: it decodes the rtnetlink messages that strace could not.
package netlinktest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// undecoded is a message on a socket of another network namespace than
// strace's own, which strace shows as numbers and bytes.
var undecoded = regexp.MustCompile(`nlmsg_type=(0x[0-9a-f]+) /\* NLMSG_\?\?\? \*/, nlmsg_flags=(\S+), (nlmsg_seq=\d+, nlmsg_pid=\d+)\}, "((?:\\x[0-9a-f]{2})*)"`)

// kind is what a type of message is made of.
type kind struct {
	name       string
	fixed      func(b []byte) string
	size       int // of the fixed part, in bytes
	attributes map[uint16]attribute
}

// attribute is an attribute's name and how its value is printed.
type attribute struct {
	name  string
	value func(b []byte) string
}

// The numbers of linux/rtnetlink.h.
var kinds = map[string]kind{
	"0x10": {"RTM_NEWLINK", interfaceInfo, 16, linkAttributes},
	"0x11": {"RTM_DELLINK", interfaceInfo, 16, linkAttributes},
	"0x12": {"RTM_GETLINK", interfaceInfo, 16, linkAttributes},
	"0x14": {"RTM_NEWADDR", addressInfo, 8, map[uint16]attribute{1: {"IFA_ADDRESS", address}, 2: {"IFA_LOCAL", address}}},
	"0x18": {"RTM_NEWROUTE", routeInfo, 12, map[uint16]attribute{5: {"RTA_GATEWAY", address}}},
}

var linkAttributes = map[uint16]attribute{3: {"IFLA_IFNAME", text}, 10: {"IFLA_MASTER", number}}

// Decode is a line of strace with its message decoded, in strace's own words. A
// line that holds none that strace could not decode is returned as it is. strace
// must have printed the bytes whole: -s 256.
func Decode(line string) string {
	found := undecoded.FindStringSubmatch(line)
	if found == nil {
		return line
	}
	k, known := kinds[found[1]]
	body, err := hex.DecodeString(strings.ReplaceAll(found[4], `\x`, ""))
	if !known || err != nil || len(body) < k.size {
		return line
	}
	flags := strings.NewReplacer("|0x600", "|NLM_F_EXCL|NLM_F_CREATE", "|0x300", "|NLM_F_DUMP").Replace(found[2])
	text := fmt.Sprintf("nlmsg_type=%s, nlmsg_flags=%s, %s}, %s", k.name, flags, found[3], k.fixed(body))
	if list := k.list(body[k.size:]); list != "" {
		text += ", " + list
	}
	return strings.Replace(line, found[0], text, 1)
}

// list prints attributes as strace does: a single one has no list around it.
func (k kind) list(b []byte) string {
	var printed []string
	for len(b) >= 4 {
		length := int(binary.NativeEndian.Uint16(b))
		if length < 4 || length > len(b) {
			break
		}
		printed = append(printed, k.attribute(b[:length]))
		b = b[min((length+3)&^3, len(b)):]
	}
	if len(printed) > 1 {
		return "[" + strings.Join(printed, ", ") + "]"
	}
	return strings.Join(printed, "")
}

func (k kind) attribute(b []byte) string {
	number := binary.NativeEndian.Uint16(b[2:])
	a, known := k.attributes[number]
	if !known {
		a = attribute{fmt.Sprintf("%#x", number), func(b []byte) string { return fmt.Sprintf("%q", b) }}
	}
	return fmt.Sprintf("[{nla_len=%d, nla_type=%s}, %s]", len(b), a.name, a.value(b[4:]))
}

func text(b []byte) string { return `"` + strings.TrimSuffix(string(b), "\x00") + `"` }

func number(b []byte) string {
	if len(b) != 4 {
		return "?"
	}
	return fmt.Sprint(binary.NativeEndian.Uint32(b))
}

func address(b []byte) string {
	a, _ := netip.AddrFromSlice(b)
	if a.Is4() {
		return fmt.Sprintf(`inet_addr("%s")`, a)
	}
	return fmt.Sprintf(`inet_pton(AF_INET6, "%s")`, a)
}

func interfaceInfo(b []byte) string {
	return fmt.Sprintf("{ifi_family=AF_UNSPEC, ifi_type=ARPHRD_NETROM, ifi_index=%d, ifi_flags=%s, ifi_change=%s}",
		binary.NativeEndian.Uint32(b[4:]), up(b[8:], "IFF_UP"), up(b[12:], "0x1"))
}

// up prints flags of which only IFF_UP (1) is expected.
func up(b []byte, set string) string {
	switch flags := binary.NativeEndian.Uint32(b); flags {
	case 0:
		return "0"
	case 1:
		return set
	default:
		return fmt.Sprintf("%#x", flags)
	}
}

func addressInfo(b []byte) string {
	return fmt.Sprintf("{ifa_family=%s, ifa_prefixlen=%d, ifa_flags=%d, ifa_scope=%d, ifa_index=%d}",
		family(b[0]), b[1], b[2], b[3], binary.NativeEndian.Uint32(b[4:]))
}

func routeInfo(b []byte) string {
	return fmt.Sprintf("{rtm_family=%s, rtm_dst_len=%d, rtm_src_len=%d, rtm_tos=%d, rtm_table=%d, rtm_protocol=%d, rtm_scope=%d, rtm_type=%d, rtm_flags=%d}",
		family(b[0]), b[1], b[2], b[3], b[4], b[5], b[6], b[7], binary.NativeEndian.Uint32(b[8:]))
}

func family(b byte) string {
	switch b {
	case 2:
		return "AF_INET"
	case 10:
		return "AF_INET6"
	}
	return fmt.Sprint(b)
}
