package firewall

import "fmt"

// tableName is the name of our table of nftables.
const tableName = "gonsrun"

// nft is nftables, by its tool nft(8).
type nft struct{ path string }

func findNFT() tool {
	if path := find("nft"); path != "" {
		return nft{path}
	}
	return nil
}

func (t nft) name() string { return t.path }

func (t nft) present(known chains) bool {
	return known.has(tableName, "postrouting") && !known.dropsForward()
}

// passes: a table of nftables has no part in what another decides.
func (t nft) passes(c chain) bool { return c.table == tableName }

// add makes the table anew: whatever was in it is replaced, all at once.
// Removing what is there takes four times as long, and is done only then.
func (t nft) add(known chains, n network, w work) error {
	anew := ""
	if !known.supported || known.hasTable(tableName) {
		anew = fmt.Sprintf("add table ip %[1]s; delete table ip %[1]s; ", tableName)
	}
	// Outward: what leaves the containers' network gets the host's address as
	// sender, and answers find back. Inward: no new conversations.
	return w.run(t.path, "", anew+fmt.Sprintf("table ip %[1]s {"+
		" chain postrouting { type nat hook postrouting priority srcnat; ip saddr %[2]s oifname != %[3]q masquerade; };"+
		" chain forward { type filter hook forward priority filter; iifname != %[3]q oifname %[3]q ct state new drop; };"+
		" }", tableName, n.prefix, n.bridge))
}

// remove removes the table, unless somebody else did.
func (t nft) remove(known chains, w work) error {
	if known.supported && !known.hasTable(tableName) {
		return nil
	}
	return w.run(t.path, "", "delete table ip "+tableName)
}
