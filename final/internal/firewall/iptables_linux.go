package firewall

import (
	"fmt"
	"path/filepath"
	"strings"
)

// iptables is iptables(8), in either of its variants: the newer keeps its rules
// in nftables, the older in a place of its own.
type iptables struct{ path string }

// variant is a wish.
type variant int

const (
	variantAny variant = iota
	variantNFT
	variantLegacy
)

// part is what we have in one table of iptables: a chain of our own, which a
// chain of the kernel's jumps to.
type part struct {
	table, parent, chain string
	jump                 string // -A at the end of parent, -I at its beginning
}

var parts = []part{
	{"nat", "POSTROUTING", "GONSRUN-POSTROUTING", "-A"},
	{"filter", "FORWARD", "GONSRUN-FORWARD", "-I"},
}

// rules are the rules of a part. Outward: what leaves the containers' network gets
// the host's address as sender, and answers find back. Inward: no new conversations.
func (p part) rules(n network) []string {
	if p.table == "nat" {
		return []string{fmt.Sprintf("-s %s ! -o %s -j MASQUERADE", n.prefix, n.bridge)}
	}
	return []string{
		fmt.Sprintf("-i %s -j ACCEPT", n.bridge),
		fmt.Sprintf("-o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", n.bridge),
		fmt.Sprintf("-o %s -j DROP", n.bridge),
	}
}

// findIPTables finds iptables of a variant.
func findIPTables(v variant) tool {
	names := map[variant][]string{variantAny: {"iptables"}, variantNFT: {"iptables-nft", "iptables"}, variantLegacy: {"iptables-legacy", "iptables"}}
	for _, name := range names[v] {
		t := iptables{find(name)}
		if t.path != "" && (v == variantAny || t.isNFT() == (v == variantNFT)) {
			return t
		}
	}
	return nil
}

// isNFT says which variant it is: all names lead to one of two programs, such
// as xtables-nft-multi.
func (t iptables) isNFT() bool {
	program, err := filepath.EvalSymlinks(t.path)
	return err == nil && strings.Contains(filepath.Base(program), "nft")
}

func (t iptables) name() string { return t.path }

func (t iptables) present(known chains) bool {
	for _, p := range parts {
		if !t.has(known, p) {
			return false
		}
	}
	return true
}

func (t iptables) passes(c chain) bool { return c.isIPTablesForward() }

// has says whether a part is there. Each is made and removed as a whole.
func (t iptables) has(known chains, p part) bool {
	if t.isNFT() {
		return known.has(p.table, p.chain)
	}
	return work{}.run(t.path, "", "--wait", "-t", p.table, "-C", p.parent, "-j", p.chain) == nil
}

// add makes the parts, with one run of iptables-restore(8). A chain that is
// declared with a colon is made, or emptied.
func (t iptables) add(known chains, n network, w work) error {
	var text strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&text, "*%s\n:%s - [0:0]\n", p.table, p.chain)
		for _, rule := range p.rules(n) {
			fmt.Fprintf(&text, "-A %s %s\n", p.chain, rule)
		}
		if !t.has(known, p) {
			fmt.Fprintf(&text, "%s %s -j %s\n", p.jump, p.parent, p.chain)
		}
		text.WriteString("COMMIT\n")
	}
	return t.restore(w, text.String())
}

// remove removes the parts that are there.
func (t iptables) remove(known chains, w work) error {
	var text strings.Builder
	for _, p := range parts {
		if t.has(known, p) {
			fmt.Fprintf(&text, "*%s\n-D %s -j %s\n-F %[3]s\n-X %[3]s\nCOMMIT\n", p.table, p.parent, p.chain)
		}
	}
	if text.Len() == 0 {
		return nil
	}
	return t.restore(w, text.String())
}

// restore gives text to iptables-restore; what it does not mention stays.
func (t iptables) restore(w work, text string) error {
	return w.run(t.path+"-restore", text, "--noflush", "--wait")
}
