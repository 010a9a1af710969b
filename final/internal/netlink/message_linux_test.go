package netlink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// The bytes are those that ip(8) sends for `ip link add br0 type bridge`.
func TestMessageIsWhatIPSends(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the bytes below are those of a little-endian machine")
	}
	m := newMessage(unix.RTM_NEWLINK, create, interfaceInfo(0, 0))
	m.text(unix.IFLA_IFNAME, "br0")
	m.nest(unix.IFLA_LINKINFO, func() { m.attribute(unix.IFLA_INFO_KIND, []byte("bridge")) })
	want := []byte{
		56, 0, 0, 0, 16, 0, 0x05, 0x06, 7, 0, 0, 0, 0, 0, 0, 0, // nlmsghdr
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // ifinfomsg
		8, 0, 3, 0, 'b', 'r', '0', 0, // IFLA_IFNAME
		16, 0, 18, 0, 10, 0, 1, 0, 'b', 'r', 'i', 'd', 'g', 'e', 0, 0, // IFLA_LINKINFO
	}
	if got := m.finish(7); !bytes.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestWhatIsBuiltIsParsed(t *testing.T) {
	m := newMessage(unix.RTM_NEWLINK, unix.NLM_F_REQUEST, interfaceInfo(7, unix.IFF_UP))
	m.text(unix.IFLA_IFNAME, "eth0")
	m.number(unix.IFLA_MASTER, 3)
	m.nest(unix.IFLA_LINKINFO, func() { m.text(unix.IFLA_INFO_KIND, "veth") })
	list, err := parseMessages(append(m.finish(1), m.finish(2)...))
	if err != nil || len(list) != 2 {
		t.Fatalf("parsed %d messages, %v, want 2", len(list), err)
	}
	if list[1].sequence != 2 || list[1].kind != unix.RTM_NEWLINK || list[1].flags != unix.NLM_F_REQUEST {
		t.Errorf("header %+v", list[1])
	}
	parsed, err := parseLink(list[0].body)
	if want := (link{Index: 7, Name: "eth0", Kind: "veth", Master: 3, Up: true}); err != nil || parsed != want {
		t.Errorf("parsed %+v, %v, want %+v", parsed, err, want)
	}
}

func TestAcknowledgment(t *testing.T) {
	request := newMessage(unix.RTM_NEWLINK, create, interfaceInfo(0, 0)).finish(9)
	words := &message{}
	words.text(unix.NLMSGERR_ATTR_MSG, "no such thing")
	errno := binary.NativeEndian.AppendUint32(nil, uint32(0x100000000-uint64(unix.ENODEV)))
	tests := map[string]struct {
		flags uint16
		parts [][]byte
		text  string
	}{
		"bare":             {unix.NLM_F_CAPPED, [][]byte{errno, request[:16]}, ""},
		"with the request": {0, [][]byte{errno, request}, ""},
		"in words":         {unix.NLM_F_CAPPED | unix.NLM_F_ACK_TLVS, [][]byte{errno, request[:16], words.bytes}, "no such thing"},
		"both":             {unix.NLM_F_ACK_TLVS, [][]byte{errno, request, words.bytes}, "no such thing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ack, err := parseAcknowledgment(received{flags: test.flags, body: bytes.Join(test.parts, nil)})
			if err != nil || ack.errno != unix.ENODEV || ack.text != test.text {
				t.Errorf("parsed %+v, %v, want ENODEV and %q", ack, err, test.text)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	good := newMessage(unix.RTM_NEWLINK, 0, interfaceInfo(0, 0))
	good.text(unix.IFLA_IFNAME, "eth0")
	whole := good.finish(1)
	longer := bytes.Clone(whole)
	binary.NativeEndian.PutUint32(longer, uint32(len(longer)+1))
	for name, b := range map[string][]byte{"half a header": whole[:9], "a length beyond the end": longer, "no length": make([]byte, 16)} {
		if list, err := parseMessages(b); !errors.Is(err, errMalformed) {
			t.Errorf("%s: parsed as %v, %v", name, list, err)
		}
	}
	binary.NativeEndian.PutUint16(whole[unix.SizeofNlMsghdr+unix.SizeofIfInfomsg:], 200)
	if _, err := parseLink(whole[unix.SizeofNlMsghdr:]); !errors.Is(err, errMalformed) {
		t.Errorf("an attribute beyond the end: %v", err)
	}
	if _, err := parseLink(whole[unix.SizeofNlMsghdr:][:10]); !errors.Is(err, errMalformed) {
		t.Errorf("half an ifinfomsg: %v", err)
	}
}

// FuzzParse feeds the parsers with whatever bytes: they must neither panic nor
// hang, and what they answer lies within the bytes given.
func FuzzParse(f *testing.F) {
	m := newMessage(unix.RTM_NEWLINK, create, interfaceInfo(7, unix.IFF_UP))
	m.text(unix.IFLA_IFNAME, "eth0")
	m.nest(unix.IFLA_LINKINFO, func() { m.text(unix.IFLA_INFO_KIND, "veth") })
	f.Add(m.finish(1))
	f.Add(append(m.finish(1), m.finish(2)...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseMessages(b)
		if err != nil && !errors.Is(err, errMalformed) {
			t.Fatal(err)
		}
		total := 0
		for _, m := range list {
			total += unix.SizeofNlMsghdr + len(m.body)
			parseLink(m.body)
			parseAddress(m.body)
			parseRoute(m.body)
			parseAcknowledgment(m)
		}
		if total > len(b) {
			t.Fatalf("%d bytes of messages from %d bytes", total, len(b))
		}
	})
}
