//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
)

// Fifty containers at once get fifty addresses, reach each other, and leave
// nothing. With -test.short ten do.
func TestFiftyAtOnce(t *testing.T) {
	asRoot(t)
	inContainer(t, "ping")
	containers := lessontest.Sized(50, 10)
	ids := make([]string, containers)
	var group sync.WaitGroup
	for i := range containers {
		group.Add(1)
		go func() {
			defer group.Done()
			run := exec.Command(lessontest.Program(), "-quiet", "run", "-d", "-name", fmt.Sprint("c", i), "sleep", "1000")
			var said bytes.Buffer
			run.Stderr = &said
			id, err := run.Output()
			if err != nil {
				t.Errorf("run -d number %d: %v\n%s", i+1, err, said.String())
			}
			ids[i] = strings.TrimSpace(string(id))
		}()
	}
	group.Wait()
	names := strings.Fields(strings.Join(ids, " "))
	t.Cleanup(func() { lesson.Type(t, append([]string{"rm", "-f"}, names...)...).Exits(0) })
	if t.Failed() {
		return
	}

	addresses := map[string]bool{}
	for _, line := range strings.Split(lesson.Type(t, "ps", "-no-trunc").Exits(0).Stdout, "\n") {
		for _, field := range strings.Fields(line) {
			if ip, _, err := net.ParseCIDR(field); err == nil {
				addresses[ip.String()] = true
			}
		}
	}
	if len(addresses) != containers {
		t.Fatalf("%d containers have %d different addresses: %v", containers, len(addresses), addresses)
	}
	var list []string
	for address := range addresses {
		list = append(list, address)
	}
	for i := range lessontest.Sized(10, 3) {
		from, to := fmt.Sprint("c", i), list[(7*i+3)%containers]
		lesson.Type(t, "-quiet", "exec", from, "ping", "-c", "1", "-w", "5", to).PrintsMatch("1 packets received|1 received").Exits(0)
	}
}

// A published port is reached on the address it is bound to, on no other, and
// what goes through it arrives whole.
func TestPublish(t *testing.T) {
	asRoot(t)
	inContainer(t, "nc", "sha256sum")
	size := lessontest.Sized(1<<30, 4<<20)
	port := freePort(t)
	detached(t, lesson, "-p", "127.0.0.1:"+port+":80", "sh", "-c", "while :; do nc -l -p 80 -e sha256sum; done")
	if conn, err := net.Dial("tcp", "127.0.0.2:"+port); err == nil {
		conn.Close()
		t.Errorf("port %s, bound to 127.0.0.1, is reached on 127.0.0.2", port)
	}
	sum := sha256.New()
	var answer []byte
	if !lessontest.Eventually(lessontest.Patience, func() bool { // nc is listening again
		sum.Reset()
		var err error
		answer, err = send("127.0.0.1:"+port, size, sum)
		return err == nil && len(answer) > 0
	}) {
		t.Fatalf("nothing answers on 127.0.0.1:%s", port)
	}
	if want := fmt.Sprintf("%x", sum.Sum(nil)); !strings.HasPrefix(string(answer), want) {
		t.Errorf("the sum of %d bytes sent is %s, and the container got %s", size, want, answer)
	}
}

// send sends that many bytes and returns what is answered.
func send(address string, size int, sum io.Writer) ([]byte, error) {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	block := make([]byte, 1<<20)
	for j := range block {
		block[j] = byte(j >> 3)
	}
	for i := range size >> 20 {
		binary.BigEndian.PutUint32(block, uint32(i)) // no two blocks are alike
		sum.Write(block)
		if _, err := conn.Write(block); err != nil {
			return nil, err
		}
	}
	conn.(*net.TCPConn).CloseWrite()
	return io.ReadAll(conn)
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// Datagrams, too, find the way in, and the answers the way back.
func TestPublishUDP(t *testing.T) {
	asRoot(t)
	port := freePort(t)
	id := detached(t, lesson, "-p", "127.0.0.1:"+port+":80/udp", "sleep", "1000")
	inside := listenUDP(t, inspect(t, id).PID, ":80")
	go func() {
		packet := make([]byte, 100)
		for {
			n, from, err := inside.ReadFrom(packet)
			if err != nil {
				return
			}
			inside.WriteTo(append([]byte("you said "), packet[:n]...), from)
		}
	}()
	conn, err := net.Dial("udp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, said := range []string{"hello", "and goodbye"} {
		conn.Write([]byte(said))
		conn.SetReadDeadline(time.Now().Add(lessontest.Patience))
		answer := make([]byte, 100)
		n, err := conn.Read(answer)
		if want := "you said " + said; err != nil || string(answer[:n]) != want {
			t.Errorf("the answer to %q is %q, %v; expected %q", said, answer[:n], err, want)
		}
	}
}

// listenUDP listens on an address in the network namespace of a process.
func listenUDP(t *testing.T, pid int, address string) net.PacketConn {
	t.Helper()
	ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ns)
	type listening struct {
		conn net.PacketConn
		err  error
	}
	result := make(chan listening)
	go func() {
		runtime.LockOSThread() // and never back: the thread ends with this function
		if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
			result <- listening{nil, err}
			return
		}
		conn, err := net.ListenPacket("udp", address)
		result <- listening{conn, err}
	}()
	l := <-result
	if l.err != nil {
		t.Fatal(l.err)
	}
	t.Cleanup(func() { l.conn.Close() })
	return l.conn
}

// A port without an address is reached on every address of the host's.
func TestPublishEverywhere(t *testing.T) {
	asRoot(t)
	inContainer(t, "nc", "ip")
	port := freePort(t)
	id := detached(t, lesson, "-p", port+":80", "sh", "-c", "while :; do echo hello | nc -l -p 80; done")
	gateway := lesson.Type(t, "-quiet", "exec", id, "sh", "-c", "ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'").Stdout
	for _, address := range []string{"127.0.0.1", "127.0.0.2", strings.TrimSpace(gateway)} {
		if !lessontest.Eventually(lessontest.Patience, func() bool {
			conn, err := net.DialTimeout("tcp", address+":"+port, time.Second)
			if err != nil {
				return false
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Second))
			conn.(*net.TCPConn).CloseWrite()
			text, _ := io.ReadAll(conn)
			return string(text) == "hello\n"
		}) {
			t.Errorf("nothing answers on %s:%s", address, port)
		}
	}
}

// The modes of -network: none has only lo, host has the host's interfaces,
// bridge has an address, a way out and names.
func TestNetworks(t *testing.T) {
	asRoot(t)
	inContainer(t, "ip", "ping", "sed")
	interfaces := "sed -n 's/^ *\\([^ :]*\\):.*/\\1/p' /proc/net/dev | sort | tr '\\n' ' '"
	here := lessontest.RunCommand(t, "", exec.Command("sh", "-c", interfaces)).Stdout
	lesson.Type(t, "-quiet", "run", "-network", "none", "sh", "-c", interfaces+"; ping -c 1 -w 5 127.0.0.1 >/dev/null").Prints("lo ").Exits(0)
	lesson.Type(t, "-quiet", "run", "-network", "host", "sh", "-c", interfaces).Prints(here)
	bridged := `gateway=$(ip route | sed -n 's/default via \([^ ]*\).*/\1/p'); ping -c 1 -w 5 $gateway >/dev/null; echo $?
		address=$(ip -4 -o address show eth0 | sed 's/.*inet \([^/]*\).*/\1/'); grep -c "$address.*container" /etc/hosts; test -s /etc/resolv.conf; echo $?`
	lesson.Type(t, "-quiet", "run", "sh", "-c", interfaces+"; echo; "+bridged).Prints("eth0 lo \n0\n1\n0\n")
}

// Whoever is killed between making the bridge and all that follows leaves it to
// the next command to sweep.
func TestKilledWithBridge(t *testing.T) {
	asRoot(t)
	running := lesson.Start(t, "-quiet", "run", "sleep", "1000")
	bridged := func() bool { _, err := net.InterfaceByName(bridge); return err == nil }
	if !lessontest.Eventually(lessontest.Patience, bridged) {
		t.Fatal("there is no bridge")
	}
	running.Signal(unix.SIGKILL)
	running.Wait()
	lesson.Type(t, "sweep").Exits(0)
	if bridged() {
		t.Errorf("%s is still there after the sweep", bridge)
	}
}

// A bridge that has lost its address gets it again with the next container.
func TestBridgeWithoutAddress(t *testing.T) {
	asRoot(t)
	inContainer(t, "ping", "ip", "sed")
	ip := lessontest.NeedTool(t, "ip")
	detached(t, lesson, "sleep", "1000")
	lessontest.RunCommand(t, "", exec.Command(ip, "address", "flush", "dev", bridge)).Exits(0)
	lesson.Type(t, "-quiet", "run", "sh", "-c", "ping -c 1 -w 5 $(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')").Exits(0)
}

// A range that the host uses already is left to it.
func TestRangeInUse(t *testing.T) {
	asRoot(t)
	inContainer(t, "ip", "sed")
	ip := lessontest.NeedTool(t, "ip")
	address := "ip -4 -o address show eth0 | sed 's/.*inet \\([0-9.]*\\).*/\\1/'"
	first := strings.TrimSpace(lesson.Type(t, "-quiet", "run", "sh", "-c", address).Stdout)
	for _, args := range [][]string{{"link", "add", "name", "taken0", "type", "bridge"}, {"address", "add", first + "/24", "dev", "taken0"}} {
		lessontest.RunCommand(t, "", exec.Command(ip, args...)).Exits(0)
	}
	defer exec.Command(ip, "link", "delete", "taken0").Run()
	second := strings.TrimSpace(lesson.Type(t, "-quiet", "run", "sh", "-c", address).Stdout)
	_, network, _ := net.ParseCIDR(first + "/24")
	if second == "" || network.Contains(net.ParseIP(second)) {
		t.Errorf("the host has %s, and the container got %s in it", network, second)
	}
}

// Where there is no firewall tool there is no way out, and that is said.
func TestNoFirewallTool(t *testing.T) {
	asRoot(t)
	for _, tool := range []string{"nft", "iptables"} {
		if path, err := exec.LookPath(tool); err == nil {
			hide(t, path)
		}
	}
	lesson.Type(t, "run", "/bin/sh", "-c", "echo hi").Prints("hi\n").Exits(0).SaysMatch("No way out of the machine.*nft")
}

// hide makes a program one that cannot be run, in the tests' mount namespace.
func hide(t *testing.T, path string) {
	t.Helper()
	if err := unix.Mount("/dev/null", path, "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("mount /dev/null on %s: %v", path, err)
	}
	t.Cleanup(func() { unix.Unmount(path, unix.MNT_DETACH) })
}

// inContainer skips the test where the default root file system lacks a
// program: it has what this machine has.
func inContainer(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if lesson.Type(t, "-quiet", "run", "-network", "none", "sh", "-c", "command -v "+program).Status != 0 {
			t.Skipf("the default root file system has no %s", program)
		}
	}
}

// Names of interfaces on the host tell whose they are, and go with the container.
func TestInterfaces(t *testing.T) {
	asRoot(t)
	id := detached(t, lesson, "sleep", "1000")
	for _, name := range []string{"gonsrun0", "gns" + id} {
		if _, err := net.InterfaceByName(name); err != nil {
			t.Errorf("the host has no interface %s", name)
		}
	}
	unix.Kill(inspect(t, id).PID, unix.SIGKILL)
	if !lessontest.Eventually(lessontest.Patience, func() bool {
		_, err := net.InterfaceByName("gonsrun0")
		return err != nil
	}) {
		t.Error("the bridge stays when its last container is gone")
	}
}

// slowTool returns a folder for PATH, in which nft is one that waits, when its
// arguments contain what, until the file "go" is there. While it waits there is
// the file "waiting".
func slowTool(t *testing.T, what string) (dir string) {
	t.Helper()
	nft := lessontest.NeedTool(t, "nft")
	dir = t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *'%s'*)\n\ttouch %[2]s/waiting\n\twhile [ ! -e %[2]s/go ]; do sleep 0.01; done\nesac\nexec %[3]s \"$@\"\n", what, dir, nft)
	if err := os.WriteFile(dir+"/nft", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// there waits for a file.
func there(t *testing.T, path string) {
	t.Helper()
	if !lessontest.Eventually(lessontest.Patience, func() bool { _, err := os.Stat(path); return err == nil }) {
		t.Fatalf("%s is not there", path)
	}
}

// Ctrl-C while the firewall's rules are being removed is not meant for the tool
// that does it.
func TestInterruptAtTheEnd(t *testing.T) {
	asRoot(t)
	slow := slowTool(t, "delete")
	run := exec.Command(lessontest.Program(), "-quiet", "run", "-t=false", "true")
	run.Env = append(os.Environ(), "PATH="+slow+":"+os.Getenv("PATH"))
	term := lessontest.NewTerminal(t, 80, run)
	there(t, slow+"/waiting")
	term.Type("\x03")
	term.Expect("^C")
	os.WriteFile(slow+"/go", nil, 0o644)
	term.Wait()
	if _, err := os.Stat("/run/gonsrun-network"); err == nil {
		t.Error("what is known of the network is left behind")
	}
}

// Who is killed while the firewall's tool works leaves it at work. The sweep
// waits for its end, and removes what it has made.
func TestKilledWithToolAtWork(t *testing.T) {
	asRoot(t)
	slow := slowTool(t, "table")
	run := exec.Command(lessontest.Program(), "-quiet", "run", "true")
	run.Env = append(os.Environ(), "PATH="+slow+":"+os.Getenv("PATH"))
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	there(t, slow+"/waiting")
	run.Process.Kill()
	run.Wait()
	sweep := exec.Command(lessontest.Program(), "sweep")
	if err := sweep.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sweep.Wait() }()
	if !lessontest.Eventually(lessontest.Patience, func() bool { return len(ended) > 0 || waitsIn(sweep.Process.Pid, unix.SYS_FLOCK) }) {
		t.Error("the sweep neither ends nor waits")
	}
	os.WriteFile(slow+"/go", nil, 0o644)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
