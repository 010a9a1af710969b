// Package firewall gives the containers' network a way out, and keeps the way
// in closed: what they send beyond the host leaves with the host's own address
// (masquerading, a kind of NAT), and nobody out there can begin a conversation.
//
// The rules are the system's own tool's work: nft(8), or iptables(8) where that
// is what there is. nft keeps them in a table of our own, gonsrun. But in
// netfilter a packet needs the consent of every table, and whoever drops has the
// last word: where the FORWARD chain of iptables drops by policy, as Docker and
// ufw have it, no table of ours could let a packet through. There the rules go
// into chains of our own among those of iptables, GONSRUN-POSTROUTING and
// GONSRUN-FORWARD, and FORWARD asks ours first. Where yet another table drops,
// [BlockedError] says which, and the rule that its owner can add.
//
// A host forwards packets only when net.ipv4.ip_forward is 1. What it was before
// is written down, and put back by [Remove] if it was us who changed it and
// nobody else has begun to forward since: Docker would have found a 1 there, and
// would not set it again.
//
// The functions are not for use by two processes at once: the containers' pool
// of addresses has a lock for this.
package firewall

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// ErrNoTool is returned where the system has neither nft nor iptables. The
// network works without them, but ends at the host.
var ErrNoTool = errors.New("neither nft nor iptables is installed: containers reach the host and one another, and nothing beyond; to change this: apt-get install nftables")

// BlockedError says that the rules are in place, but another table's chain
// drops what is forwarded.
type BlockedError struct {
	Family, Table, Chain string // as nft(8) names them
	Bridge               string
}

// Error names the chain, and what its owner can type.
func (e *BlockedError) Error() string {
	chain := fmt.Sprintf("%s %s %s", e.Family, e.Table, e.Chain)
	return fmt.Sprintf("the firewall's chain %s drops what is forwarded: containers do not reach beyond this host; to let them:"+
		" nft 'insert rule %s iifname %q accept; insert rule %s oifname %q ct state established,related accept'",
		chain, chain, e.Bridge, chain, e.Bridge)
}

// network is what the rules are about.
type network struct {
	prefix netip.Prefix
	bridge string
}

// A tool knows how to make the rules, and to remove them.
type tool interface {
	name() string
	present(known chains) bool // the rules are there already, and have effect
	passes(c chain) bool       // the rules have a part in what c decides
	add(known chains, n network, w work) error
	remove(known chains, w work) error
}

// Masquerade lets what comes from prefix by the bridge out into the world, with
// the host's address. What it does is recorded in dir, for Remove. Where the
// rules are there already, no tool is run. It calls meanwhile, once, while the
// tool works.
//
// lock is what keeps other processes from calling these functions. The tool holds
// it too: if we are killed, whoever cleans up after us waits until it is done.
//
// Without the way out a container may still be of use: ErrNoTool and
// *BlockedError, and any other error too, are reasons to say so, not to give up.
func Masquerade(dir string, lock *os.File, prefix netip.Prefix, bridge string, meanwhile func()) error {
	w := work{sync.OnceFunc(meanwhile), lock}
	defer w.meanwhile() // where no tool is run
	n := network{prefix, bridge}
	known := askKernel()
	r, err := readRecord(dir)
	if err != nil {
		return err
	}
	if r.tool == nil || r.network != n || !r.tool.present(known) {
		if err := r.change(dir, known, n, w); err != nil {
			return err
		}
	}
	if err := r.forward(dir); err != nil {
		return err
	}
	return known.blocked(r.tool, bridge)
}

// change makes the rules, with the tool that is right for the host as it is now.
func (r *record) change(dir string, known chains, n network, w work) error {
	chosen := choose(known)
	if chosen == nil {
		return ErrNoTool
	}
	if r.tool != nil && r.tool != chosen { // iptables came into use after us
		if err := r.tool.remove(known, work{lock: w.lock}); err != nil {
			return err
		}
	}
	r.tool, r.network = chosen, n
	if err := r.write(dir); err != nil { // first, so that whoever finds it can clean up
		return err
	}
	return r.tool.add(known, n, w)
}

// Remove undoes what Masquerade recorded in dir. Where nothing is recorded,
// nothing happens.
//
// It calls meanwhile, once, while the tool works: whoever removes rules waits in
// the kernel until no packet is under them any more, some ten milliseconds in
// which something else that waits can be done.
func Remove(dir string, lock *os.File, meanwhile func()) error {
	w := work{sync.OnceFunc(meanwhile), lock}
	defer w.meanwhile()           // where no tool is run
	os.Remove(newRecordFile(dir)) // of one who was killed while writing it
	r, err := readRecord(dir)
	if err != nil || r.tool == nil {
		return err
	}
	if err := r.tool.remove(askKernel(), w); err != nil {
		return err
	}
	if err := r.restoreForward(askKernel()); err != nil {
		return err
	}
	if err := os.Remove(recordFile(dir)); err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	return nil
}

// choose picks the tool whose rules have effect on this host, nil for none.
func choose(known chains) tool {
	var order []tool
	switch {
	case known.dropsForward():
		order = append(order, findIPTables(variantNFT))
	case !known.supported, legacyInUse():
		order = append(order, findIPTables(variantLegacy))
	}
	order = append(order, findNFT(), findIPTables(variantAny))
	for _, t := range order {
		if t != nil {
			return t
		}
	}
	return nil
}

// legacyInUse says whether somebody has rules in the older iptables, which the
// kernel keeps apart from nftables.
func legacyInUse() bool {
	tables, _ := os.ReadFile("/proc/net/ip_tables_names") // absent without its module
	return strings.Contains(string(tables), "filter\n")
}

// searchPath is where tools are looked for: an ordinary user's PATH, which a
// careless su keeps, leaves out the folders of the administrator's.
var searchPath = func() []string {
	return append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin")
}

// find is the path of a program, "" for none.
func find(name string) string {
	for _, dir := range searchPath() {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && filepath.IsAbs(path) {
			return path
		}
	}
	return ""
}
