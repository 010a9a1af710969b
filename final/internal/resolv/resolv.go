// Package resolv makes a container's resolv.conf(5) from the host's.
//
// A copy will not do where the host asks a resolver on its own loopback
// interface, as systemd-resolved (127.0.0.53) or dnsmasq are: 127.0.0.0/8 in the
// container is the container itself.
package resolv

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// behindResolved is where systemd-resolved lists the servers that it asks itself.
const behindResolved = "run/systemd/resolve/resolv.conf"

// none is what the file says where no server is left. To ask one that the
// host's owner did not choose would tell a stranger every name that is looked up.
const none = "# The host has no name server that a container can reach: write `nameserver ADDRESS` here.\n"

// ResolvConf is the text of resolv.conf for a container with a network
// namespace of its own. host is the folder that is the host's root: "/". Where
// the host's resolver is on loopback, and systemd-resolved knows others, those
// are taken. What remains on loopback is left out.
func ResolvConf(host string) string {
	text, err := os.ReadFile(filepath.Join(host, "etc/resolv.conf"))
	if err != nil {
		return none
	}
	reachable, servers, left := withoutLoopback(string(text))
	if left > 0 && left == servers { // a file without any means localhost
		return reachable
	}
	if text, err := os.ReadFile(filepath.Join(host, behindResolved)); err == nil {
		if others, _, n := withoutLoopback(string(text)); n > 0 {
			return others
		}
	}
	if left == 0 {
		return reachable + none
	}
	return reachable
}

// withoutLoopback is text without the servers on loopback, how many servers
// were in it, and how many are left.
func withoutLoopback(text string) (reachable string, servers, left int) {
	var b strings.Builder
	for _, line := range strings.SplitAfter(text, "\n") {
		words := strings.Fields(line)
		if len(words) >= 2 && words[0] == "nameserver" {
			servers++
			if address, err := netip.ParseAddr(words[1]); err == nil && address.Unmap().IsLoopback() {
				continue
			}
			left++
		}
		b.WriteString(line)
	}
	if reachable = b.String(); reachable != "" && !strings.HasSuffix(reachable, "\n") {
		reachable += "\n"
	}
	return reachable, servers, left
}
