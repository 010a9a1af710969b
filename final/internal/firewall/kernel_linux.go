package firewall

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// chains are the chains of nftables, which are those of iptables-nft too.
type chains struct {
	supported bool // the kernel has nftables, and answered
	list      []chain
}

// chain is one of them. hook and drops are for base chains: those that the
// kernel enters by itself, not by a rule's jump.
type chain struct {
	family      string // ip, inet, …
	table, name string
	base        bool
	hook        uint32 // NF_INET_FORWARD, …
	drops       bool   // what no rule decides on is dropped
}

// families are named as nft names them.
var families = [256]string{unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6",
	unix.NFPROTO_ARP: "arp", unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev"}

// has says whether there is such a chain of the family ip.
func (c chains) has(table, name string) bool {
	for _, chain := range c.list {
		if chain.family == "ip" && chain.table == table && chain.name == name {
			return true
		}
	}
	return false
}

// hasTable says whether there is such a table of the family ip, with anything in it.
func (c chains) hasTable(name string) bool {
	return slices.ContainsFunc(c.list, func(chain chain) bool { return chain.family == "ip" && chain.table == name })
}

// forwards says whether the chain decides about IPv4 packets that are passed on.
func (c chain) forwards() bool {
	return c.base && (c.family == "ip" || c.family == "inet") && c.hook == unix.NF_INET_FORWARD
}

// isIPTablesForward says whether it is the one that iptables calls FORWARD.
func (c chain) isIPTablesForward() bool {
	return c.family == "ip" && c.table == "filter" && c.name == "FORWARD"
}

// dropsForward says whether iptables' FORWARD drops by policy.
func (c chains) dropsForward() bool {
	for _, chain := range c.list {
		if chain.isIPTablesForward() && chain.drops {
			return true
		}
	}
	return false
}

// blocked is the error for a chain that drops what is forwarded, and that the
// tool's rules have no part in.
func (c chains) blocked(t tool, bridge string) error {
	for _, chain := range c.list {
		if chain.forwards() && chain.drops && !t.passes(chain) {
			return &BlockedError{chain.family, chain.table, chain.name, bridge}
		}
	}
	return nil
}

// forwardingOfOthers says whether a table other than ours has a chain for
// packets that are passed on. An empty FORWARD that accepts is what iptables
// leaves behind wherever it was used, and no sign of anybody.
func (c chains) forwardingOfOthers() bool {
	for _, chain := range c.list {
		if chain.forwards() && chain.table != tableName && (chain.drops || !chain.isIPTablesForward()) {
			return true
		}
	}
	return false
}

// askKernel asks for the list of chains with one message (the format is that
// of linux/netfilter/nf_tables.h). Running nft would take a hundred times as
// long, and its answer would have to be parsed too.
func askKernel() chains {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return chains{} // EPROTONOSUPPORT: no netfilter here
	}
	defer unix.Close(fd)
	question := make([]byte, unix.SizeofNlMsghdr+4) // and struct nfgenmsg: any family, version 0
	binary.NativeEndian.PutUint32(question, uint32(len(question)))
	binary.NativeEndian.PutUint16(question[4:], unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETCHAIN)
	binary.NativeEndian.PutUint16(question[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if err := unix.Sendto(fd, question, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return chains{}
	}
	var known chains
	buffer := make([]byte, 32<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return chains{}
		}
		done, err := known.read(buffer[:n])
		if err != nil {
			return chains{}
		}
		if done {
			known.supported = true
			return known
		}
	}
}

// read takes in what one recvfrom(2) brought. done means that there is no more.
func (c *chains) read(b []byte) (done bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.SizeofNlMsghdr || length > len(b) {
			return false, fmt.Errorf("malformed message of %d bytes", length)
		}
		body := b[unix.SizeofNlMsghdr:length]
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			return false, fmt.Errorf("refused") // the kernel has no nftables, or we no right to ask
		default:
			c.add(body)
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return false, nil
}

// add reads the description of a chain: struct nfgenmsg and attributes, whose
// numbers are in the network's byte order.
func (c *chains) add(body []byte) {
	if len(body) < 4 {
		return
	}
	found := attributes(body[4:])
	hook := found[unix.NFTA_CHAIN_HOOK]
	c.list = append(c.list, chain{
		family: families[body[0]],
		table:  unix.ByteSliceToString(found[unix.NFTA_CHAIN_TABLE]),
		name:   unix.ByteSliceToString(found[unix.NFTA_CHAIN_NAME]),
		base:   hook != nil,
		hook:   number(attributes(hook)[unix.NFTA_HOOK_HOOKNUM]),
		drops:  hook != nil && len(found[unix.NFTA_CHAIN_POLICY]) == 4 && number(found[unix.NFTA_CHAIN_POLICY]) == 0, // NF_DROP
	})
}

// attributes cuts b into attributes, by type, up to the first that is malformed.
func attributes(b []byte) map[uint16][]byte {
	found := map[uint16][]byte{}
	for len(b) >= unix.SizeofNlAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofNlAttr || length > len(b) {
			break
		}
		found[binary.NativeEndian.Uint16(b[2:])&^unix.NLA_F_NESTED] = b[unix.SizeofNlAttr:length]
		b = b[min((length+3)&^3, len(b)):]
	}
	return found
}

func number(b []byte) uint32 {
	if len(b) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}
