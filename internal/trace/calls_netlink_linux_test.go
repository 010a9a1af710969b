package trace

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"
)

// request is a message of rtnetlink(7).
func request(kind, bits uint16, sequence uint32, body ...[]byte) []byte {
	var content []byte
	for _, b := range body {
		content = append(content, b...)
	}
	m := binary.NativeEndian.AppendUint32(nil, uint32(16+len(content)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = binary.NativeEndian.AppendUint16(m, bits)
	m = binary.NativeEndian.AppendUint32(m, sequence)
	return append(binary.NativeEndian.AppendUint32(m, 0), content...)
}

func attribute(kind uint16, values ...[]byte) []byte {
	var content []byte
	for _, b := range values {
		content = append(content, b...)
	}
	a := binary.NativeEndian.AppendUint16(nil, uint16(4+len(content)))
	a = append(binary.NativeEndian.AppendUint16(a, kind), content...)
	for len(a)%4 != 0 {
		a = append(a, 0)
	}
	return a
}

func text(s string) []byte { return append([]byte(s), 0) }

// link is struct ifinfomsg.
func link(family byte, index, state, change uint32) []byte {
	return append([]byte{family, 0, 0, 0}, words(index, state, change)...)
}

// netlinkCalls speaks to the kernel about a network namespace of its own, in which
// lo has the number 1.
func netlinkCalls(string) (all []attempt) {
	const speaks, other, unbound, pair, from = 90, 91, 92, 93, 94
	for fd, protocol := range map[int]int{speaks: unix.NETLINK_ROUTE, unbound: unix.NETLINK_ROUTE, other: unix.NETLINK_NETFILTER} {
		socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK, protocol)
		if err != nil {
			panic(err)
		}
		unix.Dup3(socket, fd, 0)
		if fd != unbound {
			unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		}
		unix.Close(socket)
	}
	unix.SetsockoptInt(speaks, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	ends, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	unix.Dup3(ends[0], pair, 0)
	unix.Dup3(ends[1], from, 0)

	const asks, makes = unix.NLM_F_REQUEST | unix.NLM_F_ACK, unix.NLM_F_REQUEST | unix.NLM_F_ACK | unix.NLM_F_CREATE | unix.NLM_F_EXCL
	kernel := append([]byte{unix.AF_NETLINK, 0, 0, 0}, words(0, 0)...)
	send := func(message []byte) {
		all = append(all, attempt{"sendto", vector{speaks, message, len(message), 0, 0, 0}})
	}
	receive := func() {
		all = append(all, attempt{"recvfrom", vector{speaks, make([]byte, 32<<10), 32 << 10, 0, make([]byte, 128), words(112)}})
	}
	talk := func(message []byte) {
		send(message)
		receive()
	}
	name := func(s string) []byte { return attribute(unix.IFLA_IFNAME, text(s)) }
	info := func(kind string, data ...[]byte) []byte {
		all := append([][]byte{attribute(unix.IFLA_INFO_KIND, text(kind))}, data...)
		return attribute(unix.IFLA_LINKINFO, all...)
	}
	peer := attribute(vethPeer, link(0, 0, 0, 0), name("eth0"), attribute(unix.IFLA_ADDRESS, []byte("\x02\x42\x0a\x00\x00\x02")))

	// What a container needs.
	talk(request(unix.RTM_NEWLINK, asks, 1, link(0, 0, unix.IFF_UP, unix.IFF_UP), name("lo")))
	talk(request(unix.RTM_NEWLINK, makes, 2, link(0, 0, unix.IFF_UP, unix.IFF_UP), name("br0"), attribute(unix.IFLA_ADDRESS, []byte("\x02\x42\x0a\x00\x00\x01")), attribute(unix.IFLA_GROUP, words(0x676f6e73)), info("bridge")))
	talk(request(unix.RTM_NEWLINK, makes, 3, link(0, 0, unix.IFF_UP, unix.IFF_UP), name("veth0"), attribute(unix.IFLA_ADDRESS, []byte("\x02\x42\x0a\x00\x00\x07")), attribute(unix.IFLA_MASTER, words(2)), info("veth", attribute(unix.IFLA_INFO_DATA, peer))))
	talk(request(unix.RTM_NEWLINK, makes, 4, link(0, 0, 0, 0), name("br0"), info("bridge")))
	talk(request(unix.RTM_NEWADDR, makes, 5, []byte{unix.AF_INET, 16, 0, 0}, words(2), attribute(unix.IFA_LOCAL, []byte{10, 88, 0, 1}), attribute(unix.IFA_ADDRESS, []byte{10, 88, 0, 1})))
	talk(request(unix.RTM_NEWADDR, makes, 6, []byte{unix.AF_INET6, 64, 0, 0}, words(2), attribute(unix.IFA_ADDRESS, []byte("\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07"))))
	talk(request(unix.RTM_NEWROUTE, makes, 7, []byte{unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, 0, unix.RTN_UNICAST}, words(0), attribute(unix.RTA_GATEWAY, []byte{10, 88, 0, 9})))
	talk(request(unix.RTM_NEWROUTE, makes, 8, []byte{unix.AF_INET, 24, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_LINK, unix.RTN_UNICAST}, words(0), attribute(unix.RTA_DST, []byte{192, 0, 2, 0}), attribute(unix.RTA_OIF, words(2)), attribute(unix.RTA_TABLE, words(254)), attribute(unix.RTA_PRIORITY, words(5))))
	talk(request(unix.RTM_NEWNEIGH, makes, 9, []byte{unix.AF_INET, 0, 0, 0}, words(2), []byte{0x80, 0, 0, 0}, attribute(unix.NDA_DST, []byte{10, 88, 0, 3}), attribute(unix.NDA_LLADDR, []byte("\x02\x42\x0a\x00\x00\x03"))))
	talk(request(unix.RTM_SETLINK, asks, 10, link(0, 2, 0, unix.IFF_UP), attribute(unix.IFLA_MTU, words(1400))))
	talk(request(unix.RTM_GETLINK, unix.NLM_F_REQUEST, 11, link(0, 1, 0, 0)))
	talk(request(unix.RTM_GETLINK, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, 12, link(0, 0, 0, 0)))
	receive()
	receive()
	talk(request(unix.RTM_DELADDR, asks, 15, []byte{unix.AF_INET, 16, 0, 0}, words(2), attribute(unix.IFA_LOCAL, []byte{10, 88, 0, 1})))
	talk(request(unix.RTM_DELLINK, asks, 16, link(0, 0, 0, 0), name("br0")))
	talk(request(unix.RTM_DELLINK, asks, 17, link(0, 0, 0, 0), name("nosuch")))

	// Lists of what there is now: of interfaces that are new the kernel sets the state some
	// time later.
	talk(request(unix.RTM_GETLINK, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, 13, link(0, 0, 0, 0)))
	receive()
	talk(request(unix.RTM_GETADDR, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, 14, []byte{unix.AF_INET, 0, 0, 0, 0, 0, 0, 0}))
	receive()
	talk(request(unix.RTM_GETROUTE, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, 19, []byte{unix.AF_INET, 0, 0, 0, 0, 0, 0, 0}, words(0)))
	receive()

	// Other ways, and other sockets.
	up := request(unix.RTM_NEWLINK, asks, 18, link(0, 1, unix.IFF_UP, unix.IFF_UP))
	all = append(all, attempt{"sendto", vector{speaks, up, len(up), unix.MSG_NOSIGNAL, kernel, 12}}, attempt{"read", vector{speaks, make([]byte, 4096), 4096}},
		attempt{"write", vector{speaks, up, len(up)}}, attempt{"recvfrom", vector{speaks, make([]byte, 4096), 4096, unix.MSG_PEEK | unix.MSG_TRUNC, 0, 0}}, attempt{"recvfrom", vector{speaks, make([]byte, 20), 20, unix.MSG_TRUNC, 0, 0}},
		attempt{"recvfrom", vector{speaks, make([]byte, 20), 20, 0, make([]byte, 12), words(12)}}, attempt{"recvfrom", vector{speaks, bad, 20, unix.MSG_DONTWAIT, bad, bad}},
		attempt{"sendto", vector{pair, "text\x00", 5, minus, 0, 0}}, attempt{"sendto", vector{pair, "text\x00", 5, unix.MSG_NOSIGNAL, 0, 0}}, attempt{"recvfrom", vector{from, make([]byte, 3), 3, 0, 0, 0}}, attempt{"recvfrom", vector{from, make([]byte, 30), 30, 0, make([]byte, 30), words(30)}},
		attempt{"sendto", vector{77, "text", 4, 0, append([]byte{unix.AF_UNIX, 0}, "/nosuch"...), 9}}, attempt{"sendto", vector{pair, bad, 4, 0, bad, 9}}, attempt{"sendto", vector{minus, 0, 4, 0, words(1), 2}}, attempt{"sendto", vector{high + pair, "a", 1, high, words(77), minus}},
		attempt{"recvfrom", vector{minus, 0, minus, minus, 0, 0}},
		attempt{"sendto", vector{speaks, bad, 20, 0, 0, 0}}, attempt{"sendto", vector{speaks, 0, 20, 0, 0, 0}}, attempt{"sendto", vector{speaks, up, 0, 0, 0, 0}}, attempt{"sendto", vector{speaks, up, 15, 0, 0, 0}})
	for bit := range 32 {
		all = append(all, attempt{"sendto", vector{77, "", 0, 1 << bit, 0, 0}})
	}

	header := func(name any, room int, parts any, count any) vector {
		return vector{name, room, parts, count, 0, 0, 0}
	}
	half := len(up) / 2
	for _, h := range []any{
		header(kernel, 12, vector{up, len(up)}, 1), header(0, 0, vector{up, len(up)}, 1), header(kernel, 12, vector{up, len(up), up, len(up)}, 2), header(kernel, 12, vector{up, half, up[half:], len(up) - half}, 2),
		header(kernel, 12, vector{0, 0}, 1), header(kernel, 12, 0, 0), header(kernel, 12, bad, 1), header(bad, 12, vector{bad, 5}, 1), header(kernel, 12, vector{bad, minus}, 1), header(0, 0, vector{up, 5}, 0),
		header(kernel, 2, vector{up, len(up)}, 1), bad, 0,
	} {
		all = append(all, attempt{"sendmsg", vector{speaks, h, 0}},
			attempt{"recvmsg", vector{speaks, header(make([]byte, 12), 12, vector{0, 0}, 1), unix.MSG_PEEK | unix.MSG_TRUNC}},
			attempt{"recvmsg", vector{speaks, header(make([]byte, 12), 12, vector{make([]byte, 20), 20, make([]byte, 1000), 1000}, 2), 0}},
			attempt{"recvmsg", vector{speaks, header(make([]byte, 120), 120, vector{make([]byte, 1000), 1000}, 1), high}})
	}
	for _, h := range []any{header(0, 0, vector{"text", 4, "", 0, "more", 4}, 3), header(0, 0, vector{bad, 4}, 1), header(0, 0, vector{"a", 1}, 1)} {
		all = append(all, attempt{"sendmsg", vector{pair, h, unix.MSG_NOSIGNAL}}, attempt{"sendmsg", vector{77, h, minus}},
			attempt{"recvmsg", vector{from, header(0, 0, vector{make([]byte, 3), 3, make([]byte, 30), 30}, 2), 0}}, attempt{"recvmsg", vector{from, bad, 0}}, attempt{"recvmsg", vector{from, 0, minus}})
	}

	// What is not as it should be, in messages that the kernel refuses: their length, or
	// an interface that is not there.
	for _, wrong := range wrongMessages() {
		send(wrong)
		receive()
	}
	return all
}

// wrongMessages are messages that are no good.
func wrongMessages() (all [][]byte) {
	const asks = unix.NLM_F_REQUEST | unix.NLM_F_ACK
	gone := link(0, 7777, 0, 0)
	length := func(n uint32, message []byte) []byte {
		b := append([]byte{}, message...)
		binary.NativeEndian.PutUint32(b, n)
		return b
	}
	one := request(unix.RTM_DELLINK, asks, 21, gone, attribute(unix.IFLA_MTU, words(5)))
	for _, n := range []uint32{0, 4, 15, 16, 17, 31, 32, 33, 36, 39, 41, 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		all = append(all, length(n, one))
	}
	all = append(all, append(append([]byte{}, one...), one...), append(append([]byte{}, one...), 1, 2, 3), append(append([]byte{}, one...), length(7, one)...))
	wrong := func(b ...byte) { all = append(all, request(unix.RTM_DELLINK, asks, 22, gone, b)) }
	wrong(3, 0, 1, 0)
	wrong(1, 2, 3)
	wrong(0xff, 0xff, 1, 0, 5)
	wrong(4, 0, 3, 0, 4, 0, 3, 0x80, 8, 0, 13, 0x40, 1, 2, 3, 4)
	wrong(5, 0, 3, 0, 'x', 0, 0, 0)
	wrong(5, 0, 3, 0, 'x', 0, 0, 0, 9)
	wrong(0, 0, 0, 0, 0, 0)
	for kind := range uint16(80) {
		all = append(all, request(unix.RTM_DELLINK, asks, 23, gone, attribute(kind)),
			request(unix.RTM_DELADDR, asks, 24, []byte{0, 0, 0, 0}, words(7777), attribute(kind)),
			request(unix.RTM_DELNEIGH, asks, 24, []byte{0, 0, 0, 0}, words(7777, 0), attribute(kind)),
			request(unix.RTM_DELROUTE, asks, 24, []byte{0, 99, 0, 0}, words(7777, 0), attribute(kind)))
	}
	for family := range 60 {
		all = append(all, request(unix.RTM_DELLINK, asks, 25, link(byte(family), 7777, 1<<(family%32), 0)),
			request(unix.RTM_DELADDR, asks, 26, []byte{byte(family), 0, byte(1 << (family % 8)), byte(family)}, words(7777), attribute(unix.IFA_LOCAL, []byte("0123456789abcdef"))),
			request(unix.RTM_DELROUTE, asks, 27, []byte{byte(family), 200, 1, byte(1 << (family % 8)), byte(family), byte(family), byte(family), byte(family)}, words(1<<(family%32)), attribute(unix.RTA_DST, []byte("012"))),
			request(unix.RTM_DELNEIGH, asks, 28, []byte{byte(family), 0, 0, 0}, words(7777, uint32(1<<(family%32))), attribute(unix.NDA_LLADDR, []byte(strings.Repeat("x", family+1)))))
	}
	for _, scope := range []byte{0, 200, 252, 253, 254, 255} {
		all = append(all, request(unix.RTM_DELROUTE, asks, 27, []byte{unix.AF_INET, 200, 1, 0, scope, scope, scope, scope}, words(0)))
	}
	for kind := range uint16(160) { // none is a question or a request, so the kernel does nothing
		all = append(all, request(kind, 0xfffe, 29, make([]byte, 20)), request(kind, 0, 30))
	}
	return all
}
