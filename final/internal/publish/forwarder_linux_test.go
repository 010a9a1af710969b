package publish

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// On the loopback interface, 127.0.0.9 plays the container.
var container = netip.MustParseAddr("127.0.0.9")

func addressOf(ip string, port uint16) string { return fmt.Sprintf("%s:%d", ip, port) }

// freePort is a port of the host that nobody listens on.
func freePort(t *testing.T, protocol string) uint16 {
	t.Helper()
	f, err := Listen([]Mapping{{HostIP: netip.MustParseAddr("127.0.0.8"), Protocol: protocol}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return boundPort(t, f)
}

// boundPort is the port that the kernel gave the first listener.
func boundPort(t *testing.T, f *Forwarder) (port uint16) {
	t.Helper()
	err := f.listeners[0].control(func(fd int) error {
		at, err := unix.Getsockname(fd)
		if err == nil {
			port = addrPort(at).Port()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// forward forwards a port of the host to the container's, until the test ends.
func forward(t *testing.T, m Mapping) *Forwarder {
	t.Helper()
	f, err := Listen([]Mapping{m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	f.Serve(container)
	return f
}

// serve listens in the container, and treats each connection.
func serve(t *testing.T, treat func(*net.TCPConn)) (port uint16) {
	t.Helper()
	l, err := net.Listen("tcp4", addressOf(container.String(), 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				treat(conn.(*net.TCPConn))
			}()
		}
	}()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

func dial(t *testing.T, ip string, port uint16) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(ip, fmt.Sprint(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// upper answers a whole message, once it has ended, in capital letters.
func upper(conn *net.TCPConn) {
	text, _ := io.ReadAll(conn)
	conn.Write(bytes.ToUpper(text))
}

func TestTCPOnEveryAddress(t *testing.T) {
	m := Mapping{HostPort: freePort(t, "tcp"), ContainerPort: serve(t, upper), Protocol: "tcp"}
	forward(t, m)
	for _, ip := range []string{"127.0.0.1", "127.0.0.5", "::1"} {
		if ip == "::1" && !hasIPv6() {
			continue
		}
		conn := dial(t, ip, m.HostPort)
		io.WriteString(conn, "half of it ")
		io.WriteString(conn, "and the rest")
		conn.CloseWrite() // the answer comes after this: one direction has ended, the other has not
		if got, err := io.ReadAll(conn); string(got) != "HALF OF IT AND THE REST" {
			t.Errorf("%s answered %q, %v", ip, got, err)
		}
	}
}

func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func TestOneAddressOnly(t *testing.T) {
	m := Mapping{HostIP: netip.MustParseAddr("127.0.0.5"), HostPort: freePort(t, "tcp"), ContainerPort: serve(t, upper), Protocol: "tcp"}
	forward(t, m)
	if conn, err := net.Dial("tcp4", addressOf("127.0.0.1", m.HostPort)); err == nil {
		conn.Close()
		t.Error("127.0.0.1 answers, too")
	}
	conn := dial(t, "127.0.0.5", m.HostPort)
	io.WriteString(conn, "yes")
	conn.CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "YES" {
		t.Errorf("answered %q, %v", got, err)
	}
}

// TestAGiBArrivesWhole sends it there and back at the same time.
func TestAGiBArrivesWhole(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	port := serve(t, func(conn *net.TCPConn) {
		io.Copy(conn, conn)
		conn.CloseWrite()
	})
	m := Mapping{HostPort: freePort(t, "tcp"), ContainerPort: port, Protocol: "tcp"}
	forward(t, m)
	conn := dial(t, "127.0.0.1", m.HostPort)
	sent, got := crc32.New(crc32.MakeTable(crc32.Castagnoli)), crc32.New(crc32.MakeTable(crc32.Castagnoli))
	go func() {
		block := make([]byte, 1<<20)
		random := rand.New(rand.NewSource(1))
		random.Read(block)
		for left := size; left > 0; left -= int64(len(block)) {
			random.Read(block[:64])
			sent.Write(block)
			if _, err := conn.Write(block); err != nil {
				t.Error(err)
				return
			}
		}
		conn.CloseWrite()
	}()
	start := time.Now()
	n, err := io.Copy(got, conn)
	if err != nil || n != size || got.Sum32() != sent.Sum32() {
		t.Errorf("%d of %d bytes came back, checksums %x and %x, %v", n, size, sent.Sum32(), got.Sum32(), err)
	}
	t.Logf("%d MiB there and back in %v", size>>20, time.Since(start).Round(time.Millisecond))
}

func TestManyConnectionsAtOnce(t *testing.T) {
	m := Mapping{HostPort: freePort(t, "tcp"), ContainerPort: serve(t, upper), Protocol: "tcp"}
	forward(t, m)
	var all sync.WaitGroup
	for i := range 200 {
		all.Add(1)
		conn := dial(t, "127.0.0.1", m.HostPort)
		go func() {
			defer all.Done()
			fmt.Fprintf(conn, "number %d", i)
			conn.CloseWrite()
			if got, err := io.ReadAll(conn); string(got) != fmt.Sprintf("NUMBER %d", i) {
				t.Errorf("%d: %q, %v", i, got, err)
			}
		}()
	}
	all.Wait()
}

// TestAFailureIsNoEnd: who gets half a message must not take it for a whole one.
func TestAFailureIsNoEnd(t *testing.T) {
	port := serve(t, func(conn *net.TCPConn) {
		io.WriteString(conn, "half")
		io.ReadFull(conn, make([]byte, 2)) // the client has it
		conn.SetLinger(0)                  // close with a reset
	})
	m := Mapping{HostPort: freePort(t, "tcp"), ContainerPort: port, Protocol: "tcp"}
	forward(t, m)
	conn := dial(t, "127.0.0.1", m.HostPort)
	half := make([]byte, 4)
	io.ReadFull(conn, half)
	io.WriteString(conn, "ok")
	if rest, err := io.ReadAll(conn); string(half) != "half" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after %q: %q, %v, want ECONNRESET", half, rest, err)
	}
}

func TestNobodyListensInTheContainer(t *testing.T) {
	m := Mapping{HostPort: freePort(t, "tcp"), ContainerPort: 1, Protocol: "tcp"}
	forward(t, m)
	conn, err := net.Dial("tcp4", addressOf("127.0.0.1", m.HostPort))
	if err == nil { // the reset comes a moment later
		defer conn.Close()
		_, err = io.ReadAll(conn)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want ECONNRESET", err)
	}
}

func TestAPortInUse(t *testing.T) {
	for _, protocol := range []string{"tcp", "udp"} {
		first := Mapping{HostPort: freePort(t, protocol), ContainerPort: 1, Protocol: protocol}
		other := Mapping{HostPort: freePort(t, protocol), ContainerPort: 1, Protocol: protocol}
		forward(t, first)
		f, err := Listen([]Mapping{other, first})
		if err == nil {
			f.Close()
		}
		if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), fmt.Sprintf("-p %s: port %d of the host is in use", first, first.HostPort)) {
			t.Errorf("%s: %v", protocol, err)
		}
		again, err := Listen([]Mapping{other}) // which the failure closed
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
	}
}

func TestNotOurAddress(t *testing.T) {
	_, err := Listen([]Mapping{{HostIP: netip.MustParseAddr("192.0.2.99"), HostPort: 8080, ContainerPort: 80, Protocol: "tcp"}})
	if !errors.Is(err, unix.EADDRNOTAVAIL) || !strings.Contains(err.Error(), "192.0.2.99 is no address of this host") {
		t.Error(err)
	}
}

func TestCloseFreesThePort(t *testing.T) {
	m := Mapping{HostPort: freePort(t, "tcp"), ContainerPort: serve(t, upper), Protocol: "tcp"}
	for range 3 {
		f := forward(t, m)
		conn := dial(t, "127.0.0.1", m.HostPort)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "still")
		conn.CloseWrite()
		if got, err := io.ReadAll(conn); string(got) != "STILL" && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%q, %v", got, err) // accepted in time it lives on, else it is reset
		}
	}
}

// echo answers each datagram in the container, in capital letters.
func echo(t *testing.T) (port uint16) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", addressOf(container.String(), 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, maxDatagram)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			conn.WriteTo(bytes.ToUpper(b[:n]), from)
		}
	}()
	return uint16(conn.LocalAddr().(*net.UDPAddr).Port)
}

// ask sends a datagram, and returns the answer. The socket is connected, so that
// only an answer from the address that was asked is one.
func ask(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, maxDatagram)
	n, err := conn.Read(b)
	if err != nil {
		t.Errorf("asked %.20q: %v", text, err)
	}
	return string(b[:n])
}

func dialUDP(t *testing.T, ip string, port uint16) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", net.JoinHostPort(ip, fmt.Sprint(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestUDPAnswersFromTheAddressThatWasAsked(t *testing.T) {
	m := Mapping{HostPort: freePort(t, "udp"), ContainerPort: echo(t), Protocol: "udp"}
	forward(t, m)
	ips := []string{"127.0.0.1", "127.0.0.5"}
	if hasIPv6() {
		ips = append(ips, "::1")
	}
	var clients []net.Conn
	for range 3 {
		for _, ip := range ips {
			clients = append(clients, dialUDP(t, ip, m.HostPort))
		}
	}
	large := strings.Repeat("x", 60000)
	for i, conn := range append(clients, clients...) { // each has a flow of its own, and keeps it
		for _, text := range []string{fmt.Sprintf("question %d", i), "", large} {
			if got := ask(t, conn, text); got != strings.ToUpper(text) {
				t.Errorf("client %d asked %.20q, and got %.20q", i, text, got)
			}
		}
	}
}

func TestUDPOnOneAddress(t *testing.T) {
	m := Mapping{HostIP: netip.MustParseAddr("127.0.0.5"), HostPort: freePort(t, "udp"), ContainerPort: echo(t), Protocol: "udp"}
	forward(t, m)
	if got := ask(t, dialUDP(t, "127.0.0.5", m.HostPort), "hello"); got != "HELLO" {
		t.Errorf("got %q", got)
	}
	other := dialUDP(t, "127.0.0.1", m.HostPort)
	io.WriteString(other, "hello")
	if n, err := other.Read(make([]byte, 9)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("127.0.0.1 answers %d bytes, %v", n, err)
	}
}

func TestUDPFlowsEnd(t *testing.T) {
	m := Mapping{HostPort: freePort(t, "udp"), ContainerPort: echo(t), Protocol: "udp"}
	f, err := Listen([]Mapping{m})
	if err != nil {
		t.Fatal(err)
	}
	s := newUDPServer(f.listeners[0].socket, unix.SockaddrInet4{Addr: container.As4(), Port: int(m.ContainerPort)}, 50*time.Millisecond)
	ended := make(chan bool)
	go func() { s.serve(); close(ended) }()

	conn := dialUDP(t, "127.0.0.1", m.HostPort)
	ask(t, conn, "first")
	key := s.only(t)
	if key != (flowKey{}) {
		deadline := time.Now().Add(5 * time.Second)
		for s.count() > 0 && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond) // the end of a silence is no event that one could wait for
		}
	}
	if n := s.count(); n != 0 {
		t.Errorf("%d flows after all were idle", n)
	}
	if got := ask(t, conn, "second"); got != "SECOND" {
		t.Errorf("a new flow answered %q", got)
	}
	f.Close()
	<-ended
}

func (s *udpServer) count() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.flows)
}

// only is the key of the only flow.
func (s *udpServer) only(t *testing.T) (key flowKey) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.flows) != 1 {
		t.Errorf("%d flows, want 1", len(s.flows))
	}
	for key = range s.flows {
	}
	return key
}

// TestNothingIsLeftOpen looks at the process's own file descriptors.
func TestNothingIsLeftOpen(t *testing.T) {
	m := Mapping{HostPort: freePort(t, "tcp"), ContainerPort: serve(t, upper), Protocol: "tcp"}
	forward(t, m)
	talk := func() {
		conn := dial(t, "127.0.0.1", m.HostPort)
		io.WriteString(conn, "x")
		conn.CloseWrite()
		io.ReadAll(conn)
		conn.Close()
	}
	talk()
	before := openFiles(t)
	for range 50 {
		talk()
	}
	deadline := time.Now().Add(5 * time.Second)
	for openFiles(t) > before && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond) // the relays end a moment after their clients
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d file descriptors before 50 connections, %d after", before, after)
	}
}

func openFiles(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
