package ippool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var small = netip.MustParsePrefix("192.0.2.0/29") // room for .2 to .6

// The test binary starts itself again to be many processes at once.
const dirVariable = "IPPOOL_TEST_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(dirVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := leaseOnce(dir, os.Args[1]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// leaseOnce is what a start does: it takes an address, and prints it.
func leaseOnce(dir, id string) error {
	bufio.NewReader(os.Stdin).ReadByte() // all go at once
	p, err := Open(dir)
	if err != nil {
		return err
	}
	defer p.Close()
	if _, err := p.Choose(Candidates(), nil); err != nil {
		return err
	}
	address, err := p.Lease(id)
	fmt.Println(address)
	return err
}

func open(t *testing.T, dir string) *Pool {
	t.Helper()
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func lease(t *testing.T, p *Pool, id string) string {
	t.Helper()
	address, err := p.Lease(id)
	if err != nil {
		t.Fatal(err)
	}
	return address.String()
}

func TestFiftyProcessesAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pool")
	gate, opened, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var processes []*exec.Cmd
	var said []*bytes.Buffer
	for i := range 50 {
		cmd, out := exec.Command("/proc/self/exe", fmt.Sprintf("id%d", i)), &bytes.Buffer{}
		cmd.Env = append(os.Environ(), dirVariable+"="+dir)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = gate, out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		processes, said = append(processes, cmd), append(said, out)
	}
	gate.Close()
	opened.Close()
	seen := map[string]bool{}
	for i, cmd := range processes {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, said[i])
		}
		seen[said[i].String()] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d different addresses for 50 containers", len(seen))
	}
	if n := len(open(t, dir).Leases()); n != 50 {
		t.Errorf("%d leases on disk, want 50", n)
	}
}

func TestAnAddressRestsBeforeItIsGivenAgain(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	if _, err := p.Lease("early"); err == nil {
		t.Error("an address from a pool without a range")
	}
	if network, err := p.Choose([]netip.Prefix{small}, nil); err != nil || network != small {
		t.Fatalf("chose %v, %v", network, err)
	}
	for i, id := range []string{"a", "b", "c", "a"} {
		want := []string{"192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.2"}[i]
		if got := lease(t, p, id); got != want {
			t.Errorf("%s got %s, want %s", id, got, want)
		}
	}
	if err := p.Release("b"); err != nil {
		t.Fatal(err)
	}
	p.Close()
	p = open(t, dir) // another process goes on
	for i, id := range []string{"d", "e", "f"} {
		want := []string{"192.0.2.5", "192.0.2.6", "192.0.2.3"}[i]
		if got := lease(t, p, id); got != want {
			t.Errorf("%s got %s, want %s", id, got, want)
		}
	}
	if address, err := p.Lease("g"); err == nil || !strings.Contains(err.Error(), "all addresses of 192.0.2.0/29") {
		t.Errorf("a sixth of five: %v, %v", address, err)
	}
	if err := errors.Join(p.Release("d"), p.Release("never was")); err != nil {
		t.Error(err)
	}
	p.Close()
	if got := lease(t, open(t, dir), "g"); got != "192.0.2.5" {
		t.Errorf("g got %s", got)
	}
}

func TestChooseAvoidsWhatTheHostUses(t *testing.T) {
	prefixes := func(list ...string) (p []netip.Prefix) {
		for _, s := range list {
			p = append(p, netip.MustParsePrefix(s))
		}
		return p
	}
	candidates := prefixes("10.203.0.0/16", "172.30.0.0/16")
	tests := map[string]struct {
		used []netip.Prefix
		want string // "" for an error
	}{
		"nothing":                 {nil, "10.203.0.0/16"},
		"another":                 {prefixes("192.0.2.1/24", "fe80::1/64"), "10.203.0.0/16"},
		"an address in it":        {prefixes("10.203.9.9/32"), "172.30.0.0/16"},
		"a larger one":            {prefixes("10.0.0.0/8"), "172.30.0.0/16"},
		"a default route in two":  {prefixes("0.0.0.0/1", "128.0.0.0/1"), "10.203.0.0/16"},
		"all of them, in a piece": {prefixes("10.203.1.0/24", "172.16.0.0/12"), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := open(t, dir)
			got, err := p.Choose(candidates, test.used)
			if test.want == "" {
				if err == nil || !strings.Contains(err.Error(), "172.30.0.0/16") {
					t.Errorf("chose %v, %v", got, err)
				}
				return
			}
			if err != nil || got.String() != test.want {
				t.Fatalf("chose %v, %v, want %s", got, err, test.want)
			}
			p.Close()
			// While it lasts the range stays, whatever the host uses by now: its own bridge.
			if again, err := open(t, dir).Choose(candidates, prefixes("0.0.0.0/8", test.want)); err != nil || again != got {
				t.Errorf("then chose %v, %v", again, err)
			}
		})
	}
}

func TestForget(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pool")
	p := open(t, dir)
	p.Choose([]netip.Prefix{small}, nil)
	lease(t, p, "a")
	if err := p.Forget(); err == nil {
		t.Error("forgot an address in use")
	}
	waiting := make(chan *Pool)
	go func() {
		next, err := Open(dir) // waits at a lock that is removed
		if err != nil {
			t.Error(err)
		}
		waiting <- next
	}()
	if err := errors.Join(p.Release("a"), p.Forget()); err != nil {
		t.Fatal(err)
	}
	if p.Network().IsValid() {
		t.Errorf("still has %v", p.Network())
	}
	p.Close()
	next := <-waiting
	third, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if err := unix.Flock(int(third.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		t.Errorf("the lock of the pool that is open now: %v, want EWOULDBLOCK", err)
	}
	if err := next.Forget(); err != nil {
		t.Error(err)
	}
	next.Close()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestWhoDiesHalfwayLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	p.Choose([]netip.Prefix{small}, nil)
	lease(t, p, "a")
	p.Close()
	os.WriteFile(filepath.Join(dir, "leases.new"), []byte("netw"), 0o600)
	p = open(t, dir)
	if got := p.Leases(); len(got) != 1 || got[0].ID != "a" {
		t.Errorf("leases %v", got)
	}
	if got := lease(t, p, "b"); got != "192.0.2.3" {
		t.Errorf("b got %s", got)
	}
}

func TestBadFilesAndNames(t *testing.T) {
	for _, text := range []string{"network banana\n", "192.0.2.2\n", "x y\n", "last 1\n"} {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "leases"), []byte(text), 0o600)
		if p, err := Open(dir); err == nil || !strings.Contains(err.Error(), "leases:1: ") || !strings.Contains(err.Error(), "rm -r "+dir) {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	p := open(t, t.TempDir())
	p.Choose([]netip.Prefix{small}, nil)
	for _, id := range []string{"", "a b", "a\nb"} {
		if address, err := p.Lease(id); err == nil {
			t.Errorf("id %q got %v", id, address)
		}
	}
}
