package narrate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// networkChapter is interfaces, addresses and routes, which programs make by messages to
// the kernel (rtnetlink(7)), and the firewall, for which they run a tool.
func networkChapter() chapter {
	return chapter{"network", []rule{
		{calls: sending, when: both(message(unix.RTM_NEWLINK), makes("bridge")), why: "A new bridge appears, %s: a switch made of software.", about: link, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: both(message(unix.RTM_NEWLINK), makes("veth"), toNamespace), why: "A virtual cable goes from %s into another network.", about: link, man: "veth(4)", fold: messages, item: messageText},
		{calls: sending, when: both(message(unix.RTM_NEWLINK), makes("veth")), why: "A virtual cable: what goes in at %s comes out at the other end.", about: link, man: "veth(4)", fold: messages, item: messageText},
		{calls: sending, when: both(message(unix.RTM_NEWLINK), makesAny), why: "A new network interface appears: %s.", about: messageText, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: both(changesLink, toNamespace), why: "The interface %s moves into another network namespace.", about: link, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: both(changesLink, toBridge), why: "An interface is plugged into another: %s.", about: plugged, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: both(changesLink, comesUp, isLoopback), why: "The loopback interface goes up: now 127.0.0.1 answers.", man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: both(changesLink, comesUp), why: "The interface %s is switched on.", about: link, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: both(changesLink, goesDown), why: "The interface %s is switched off.", about: link, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: changesLink, why: "A network interface changes: %s.", about: messageText, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: both(message(unix.RTM_DELLINK), ofGroup), why: "The network interfaces of one group go.", man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: message(unix.RTM_DELLINK), why: "A network interface goes: %s. Of a virtual cable, the other end goes, too.", about: link, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: message(unix.RTM_NEWADDR), why: "An interface gets an address: %s.", about: addressed, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: message(unix.RTM_DELADDR), why: "An interface loses an address: %s.", about: addressed, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: both(message(unix.RTM_NEWROUTE), isDefault), why: "What has no other way goes to the gateway %s.", about: gateway, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: message(unix.RTM_NEWROUTE), why: "Packets for these addresses go this way: %s.", about: messageText, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: message(unix.RTM_DELROUTE), why: "A way for packets goes: %s.", about: messageText, man: rtnetlink, fold: messages, item: messageText},
		{calls: sending, when: changesNetwork, why: "A message to the kernel changes the network: %s.", about: messageText, man: rtnetlink, fold: messages, item: messageText},

		{calls: writing, when: both(networkSysctl, file("ip_forward"), writes("1")), why: "From now on packets of others are passed on: a router.", man: "ip(7)"},
		{calls: writing, when: both(networkSysctl, file("ip_forward")), why: "Packets of others are no longer passed on.", man: "ip(7)"},
		{calls: writing, when: both(networkSysctl, file("ping_group_range")), why: "Users in these groups may ping, without a right to raw packets.", man: "icmp(7)"},
		{calls: writing, when: both(networkSysctl, file("ip_unprivileged_port_start")), why: "Ports from this number on may be used without privileges.", man: "ip(7)"},
		{calls: writing, when: networkSysctl, why: "A setting of this network namespace changes: %s.", about: sysctlName, man: "proc(5)"},

		helper("slirp4netns connects a network namespace to the outside, without root.", "slirp4netns(1)", "slirp4netns"),
		helper("pasta connects a network namespace to the outside, without root.", "pasta(1)", "pasta", "pasta.avx2"),
		helper("netavark sets up or removes a container's network.", "", "netavark"),
		helper("aardvark-dns tells containers each other's addresses by name.", "", "aardvark-dns"),
		helper("ip shows or changes interfaces, addresses and routes.", "ip(8)", "ip"),
		helper("tc shows or changes how packets are queued.", "tc(8)", "tc"),

		{calls: execs, when: both(runs("nft"), inRules("masquerade"), inRules("drop")), why: "Out with the host's address: no new connections come in.", man: "nft(8)"},
		{calls: execs, when: both(runs("nft"), inRules("masquerade")), why: masquerades, man: "nft(8)"},
		{calls: execs, when: both(runs("nft"), inRules("delete", "flush")), why: "Rules of the firewall go.", man: "nft(8)"},
		{calls: execs, when: both(runs("nft"), inRules("list")), why: "nft lists rules of the firewall.", man: "nft(8)"},
		{calls: execs, when: runs("nft"), why: "nft changes rules of the firewall.", man: "nft(8)"},

		{calls: execs, when: both(runsIPTables, argument("-C", "--check")), why: "Is this rule of the firewall there already?", man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: both(runsIPTables, argument("-S", "-L", "--list-rules", "--list", "-V", "--version")), why: "iptables is only asked, and changes nothing.", man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: both(runsIPTables, argument("-D", "--delete", "-F", "--flush", "-X", "--delete-chain")), why: "Rules of the firewall go.", man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: both(runsIPTables, argument("-N", "--new-chain")), why: "A new chain begins: a list of rules that others can jump to.", man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: both(runsIPTables, argument("-P", "--policy")), why: "This says what becomes of packets that no rule decides on.", man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: both(runsIPTables, argument("MASQUERADE")), why: masquerades, man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: both(runsIPTables, argument("SNAT")), why: "Packets that leave get another sender's address.", man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: both(runsIPTables, argument("DNAT", "REDIRECT")), why: "Packets get another destination, as for a published port.", man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: both(runsIPTables, argument("ACCEPT")), why: "These packets may pass.", man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: both(runsIPTables, argument("DROP", "REJECT")), why: "These packets may not pass.", man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: both(runsIPTables, argument("-A", "--append", "-I", "--insert")), why: "A new rule says which packets go to which chain.", man: "iptables(8)", fold: firewall, item: ruleText},
		{calls: execs, when: runsIPTables, why: "iptables changes rules of the firewall.", man: "iptables(8)", fold: firewall, item: ruleText},
	}}
}

const (
	sending   = "sendto sendmsg write pwrite64"
	execs     = "execve execveat"
	rtnetlink = "rtnetlink(7)"

	messages    = "messages"
	masquerades = "What leaves gets the host's address as its sender, so that answers find back."
	firewall    = "firewall"
)

// changing is the first message of a call that changes something, nil for none. Of
// four types in a row the third, GET, only asks.
func changing(c *trace.Call) *trace.Message {
	for i := range c.Messages {
		if m := &c.Messages[i]; m.Type >= unix.RTM_NEWLINK && m.Type%4 != unix.RTM_GETLINK%4 {
			return m
		}
	}
	return nil
}

func changesNetwork(c *trace.Call) bool { return changing(c) != nil }

// about is true of calls whose message says so.
func about(is func(m *trace.Message) bool) condition {
	return func(c *trace.Call) bool {
		m := changing(c)
		return m != nil && is(m)
	}
}

func message(types ...uint16) condition {
	return about(func(m *trace.Message) bool { return slices.Contains(types, m.Type) })
}

// changesLink is true of a message about an interface, which may be there already.
var changesLink = message(unix.RTM_NEWLINK, unix.RTM_SETLINK)

func makes(kind string) condition {
	return about(func(m *trace.Message) bool { return m.Kind == kind && m.Flags&unix.NLM_F_CREATE != 0 })
}

var (
	makesAny    = about(func(m *trace.Message) bool { return m.Kind != "" && m.Flags&unix.NLM_F_CREATE != 0 })
	toNamespace = about(func(m *trace.Message) bool { return m.PID != 0 || m.Namespace != "" })
	toBridge    = about(func(m *trace.Message) bool { return m.Master != "" })
	comesUp     = about(func(m *trace.Message) bool { return m.Up })
	goesDown    = about(func(m *trace.Message) bool { return m.Down })
	isLoopback  = about(func(m *trace.Message) bool { return m.Name == "lo" })
	ofGroup     = about(func(m *trace.Message) bool { return m.Name == "" && m.Index == 0 })
	isDefault   = about(func(m *trace.Message) bool { return m.Gateway != "" && m.Address == "default" })
)

// link is the interface that a message is about.
func link(c *trace.Call) string {
	switch m := changing(c); {
	case m.Name != "":
		return shown(m.Name)
	case m.Index != 0:
		return fmt.Sprintf("number %d", m.Index)
	}
	return messageText(c)
}

func plugged(c *trace.Call) string { return link(c) + " into " + shown(changing(c).Master) }

func addressed(c *trace.Call) string { return link(c) + " " + shown(changing(c).Address) }

func gateway(c *trace.Call) string { return shown(changing(c).Gateway) }

// messageText is what a message says, in one line.
func messageText(c *trace.Call) string {
	if m := changing(c); m.Text == "" {
		return shown(m.TypeName)
	}
	return shown(changing(c).Text)
}

func networkSysctl(c *trace.Call) bool { return strings.HasPrefix(c.Path, sysctls+"net/") }

// runs is true of an execve of a program with one of these names.
func runs(names ...string) condition { return file(names...) }

func runsIPTables(c *trace.Call) bool {
	name := strings.Replace(base(c), "ip6tables", "iptables", 1)
	return name == "iptables" || strings.HasPrefix(name, "iptables-") || strings.HasPrefix(name, "xtables-")
}

// argument is true of an execve with one of these arguments.
func argument(names ...string) condition {
	return func(c *trace.Call) bool {
		return slices.ContainsFunc(c.List, func(given string) bool { return slices.Contains(names, given) })
	}
}

// inRules is true of an execve with one of these words in its arguments.
func inRules(words ...string) condition {
	return func(c *trace.Call) bool {
		for _, word := range strings.FieldsFunc(strings.Join(c.List, " "), func(r rune) bool { return strings.ContainsRune(" ;{}\n\t", r) }) {
			if slices.Contains(words, word) {
				return true
			}
		}
		return false
	}
}

// ruleText is a run of iptables without its path.
func ruleText(c *trace.Call) string {
	if len(c.List) == 0 {
		return ""
	}
	return shown(strings.Join(append([]string{path.Base(c.List[0])}, c.List[1:]...), " "))
}
