package trace

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// spoken are the messages that a traced program sends and gets, with what was said
// of each.
func spoken(t *testing.T, name string, args ...string) (sent, got []Message) {
	t.Helper()
	if unix.Geteuid() != 0 {
		missing(t, "a network namespace takes root")
	}
	h := start(t, name, args...)
	tracer := h.seize(t)
	follow(tracer, func(e Event) {
		switch {
		case e.Call == nil:
		case e.Kind == Entry:
			e.Call.Read()
		case e.Kind == Exit && e.Call.Messages == nil:
			e.Call.ReadAnswer()
			got = append(got, e.Call.Messages...)
		case e.Kind == Exit && e.Call.Errno() == 0:
			sent = append(sent, e.Call.Messages...)
		}
		carryOn(tracer, e)
	})
	return sent, got
}

func textsOf(list []Message) (all []string) {
	for _, m := range list {
		all = append(all, m.Text)
	}
	return all
}

// What ip(8) sends is told as the command that was typed.
func TestMessagesOfIP(t *testing.T) {
	ip, err := exec.LookPath("ip")
	if err != nil {
		missing(t, "ip is not installed")
	}
	commands := []string{
		"ip link set lo up",
		"ip link add br0 type bridge",
		"ip link set br0 up",
		"ip link add veth0 type veth peer name eth0",
		"ip link set veth0 master br0",
		"ip link set veth0 name veth1",
		"ip link set br0 down",
		"ip link set br0 up",
		"ip link set eth0 netns 1",
		"ip address add 10.1.0.1/16 dev br0",
		"ip address add fd00::5/64 dev br0",
		"ip route add default via 10.1.0.9",
		"ip route add 192.0.2.0/24 via 10.1.0.8 dev br0",
		"ip route delete default via 10.1.0.9",
		"ip neighbor add 10.1.0.3 dev br0",
		"ip address delete 10.1.0.1/16 dev br0",
		"ip link delete br0",
	}
	script := filepath.Join(t.TempDir(), "script")
	text := "#!/bin/sh\n"
	for _, c := range commands {
		line := strings.Replace(c, "ip ", ip+" ", 1)
		if strings.Contains(c, "neighbor") {
			line += " lladdr 02:42:0a:00:00:03"
		}
		if strings.Contains(c, "netns") {
			line = strings.Replace(line, "netns 1", "netns $$", 1)
		}
		text += line + "\n"
	}
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	sent, got := spoken(t, "become", script)
	var changes []string
	for _, m := range sent {
		if m.Type&3 != 2 && m.Text != m.TypeName { // no question; ip tries first whether the kernel knows RTM_NEWLINK
			changes = append(changes, m.Text)
		}
	}
	for i, c := range commands {
		if i >= len(changes) || !sameCommand(changes[i], c) {
			t.Errorf("ip sent %q, expected %q", at(changes, i), c)
		}
	}
	if len(changes) != len(commands) {
		t.Errorf("%d commands sent %q", len(commands), changes)
	}
	done := 0
	for _, m := range got {
		if m.Type == unix.NLMSG_ERROR && m.Errno == 0 {
			done++
		}
	}
	if done < len(commands) {
		t.Errorf("%d commands, and %d were answered with success: %q", len(commands), done, textsOf(got))
	}
}

// sameCommand compares two commands of ip; the pid of a namespace may be any.
func sameCommand(a, b string) bool {
	before, pid, _ := strings.Cut(a, " netns ")
	if _, err := strconv.Atoi(pid); err == nil {
		a = before + " netns 1"
	}
	return a == b
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// The fields of the messages that a container needs.
func TestMessages(t *testing.T) {
	sent, got := spoken(t, "calls", filepath.Join(t.TempDir(), "same"), "netlink")
	wants := []Message{
		{Type: unix.RTM_NEWLINK, Name: "lo", Up: true, Text: "ip link set lo up"},
		{Type: unix.RTM_NEWLINK, Name: "br0", Up: true, Kind: "bridge", Text: "ip link add br0 up type bridge"},
		{Type: unix.RTM_NEWLINK, Name: "veth0", Up: true, Kind: "veth", Master: "br0", Peer: "eth0", Text: "ip link add veth0 master br0 up type veth peer name eth0"},
		{Type: unix.RTM_NEWLINK, Name: "br0", Kind: "bridge", Text: "ip link add br0 type bridge"},
		{Type: unix.RTM_NEWADDR, Name: "br0", Index: 2, Address: "10.88.0.1/16", Text: "ip address add 10.88.0.1/16 dev br0"},
		{Type: unix.RTM_NEWADDR, Name: "br0", Index: 2, Address: "fd00::7/64", Text: "ip address add fd00::7/64 dev br0"},
		{Type: unix.RTM_NEWROUTE, Address: "default", Gateway: "10.88.0.9", Text: "ip route add default via 10.88.0.9"},
		{Type: unix.RTM_NEWROUTE, Name: "br0", Index: 2, Address: "192.0.2.0/24", Text: "ip route add 192.0.2.0/24 dev br0"},
		{Type: unix.RTM_NEWNEIGH, Name: "br0", Index: 2, Address: "10.88.0.3", Text: "ip neighbor add 10.88.0.3 dev br0"},
		{Type: unix.RTM_SETLINK, Name: "br0", Index: 2, Down: true, Text: "ip link set br0 down"},
	}
	for i, want := range wants {
		m := Message{}
		if i < len(sent) {
			m = sent[i]
		}
		if m.Sequence != uint32(i+1) || m.TypeName != messageType(m.Type) || m.Flags&unix.NLM_F_REQUEST == 0 {
			t.Errorf("message %d: type %s, flags %#x, sequence %d", i, m.TypeName, m.Flags, m.Sequence)
		}
		want.TypeName, want.Flags, want.Sequence = m.TypeName, m.Flags, m.Sequence
		if m != want {
			t.Errorf("message %d:\n %+v\nexpected\n %+v", i, m, want)
		}
	}
	for sequence, errno := range map[uint32]error{1: nil, 2: nil, 3: nil, 4: unix.EEXIST, 5: nil, 17: unix.ENODEV} {
		i := slices.IndexFunc(got, func(m Message) bool { return m.Sequence == sequence })
		if i < 0 || !got[i].Answers() || got[i].Type != unix.NLMSG_ERROR || errno == nil && got[i].Errno != 0 || errno != nil && got[i].Errno != errno {
			t.Errorf("the answer to %d is not %v: %+v", sequence, errno, got[max(i, 0)])
		}
	}
	var list []string
	for _, m := range got {
		if m.Sequence == 12 && m.Type == unix.RTM_NEWLINK {
			list = append(list, m.Text)
			if m.Answers() {
				t.Errorf("%s of a list answers the request", m.Name)
			}
		}
	}
	if !slices.Contains(list, "interface lo") || !slices.Contains(list, "interface eth0") {
		t.Errorf("the list of links has %q", list)
	}
}

// A packet that is only looked at brings no messages: they come once more.
func TestMessagesPeeked(t *testing.T) {
	const sequence = 18
	sent, got := spoken(t, "calls", filepath.Join(t.TempDir(), "same"), "netlink")
	count := func(list []Message) (n int) {
		for _, m := range list {
			if m.Sequence == sequence {
				n++
			}
		}
		return n
	}
	if asked, answered := count(sent), count(got); asked != answered || asked == 0 {
		t.Errorf("%d messages with the number %d were sent, and %d answered", asked, sequence, answered)
	}
}

// Whatever a program puts into messages, nothing falls over or grows without an end.
func FuzzNetlink(f *testing.F) {
	for _, m := range wrongMessages() {
		f.Add(m)
	}
	one := request(unix.RTM_NEWLINK, 0, 1, link(0, 1, 1, 1), attribute(unix.IFLA_IFNAME, text("a")), attribute(unix.IFLA_LINKINFO, attribute(1, text("veth")), attribute(2, attribute(1, link(0, 1, 1, 1), attribute(unix.IFLA_NET_NS_FD, words(3))))))
	f.Add(one)
	f.Add(request(unix.NLMSG_ERROR, 0, 1, words(0xffffffef), one, attribute(1, text("text"))))
	nested := one
	for range 12 {
		nested = request(unix.NLMSG_ERROR, 0, 1, words(0xffffffef), nested)
	}
	f.Add(nested)
	f.Add(request(unix.RTM_NEWROUTE, 0, 1, []byte{unix.AF_INET6, 200, 0, 0, 0, 0, 0, 0}, words(0), attribute(unix.RTA_DST, []byte("0123456789abcdef"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &netlinkPrinter{nameOf: func(index uint32) string { return "if" + strconv.Itoa(int(index%3)) }, descriptor: func(fd uint64) string { return signed(fd) + "<net:[1]>" }}
		begin := time.Now()
		list, text := p.readMessages(data), p.messages(data)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%d bytes take %v", len(data), took)
		}
		if len(list) > len(data)/headerLength {
			t.Errorf("%d messages in %d bytes", len(list), len(data))
		}
		if len(text) > 4096+64*len(data) {
			t.Errorf("%d bytes of text for %d bytes", len(text), len(data))
		}
		if i := strings.IndexFunc(text, func(r rune) bool { return r != '…' && (r < ' ' || r > '~') }); i >= 0 {
			t.Errorf("raw text: %q", text)
		}
		for _, m := range list {
			if strings.ContainsFunc(m.Text, unicode.IsControl) {
				t.Errorf("raw text: %q", m.Text)
			}
		}
	})
}
