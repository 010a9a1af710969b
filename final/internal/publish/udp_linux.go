package publish

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// UDP has no connections. To know which client an answer is for, each client
// gets a socket of its own towards the container, for as long as it is in use.
const (
	flowIdle    = 90 * time.Second
	maxFlows    = 1024     // at once, for one port: whoever comes then is not heard
	maxDatagram = 64 << 10 // bytes
)

// flow is one client's conversation with the container.
type flow struct {
	*socket
	client  unix.Sockaddr
	control []byte // says to which address of the host the client speaks
}

// flowKey tells flows apart: a client may speak to two addresses of the host.
type flowKey struct {
	client  netip.AddrPort
	control string
}

// udpServer serves one port. Nothing but its buffers is shared by its flows.
type udpServer struct {
	listener *socket
	to       unix.SockaddrInet4
	idle     time.Duration

	mutex   sync.Mutex
	flows   map[flowKey]*flow
	answers []byte // whoever passes on an answer holds the mutex
}

// askForDestination makes the kernel tell, with each datagram, to which address
// of the host it came: the answer must come from the same.
func askForDestination(fd int, address netip.Addr) error {
	if address.Is4() {
		return os.NewSyscallError("setsockopt IP_PKTINFO", unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1))
	}
	return os.NewSyscallError("setsockopt IPV6_RECVPKTINFO", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
}

// serveUDP passes on datagrams until the listener is closed.
func serveUDP(listener *socket, to unix.SockaddrInet4) {
	s := newUDPServer(listener, to, flowIdle)
	s.serve()
}

func newUDPServer(listener *socket, to unix.SockaddrInet4, idle time.Duration) *udpServer {
	return &udpServer{listener: listener, to: to, idle: idle, flows: map[flowKey]*flow{}, answers: make([]byte, maxDatagram)}
}

func (s *udpServer) serve() {
	datagram, control := make([]byte, maxDatagram), make([]byte, 128)
	var n, controlled int
	var client unix.Sockaddr
	read := func(fd int) (err error) {
		n, controlled, _, client, err = unix.Recvmsg(fd, datagram, control, 0)
		return err
	}
	for {
		err := s.listener.whenReadable(read)
		switch {
		case err == nil:
			s.pass(datagram[:n], control[:controlled], client)
		case errors.Is(err, os.ErrClosed):
			s.end()
			return
		default:
			time.Sleep(rest)
		}
	}
}

// pass passes a client's datagram on to the container. One that finds no room
// on the way is lost, as UDP allows.
func (s *udpServer) pass(datagram, control []byte, client unix.Sockaddr) {
	f, err := s.flowOf(flowKey{addrPort(client), string(control)}, client)
	if err != nil {
		return
	}
	_ = f.file.SetReadDeadline(time.Now().Add(s.idle))
	_ = f.socket.control(func(fd int) error {
		_, err := unix.Write(fd, datagram)
		return err
	})
}

// flowOf finds the flow of a client, or begins it.
func (s *udpServer) flowOf(key flowKey, client unix.Sockaddr) (*flow, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if f := s.flows[key]; f != nil {
		return f, nil
	}
	if len(s.flows) >= maxFlows {
		return nil, unix.ENOBUFS
	}
	out, err := newSocket(unix.AF_INET, unix.SOCK_DGRAM)
	if err != nil {
		return nil, err
	}
	if err := out.control(func(fd int) error { return unix.Connect(fd, &s.to) }); err != nil {
		out.Close()
		return nil, err
	}
	f := &flow{socket: out, client: client, control: []byte(key.control)}
	s.flows[key] = f
	go s.answer(key, f)
	return f, nil
}

// answer passes the container's answers back, until there are none for a while.
func (s *udpServer) answer(key flowKey, f *flow) {
	_ = f.file.SetReadDeadline(time.Now().Add(s.idle))
	for {
		err := f.whenReadable(func(fd int) error { return s.answerOnce(fd, f) })
		if err != nil && !errors.Is(err, unix.ECONNREFUSED) { // nobody listens in there yet
			break
		}
		_ = f.file.SetReadDeadline(time.Now().Add(s.idle))
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.flows, key)
	f.Close()
}

// answerOnce passes back one datagram. What the kernel told of the client's
// datagram is what it wants to be told for the answer: the host's address.
func (s *udpServer) answerOnce(fd int, f *flow) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	n, err := unix.Read(fd, s.answers)
	if err != nil {
		return err
	}
	_ = s.listener.control(func(fd int) error {
		return unix.Sendmsg(fd, s.answers[:n], f.control, f.client, 0)
	})
	return nil
}

// end ends all flows.
func (s *udpServer) end() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, f := range s.flows {
		f.Close()
	}
}

func addrPort(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}
