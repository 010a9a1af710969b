package publish

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash"
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

// forward forwards a port of the host, one that was free, to the container's
// until the test ends.
func forward(t *testing.T, m Mapping) (port uint16) {
	t.Helper()
	f, err := Listen([]Mapping{m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	f.Serve(container)
	return boundPort(t, f)
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
	m := Mapping{ContainerPort: serve(t, upper), Protocol: "tcp"}
	port := forward(t, m)
	for _, ip := range []string{"127.0.0.1", "127.0.0.5", "::1"} {
		if ip == "::1" && !hasIPv6() {
			continue
		}
		conn := dial(t, ip, port)
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
	m := Mapping{HostIP: netip.MustParseAddr("127.0.0.5"), ContainerPort: serve(t, upper), Protocol: "tcp"}
	port := forward(t, m)
	if conn, err := net.Dial("tcp4", addressOf("127.0.0.1", port)); err == nil {
		conn.Close()
		t.Error("127.0.0.1 answers, too")
	}
	conn := dial(t, "127.0.0.5", port)
	io.WriteString(conn, "yes")
	conn.CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "YES" {
		t.Errorf("answered %q, %v", got, err)
	}
}

// castagnoli is the checksum that processors have an instruction for.
func castagnoli() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// send sends so many bytes, no two MiB of them alike, and returns their checksum.
func send(to io.Writer, size int64) (uint32, error) {
	sum, block, random := castagnoli(), make([]byte, 1<<20), rand.New(rand.NewSource(1))
	random.Read(block)
	for left := size; left > 0; left -= int64(len(block)) {
		random.Read(block[:64])
		sum.Write(block)
		if _, err := to.Write(block); err != nil {
			return 0, err
		}
	}
	return sum.Sum32(), nil
}

// TestAGiBArrivesWhole sends it one way and then the other. Both at once, with
// every buffer full, is at times too much for the TCP of Linux 6.18 on loopback:
// one end sends again and again what the other has, and hears no acknowledgment.
func TestAGiBArrivesWhole(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	inside := serve(t, func(conn *net.TCPConn) {
		sum := castagnoli()
		n, _ := io.Copy(sum, conn)
		fmt.Fprintf(conn, "%d bytes, checksum %08x\n", n, sum.Sum32())
		send(conn, size)
	})
	m := Mapping{ContainerPort: inside, Protocol: "tcp"}
	port := forward(t, m)
	conn, start := dial(t, "127.0.0.1", port), time.Now()
	sent, err := send(conn, size)
	if err != nil {
		t.Fatal(err)
	}
	conn.CloseWrite()

	answer := bufio.NewReader(conn)
	arrived, err := answer.ReadString('\n')
	if want := fmt.Sprintf("%d bytes, checksum %08x\n", size, sent); arrived != want {
		t.Errorf("inward arrived %q, %v, want %q", arrived, err, want)
	}
	sum := castagnoli()
	if n, err := io.Copy(sum, answer); n != size || sum.Sum32() != sent {
		t.Errorf("outward arrived %d of %d bytes, checksum %08x, %v, want %08x", n, size, sum.Sum32(), err, sent)
	}
	t.Logf("%d MiB there, and as much back, in %v", size>>20, time.Since(start).Round(time.Millisecond))
}

func TestManyConnectionsAtOnce(t *testing.T) {
	m := Mapping{ContainerPort: serve(t, upper), Protocol: "tcp"}
	port := forward(t, m)
	var all sync.WaitGroup
	for i := range 200 {
		all.Add(1)
		conn := dial(t, "127.0.0.1", port)
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
	inside := serve(t, func(conn *net.TCPConn) {
		io.WriteString(conn, "half")
		io.ReadFull(conn, make([]byte, 2)) // the client has it
		conn.SetLinger(0)                  // close with a reset
	})
	m := Mapping{ContainerPort: inside, Protocol: "tcp"}
	port := forward(t, m)
	conn := dial(t, "127.0.0.1", port)
	half := make([]byte, 4)
	io.ReadFull(conn, half)
	io.WriteString(conn, "ok")
	if rest, err := io.ReadAll(conn); string(half) != "half" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after %q: %q, %v, want ECONNRESET", half, rest, err)
	}
}

func TestNobodyListensInTheContainer(t *testing.T) {
	m := Mapping{ContainerPort: 1, Protocol: "tcp"}
	port := forward(t, m)
	conn, err := net.Dial("tcp4", addressOf("127.0.0.1", port))
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
		first := Mapping{ContainerPort: 1, Protocol: protocol}
		other := first
		first.HostPort = forward(t, first)
		other.HostPort = freePort(t, other)
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

// freePort is a port of the host that nobody listens on.
func freePort(t *testing.T, m Mapping) uint16 {
	t.Helper()
	f, err := Listen([]Mapping{m})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return boundPort(t, f)
}

func TestNotOurAddress(t *testing.T) {
	_, err := Listen([]Mapping{{HostIP: netip.MustParseAddr("192.0.2.99"), HostPort: 8080, ContainerPort: 80, Protocol: "tcp"}})
	if !errors.Is(err, unix.EADDRNOTAVAIL) || !strings.Contains(err.Error(), "192.0.2.99 is no address of this host") {
		t.Error(err)
	}
}

func TestCloseFreesThePort(t *testing.T) {
	m := Mapping{ContainerPort: serve(t, upper), Protocol: "tcp"}
	m.HostPort = freePort(t, m)
	for range 3 {
		f, err := Listen([]Mapping{m})
		if err != nil {
			t.Fatal(err)
		}
		f.Serve(container)
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
	m := Mapping{ContainerPort: echo(t), Protocol: "udp"}
	port := forward(t, m)
	ips := []string{"127.0.0.1", "127.0.0.5"}
	if hasIPv6() {
		ips = append(ips, "::1")
	}
	var clients []net.Conn
	for range 3 {
		for _, ip := range ips {
			clients = append(clients, dialUDP(t, ip, port))
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
	m := Mapping{HostIP: netip.MustParseAddr("127.0.0.5"), ContainerPort: echo(t), Protocol: "udp"}
	port := forward(t, m)
	if got := ask(t, dialUDP(t, "127.0.0.5", port), "hello"); got != "HELLO" {
		t.Errorf("got %q", got)
	}
	other := dialUDP(t, "127.0.0.1", port)
	io.WriteString(other, "hello")
	if n, err := other.Read(make([]byte, 9)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("127.0.0.1 answers %d bytes, %v", n, err)
	}
}

func TestUDPFlowsEnd(t *testing.T) {
	m := Mapping{ContainerPort: echo(t), Protocol: "udp"}
	f, err := Listen([]Mapping{m})
	if err != nil {
		t.Fatal(err)
	}
	port := boundPort(t, f)
	s := newUDPServer(f.listeners[0].socket, unix.SockaddrInet4{Addr: container.As4(), Port: int(m.ContainerPort)}, 50*time.Millisecond)
	ended := make(chan bool)
	go func() { s.serve(); close(ended) }()

	conn := dialUDP(t, "127.0.0.1", port)
	ask(t, conn, "first")
	if n := s.count(); n != 1 {
		t.Errorf("%d flows, want 1", n)
	}
	deadline := time.Now().Add(5 * time.Second)
	for s.count() > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond) // the end of a silence is no event that one could wait for
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

// TestNothingIsLeftOpen looks at the process's own file descriptors.
func TestNothingIsLeftOpen(t *testing.T) {
	m := Mapping{ContainerPort: serve(t, upper), Protocol: "tcp"}
	port := forward(t, m)
	talk := func() {
		conn := dial(t, "127.0.0.1", port)
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
