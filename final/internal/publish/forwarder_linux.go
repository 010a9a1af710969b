package publish

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Forwarder listens on ports of the host.
type Forwarder struct {
	listeners []listener
}

// listener is a socket that listens, and what for.
type listener struct {
	Mapping
	*socket
}

// Listen opens the host's ports of all mappings, so that one that is in use is
// known before a container is made for it. What connects from now on waits
// until Serve is called. After an error no port is open.
func Listen(mappings []Mapping) (*Forwarder, error) {
	f := &Forwarder{}
	for _, m := range mappings {
		s, err := m.listen()
		if err != nil {
			f.Close()
			return nil, m.explain(err)
		}
		f.listeners = append(f.listeners, listener{m, s})
	}
	return f, nil
}

// Serve begins to forward to the container that has this IPv4 address, and
// returns. It goes on until Close.
func (f *Forwarder) Serve(container netip.Addr) {
	for _, l := range f.listeners {
		to := unix.SockaddrInet4{Addr: container.As4(), Port: int(l.ContainerPort)}
		if l.Protocol == "udp" {
			go serveUDP(l.socket, to)
		} else {
			go serveTCP(l.socket, to)
		}
	}
}

// Close closes the host's ports. TCP connections that are open live on until
// one of their ends closes them, or the process ends.
func (f *Forwarder) Close() error {
	var all error
	for _, l := range f.listeners {
		all = errors.Join(all, l.Close())
	}
	return all
}

// listen opens the host's port.
func (m Mapping) listen() (*socket, error) {
	if m.HostIP.IsValid() {
		return m.listenOn(m.HostIP)
	}
	// One IPv6 socket that takes IPv4 too is every address of the host.
	s, err := m.listenOn(netip.IPv6Unspecified())
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
		return m.listenOn(netip.IPv4Unspecified()) // a kernel without IPv6
	}
	return s, err
}

func (m Mapping) listenOn(address netip.Addr) (*socket, error) {
	family, kind := unix.AF_INET, unix.SOCK_STREAM
	if address.Is6() {
		family = unix.AF_INET6
	}
	if m.Protocol == "udp" {
		kind = unix.SOCK_DGRAM
	}
	s, err := newSocket(family, kind)
	if err != nil {
		return nil, err
	}
	if err := s.control(func(fd int) error { return m.bind(fd, address) }); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// bind gives the socket its address, and opens it.
func (m Mapping) bind(fd int, address netip.Addr) error {
	var at unix.Sockaddr = &unix.SockaddrInet6{Addr: address.As16(), Port: int(m.HostPort)}
	if address.Is4() {
		at = &unix.SockaddrInet4{Addr: address.As4(), Port: int(m.HostPort)}
	} else if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
		return os.NewSyscallError("setsockopt IPV6_V6ONLY", err)
	}
	if m.Protocol == "udp" {
		if err := askForDestination(fd, address); err != nil {
			return err
		}
		return os.NewSyscallError("bind", unix.Bind(fd, at))
	}
	// Connections of a listener that is gone, which the kernel keeps for a
	// minute, are no reason to refuse the port to the next.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return os.NewSyscallError("setsockopt SO_REUSEADDR", err)
	}
	if err := unix.Bind(fd, at); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return os.NewSyscallError("listen", unix.Listen(fd, unix.SOMAXCONN))
}

// explain says what an error of listen means, and what to type.
func (m Mapping) explain(err error) error {
	var advice string
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		listen := map[string]string{"tcp": "ss -ltnp", "udp": "ss -lunp"}[m.Protocol]
		advice = fmt.Sprintf("port %d of the host is in use: `%s sport = %[1]d` shows by whom; or take another", m.HostPort, listen)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		advice = fmt.Sprintf("%s is no address of this host: `ip address` shows them", m.HostIP)
	case errors.Is(err, unix.EACCES):
		advice = fmt.Sprintf("port %d is below 1024, and needs root: take a higher one", m.HostPort)
	default:
		return fmt.Errorf("-p %s: %w", m, err)
	}
	return fmt.Errorf("-p %s: %s: %w", m, advice, err)
}
