// Package publish forwards ports of the host to a container: what connects to
// the host's port is connected to the container's.
//
// The forwarder is a part of the container's supervisor, an ordinary program
// with sockets, and needs no rule in the firewall: so it works from the host's
// own 127.0.0.1 too, ends with the supervisor, and leaves nothing behind. TCP
// is passed on by splice(2), which moves the bytes inside the kernel. Package
// net would cost the supervisor nearly a MiB of memory; sockets by their own
// system calls, waited for by Go's poller, cost a twentieth of it.
package publish

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Mapping says which port of the host leads to which of the container.
type Mapping struct {
	HostIP        netip.Addr // address of the host to listen on; the zero Addr is every one
	HostPort      uint16
	ContainerPort uint16
	Protocol      string // "tcp" or "udp"
}

// Parse reads a mapping as the flag -p has it: [HOSTIP:]PORT:CPORT[/tcp|udp].
// An IPv6 address stands in brackets: [::1]:8080:80.
func Parse(s string) (Mapping, error) {
	wrong := func(format string, args ...any) (Mapping, error) {
		return Mapping{}, fmt.Errorf("-p %s: %s", s, fmt.Sprintf(format, args...))
	}
	m := Mapping{Protocol: "tcp"}
	rest, protocol, has := strings.Cut(s, "/")
	if has {
		m.Protocol = protocol
	}
	if m.Protocol != "tcp" && m.Protocol != "udp" {
		return wrong("the protocol %q is neither tcp nor udp", protocol)
	}
	rest, container, found := cutLast(rest)
	if !found {
		return wrong("two ports are needed, the host's and the container's, as in -p 8080:80")
	}
	address, host, hasAddress := cutLast(rest)
	var err error
	if m.HostPort, err = port(host); err != nil {
		return wrong("the host's port %v", err)
	}
	if m.ContainerPort, err = port(container); err != nil {
		return wrong("the container's port %v", err)
	}
	if !hasAddress {
		return m, nil
	}
	bare, ok := strings.CutPrefix(address, "[")
	if ok {
		bare, ok = strings.CutSuffix(bare, "]")
	}
	if m.HostIP, err = netip.ParseAddr(bare); err != nil || m.HostIP.Is6() != ok || m.HostIP.Zone() != "" {
		return wrong("%q is no IP address, as 127.0.0.1 or [::1] are", address)
	}
	return m, nil
}

// cutLast cuts s at its last colon. Without one all of s is after it.
func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

func port(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no number from 1 to 65535", s)
	}
	return uint16(n), nil
}

// String is the mapping as Parse reads it.
func (m Mapping) String() string {
	text := fmt.Sprintf("%d:%d/%s", m.HostPort, m.ContainerPort, m.Protocol)
	switch {
	case !m.HostIP.IsValid():
		return text
	case m.HostIP.Is6():
		return fmt.Sprintf("[%s]:%s", m.HostIP, text)
	}
	return m.HostIP.String() + ":" + text
}
