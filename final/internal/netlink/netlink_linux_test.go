package netlink

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The verbs act on network namespaces that the tests make: the test binary
// starts itself again in new ones, and this variable says what it is there.
const roleVariable = "NETLINK_TEST_ROLE"

const (
	bridge  = "gonstest0"
	gateway = "10.203.0.1"
	first   = "10.203.0.2"
	second  = "10.203.0.3"
)

func TestMain(m *testing.M) {
	roles := map[string]func() error{"host": asHost, "container": asContainer, "refused": asRefused, "user": asUser}
	role, ok := roles[os.Getenv(roleVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := role(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// inNewNetwork is this program in a role, in a new network namespace. It dies with the test.
func inNewNetwork(role string, environment ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), roleVariable+"="+role), environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	return cmd
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
}

// asHost plays the host of two containers: a bridge, an address, two cables.
func asHost() error {
	c, err := Open()
	if err != nil {
		return err
	}
	defer c.Close()
	address := netip.MustParsePrefix(gateway + "/24")
	if err := errors.Join(c.NewBridge(bridge, Hardware(address.Addr())), c.AddAddress(bridge, address)); err != nil {
		return err
	}
	for i, ip := range []string{first, second} {
		end, err := startContainer(c, "veth"+strconv.Itoa(i), netip.MustParseAddr(ip))
		if err != nil {
			return err
		}
		defer end()
		if err := expect(hello(ip), "hello from "+ip); err != nil {
			return err
		}
	}
	return errors.Join(lookAround(c), c.DeleteLink("veth0"), c.DeleteAll(), onlyLoLeft(c))
}

// onlyLoLeft looks for what DeleteAll left. A kernel may have tunnels of its own.
func onlyLoLeft(c *Conn) error {
	links, err := c.links()
	for _, l := range links {
		if l.Kind == "bridge" || l.Kind == "veth" {
			err = fmt.Errorf("%+v is still there", l)
		}
	}
	return err
}

// startContainer starts a container and waits until its network is ready. The
// answered function ends it.
func startContainer(c *Conn, veth string, ip netip.Addr) (func(), error) {
	container := inNewNetwork("container", "ADDRESS="+ip.String())
	container.Stderr = os.Stderr
	goAhead, _ := container.StdinPipe()
	said, _ := container.StdoutPipe()
	if err := container.Start(); err != nil {
		return nil, err
	}
	end := func() { goAhead.Close(); container.Wait() }
	err := c.NewVeth(Veth{Name: veth, Bridge: bridge, PeerName: "eth0", PeerHardware: Hardware(ip), PID: container.Process.Pid})
	if err == nil {
		io.WriteString(goAhead, "go\n")
		err = expect(func() (string, error) { return bufio.NewReader(said).ReadString('\n') }, "ready\n")
	}
	if err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// asContainer prepares its network, and greets whoever connects until stdin ends.
func asContainer() error {
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	c, err := Open()
	if err != nil {
		return err
	}
	defer c.Close()
	address := netip.MustParsePrefix(os.Getenv("ADDRESS") + "/24")
	if err := errors.Join(c.LinkUp("lo"), c.LinkUp("eth0"), c.AddAddress("eth0", address), c.AddDefaultRoute(netip.MustParseAddr(gateway))); err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", ":80")
	if err != nil {
		return err
	}
	go func() {
		for {
			if conn, err := listener.Accept(); err == nil {
				io.WriteString(conn, "hello from "+address.Addr().String())
				conn.Close()
			}
		}
	}()
	// Itself over lo, and its neighbor where there is one already.
	if err := expect(hello("127.0.0.1"), "hello from "+address.Addr().String()); err != nil {
		return err
	}
	if address.Addr().String() == second {
		if err := expect(hello(first), "hello from "+first); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	in.ReadByte()
	return nil
}

// hello reads what greets on port 80 of a container.
func hello(ip string) func() (string, error) {
	return func() (string, error) {
		conn, err := net.Dial("tcp4", ip+":80")
		if err != nil {
			return "", err
		}
		defer conn.Close()
		text, err := io.ReadAll(conn)
		return string(text), err
	}
}

func expect(get func() (string, error), want string) error {
	got, err := get()
	if err == nil && got != want {
		err = fmt.Errorf("got %q, want %q", got, want)
	}
	return err
}

// lookAround compares what the lists say with what was made.
func lookAround(c *Conn) error {
	links, err := c.links()
	if err != nil {
		return err
	}
	index, err := c.Index(bridge)
	if err != nil {
		return err
	}
	isThere := func(want link) error {
		if !slices.ContainsFunc(links, func(l link) bool { l.Index, want.Index = 0, 0; return l == want }) {
			return fmt.Errorf("%+v is not among the links %+v", want, links)
		}
		return nil
	}
	addresses, err := c.Addresses()
	if err == nil && !slices.Contains(addresses, netip.MustParsePrefix(gateway+"/24")) {
		err = fmt.Errorf("%s is not among the addresses %v", gateway, addresses)
	}
	routes, err2 := c.Routes()
	if err2 == nil && !slices.Contains(routes, netip.MustParsePrefix("10.203.0.0/24")) {
		err2 = fmt.Errorf("10.203.0.0/24 is not among the routes %v", routes)
	}
	return errors.Join(err, err2,
		isThere(link{Name: bridge, Kind: "bridge", Up: true}),
		isThere(link{Name: "veth0", Kind: "veth", Master: index, Up: true}),
		isThere(link{Name: "veth1", Kind: "veth", Master: index, Up: true}))
}

func TestTwoContainersAndTheirHost(t *testing.T) {
	needRoot(t)
	if out, err := inNewNetwork("host").Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// asRefused asks for what the kernel refuses.
func asRefused() error {
	c, err := Open()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.NewBridge("twice", [6]byte{2}); err != nil {
		return err
	}
	_, missing := c.Index("missing")
	_, long := c.Index("a-name-of-16-bytes")
	refused := []struct {
		err  error
		is   error
		says string
	}{
		{c.NewBridge("twice", [6]byte{2}), unix.EEXIST, "make bridge twice: EEXIST (file exists)"},
		{c.DeleteLink("missing"), unix.ENODEV, "delete link missing: ENODEV"},
		{c.DeleteAll(), nil, ""},
		{c.DeleteAll(), unix.ENODEV, "delete links of the containers' network: ENODEV"},
		{c.AddAddress("missing", netip.MustParsePrefix("10.0.0.1/8")), unix.ENODEV, "missing"},
		{c.NewVeth(Veth{Name: "v", Bridge: "missing"}), unix.ENODEV, "missing"},
		{c.AddDefaultRoute(netip.MustParseAddr("10.9.9.9")), unix.ENETUNREACH, "ENETUNREACH (network is unreachable): Nexthop has invalid gateway"},
		{missing, unix.ENODEV, "missing"},
		{long, nil, `"a-name-of-16-bytes": 1 to 15 bytes`},
	}
	for _, r := range refused {
		if r.says == "" && r.err == nil {
			continue
		}
		if r.err == nil || r.is != nil && !errors.Is(r.err, r.is) || !strings.Contains(r.err.Error(), r.says) {
			return fmt.Errorf("got the error %v, want one that says %q", r.err, r.says)
		}
	}
	return nil
}

func TestWhatTheKernelRefuses(t *testing.T) {
	needRoot(t)
	if out, err := inNewNetwork("refused").Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// asUser asks as nobody for what only root may do.
func asUser() error {
	c, err := Open()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.LinkUp("lo"); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "sudo") {
		return fmt.Errorf("got the error %v, want EPERM and sudo", err)
	}
	_, err = c.links() // looking is free
	return err
}

func TestAsAnOrdinaryUser(t *testing.T) {
	needRoot(t)
	user := inNewNetwork("user")
	user.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	user.Path = ownCopy(t)
	if out, err := user.Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// ownCopy is a copy of this program that every user can run.
func ownCopy(t *testing.T) string {
	dir, err := os.MkdirTemp("/tmp", "netlink-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(dir+"/program", program, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir + "/program"
}
