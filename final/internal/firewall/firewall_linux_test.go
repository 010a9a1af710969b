package firewall

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Every test runs in a network namespace of its own that plays the host; two
// more play a container on the bridge, and a machine out in the world that
// knows no way to the container:
//
//	container 10.203.0.2 ── 10.203.0.1 host 198.51.100.1 ── 198.51.100.2 world
const (
	testBridge  = "gonstest0"
	container   = "10.203.0.2"
	hostOutside = "198.51.100.1"
	world       = "198.51.100.2"
)

var prefix = netip.MustParsePrefix("10.203.0.0/24")

const (
	roleVariable   = "FIREWALL_TEST_ROLE"
	insideVariable = "FIREWALL_TEST_INSIDE"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "serve":
		serve()
	case "dial":
		dial(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

// serve tells everyone who connects which address they have, until stdin ends.
func serve() {
	listener, err := net.Listen("tcp4", ":80")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		for {
			if conn, err := listener.Accept(); err == nil {
				fmt.Fprint(conn, conn.RemoteAddr().(*net.TCPAddr).IP)
				conn.Close()
			}
		}
	}()
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

func dial(address string) {
	conn, err := net.DialTimeout("tcp4", address+":80", time.Second)
	if err == nil {
		_, err = io.Copy(os.Stdout, conn)
	}
	if err != nil {
		fmt.Print("no answer")
	}
}

// inOwnNetwork runs test in network and mount namespaces of its own. It says
// whether the caller is there.
func inOwnNetwork(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	for _, tool := range []string{"ip", "nft", "iptables-nft", "iptables-legacy"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") != "" {
			t.Fatal(err)
		} else if err != nil {
			t.Skipf("needs %s, which is not installed", tool)
		}
	}
	if os.Getenv(insideVariable) != "" {
		makeWorld(t)
		return true
	}
	t.Parallel() // most of the time is spent waiting for answers that must not come
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	}
	return false
}

// makeWorld makes the namespaces with names, on a /run that only this process sees.
func makeWorld(t *testing.T) {
	t.Helper()
	if err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("run", "/run", "tmpfs", 0, "")); err != nil {
		t.Fatal(err)
	}
	sh(t, `ip link set lo up
		ip link add `+testBridge+` type bridge; ip link set `+testBridge+` up; ip addr add 10.203.0.1/24 dev `+testBridge+`
		ip netns add container
		ip link add veth0 type veth peer name eth0 netns container; ip link set veth0 master `+testBridge+` up
		ip -n container link set eth0 up; ip -n container addr add `+container+`/24 dev eth0
		ip -n container route add default via 10.203.0.1
		ip netns add world
		ip link add outside type veth peer name eth0 netns world; ip link set outside up; ip addr add `+hostOutside+`/24 dev outside
		ip -n world link set eth0 up; ip -n world addr add `+world+`/24 dev eth0
		echo 0 > /proc/sys/net/ipv4/ip_forward`)
	startServer(t, "world")
	startServer(t, "container")
}

func startServer(t *testing.T, where string) {
	server := exec.Command("ip", "netns", "exec", where, "/proc/self/exe")
	server.Args[4] = self(t)
	server.Env = append(os.Environ(), roleVariable+"=serve")
	stdin, _ := server.StdinPipe()
	stdout, _ := server.StdoutPipe()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); server.Wait() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the server in %s said %q, %v", where, line, err)
	}
}

func self(t *testing.T) string {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func sh(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("sh", "-ec", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// wantAnswer checks what someone in a namespace hears from a server.
func wantAnswer(t *testing.T, from, to, want string) {
	t.Helper()
	cmd := exec.Command("ip", "netns", "exec", from, self(t), to)
	cmd.Env = append(os.Environ(), roleVariable+"=dial")
	if got, err := cmd.Output(); err != nil || string(got) != want {
		t.Errorf("from %s to %s: %q, %v, want %q", from, to, got, err, want)
	}
}

func wantForward(t *testing.T, want string) {
	t.Helper()
	if got, _ := os.ReadFile(ipForwardFile); strings.TrimSpace(string(got)) != want {
		t.Errorf("net.ipv4.ip_forward is %s, want %s", got, want)
	}
}

// countRuns puts programs in front of the tools that note each run.
func countRuns(t *testing.T) func() int {
	dir := t.TempDir()
	for _, name := range []string{"nft", "iptables-nft", "iptables-nft-restore"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		script := fmt.Sprintf("#!/bin/sh\necho run >>%s/log\nexec %s \"$@\"\n", dir, real)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	saved := searchPath
	searchPath = func() []string { return append([]string{dir}, saved()...) }
	t.Cleanup(func() { searchPath = saved })
	return func() int {
		log, _ := os.ReadFile(dir + "/log")
		return strings.Count(string(log), "run\n")
	}
}

// rules are all rules, without the counters, and without the empty chains that
// iptables leaves behind wherever it is used.
func rules(t *testing.T) string {
	text := sh(t, "iptables-legacy-save; iptables-nft-save; nft list ruleset | grep -A1000 -e inet -e gonsrun || true")
	text = regexp.MustCompile(`(?m)^#.*\n|\[\d+:\d+\]`).ReplaceAllString(text, "")
	for _, parent := range []string{"", "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"} {
		text = strings.ReplaceAll(text, ":"+parent+" ACCEPT \n", "")
	}
	return regexp.MustCompile(`\*\w+\nCOMMIT\n`).ReplaceAllString(text, "")
}

// checkAll goes through the life of the rules on a host prepared by the caller.
func checkAll(t *testing.T, wantTool string, forwardAfter string) {
	t.Helper()
	dir, before := t.TempDir(), rules(t)
	wantAnswer(t, "container", world, "no answer")
	for range 2 { // the second finds the rules in place
		if err := Masquerade(dir, nil, prefix, testBridge, func() {}); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := readRecord(dir); err != nil || filepath.Base(r.tool.name()) != wantTool {
		t.Errorf("recorded %+v, %v, want the tool %s", r, err, wantTool)
	}
	wantForward(t, "1")
	wantAnswer(t, "container", world, hostOutside)
	sh(t, "ip -n world route add "+prefix.String()+" via "+hostOutside)
	wantAnswer(t, "world", container, "no answer")
	sh(t, "ip -n world route del "+prefix.String())
	for range 2 { // the second finds nothing to do
		if err := Remove(dir, nil, func() {}); err != nil {
			t.Fatal(err)
		}
	}
	if after := rules(t); after != before {
		t.Errorf("rules before:\n%s\nand after:\n%s", before, after)
	}
	wantForward(t, forwardAfter)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNFT(t *testing.T) {
	if inOwnNetwork(t) {
		checkAll(t, "nft", "0")
	}
}

func TestIPTablesThatDropsLikeDockers(t *testing.T) {
	if inOwnNetwork(t) {
		sh(t, "iptables-nft -P FORWARD DROP")
		checkAll(t, "iptables-nft", "1")
	}
}

func TestTheOlderIPTables(t *testing.T) {
	if !inOwnNetwork(t) {
		return
	}
	if out, err := exec.Command("iptables-legacy", "-P", "FORWARD", "DROP").CombinedOutput(); err != nil {
		t.Skipf("this kernel has no older iptables: %s", out)
	}
	checkAll(t, "iptables-legacy", "1")
}

func TestWithoutNFT(t *testing.T) {
	if inOwnNetwork(t) {
		dir := t.TempDir()
		for _, name := range []string{"iptables", "iptables-restore"} {
			path, _ := exec.LookPath("iptables-nft" + strings.TrimPrefix(name, "iptables"))
			os.Symlink(path, filepath.Join(dir, name))
		}
		searchPath = func() []string { return []string{dir} }
		checkAll(t, "iptables", "0")
	}
}

func TestNoTool(t *testing.T) {
	if inOwnNetwork(t) {
		searchPath = func() []string { return []string{t.TempDir()} }
		dir, calls := t.TempDir(), 0
		if err := Masquerade(dir, nil, prefix, testBridge, func() { calls++ }); !errors.Is(err, ErrNoTool) || calls != 1 {
			t.Errorf("got %v, want ErrNoTool; meanwhile was called %d times, want 1", err, calls)
		}
		wantForward(t, "0")
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestOneRunOfNFTForManyStarts(t *testing.T) {
	if !inOwnNetwork(t) {
		return
	}
	dir, runs := t.TempDir(), countRuns(t)
	masquerade := func(wantRuns int) {
		t.Helper()
		calls := 0
		if err := Masquerade(dir, nil, prefix, testBridge, func() { calls++ }); err != nil {
			t.Fatal(err)
		}
		if got := runs(); got != wantRuns || calls != 1 {
			t.Errorf("%d runs of tools, want %d; meanwhile was called %d times, want 1", got, wantRuns, calls)
		}
	}
	masquerade(1)
	masquerade(1)
	sh(t, "nft flush ruleset") // as a restart of the nftables service does
	masquerade(2)
	wantAnswer(t, "container", world, hostOutside)

	sh(t, "iptables-nft -P FORWARD DROP") // Docker starts
	masquerade(4)                         // nft removes, iptables adds
	masquerade(4)
	wantAnswer(t, "container", world, hostOutside)
	sh(t, "nft flush ruleset")
	calls := 0
	if err := Remove(dir, nil, func() { calls++ }); err != nil || runs() != 4 || calls != 1 {
		t.Errorf("after everything is gone: %v, %d runs of tools, want 4; meanwhile was called %d times, want 1", err, runs(), calls)
	}
}

// TestAnotherTableDrops types what the error says.
func TestAnotherTableDrops(t *testing.T) {
	if !inOwnNetwork(t) {
		return
	}
	sh(t, "nft 'table inet mine { chain passing { type filter hook forward priority 0; policy drop; }; }'")
	dir := t.TempDir()
	err := Masquerade(dir, nil, prefix, testBridge, func() {})
	var blocked *BlockedError
	if !errors.As(err, &blocked) || blocked.Table != "mine" {
		t.Fatalf("got %v, want a BlockedError about the table mine", err)
	}
	wantAnswer(t, "container", world, "no answer")
	_, advice, _ := strings.Cut(err.Error(), "to let them: ")
	sh(t, advice)
	wantAnswer(t, "container", world, hostOutside)
	if err := Remove(dir, nil, func() {}); err != nil {
		t.Error(err)
	}
	wantForward(t, "1") // whoever has such a chain forwards
}

func TestParsersBelieveNoLength(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, make([]byte, 16), append([]byte{200, 0, 0, 0}, make([]byte, 40)...)} {
		var c chains
		if done, err := c.read(b); done || err == nil && len(b) >= unix.SizeofNlMsghdr {
			t.Errorf("%v: done %v, %v", b, done, err)
		}
	}
	if found := attributes([]byte{200, 0, 1, 0, 'x'}); len(found) != 0 {
		t.Errorf("attributes %v", found)
	}
}
