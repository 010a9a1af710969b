//go:build linux

package idmap

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary plays the first process of a user namespace, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "in namespace" {
		show()
	}
	os.Exit(m.Run())
}

// show waits until the ids are mapped, begins again, to have what an execve by
// root gives, and shows who it is.
func show() {
	if len(os.Args) == 2 {
		io.Copy(io.Discard, os.Stdin)
		err := unix.Exec("/proc/self/exe", append(os.Args, "mapped"), nil)
		fmt.Println(err)
		os.Exit(1)
	}
	status, _ := os.ReadFile("/proc/self/status")
	_, caps, _ := strings.Cut(string(status), "CapEff:\t")
	caps, _, _ = strings.Cut(caps, "\n")
	fmt.Printf("uid %d gid %d caps %s %v %v", os.Getuid(), os.Getgid(), caps, readMap("/proc/self/uid_map"), readMap("/proc/self/gid_map"))
	os.Exit(0)
}

// start starts a process in a user namespace with the ids of m, and returns
// what it shows.
func start(t *testing.T, m Mapping) string {
	t.Helper()
	c := exec.Command("/proc/self/exe", "in namespace")
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
	if !m.NeedsHelper() {
		m.Attributes(c.SysProcAttr)
	}
	stdin, _ := c.StdinPipe()
	stdout, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err, Restricted())
		}
		t.Skipf("no user namespace here: %v %s", err, Restricted())
	}
	if m.NeedsHelper() {
		if err := m.Apply(c.Process.Pid); err != nil {
			t.Error(err)
		}
	}
	stdin.Close()
	shown, _ := io.ReadAll(stdout)
	c.Wait()
	return string(shown)
}

func TestNamespace(t *testing.T) {
	m, err := For(os.Getuid(), os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	all := narrowed(t)
	want := fmt.Sprintf("uid 0 gid 0 caps %016x %v %v", all, m.uids, m.gids)
	if got := start(t, m); got != want {
		t.Errorf("seen inside: %s\nwant:        %s", got, want)
	}
	if os.Geteuid() == 0 {
		if m.uids[0].outside == 0 || m.NeedsHelper() {
			t.Errorf("root inside is root outside: %+v", m)
		}
		againAsOrdinaryUser(t)
	}
}

// narrowed is the set of all capabilities that this kernel has: root of a new
// user namespace gets them, however few we have.
func narrowed(t *testing.T) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		t.Fatal(err)
	}
	var last uint
	fmt.Sscan(string(text), &last)
	return 1<<(last+1) - 1
}

// Without newuidmap an ordinary user maps one id.
func TestSingle(t *testing.T) {
	if os.Geteuid() == 0 {
		againAsOrdinaryUser(t)
		return
	}
	t.Setenv("PATH", "/nowhere")
	m, err := For(os.Getuid(), os.Getgid())
	if err != nil || !m.Single() || m.NeedsHelper() {
		t.Fatalf("%+v, %v", m, err)
	}
	want := fmt.Sprintf("uid 0 gid 0 caps %016x [{0 %d 1}] [{0 %d 1}]", narrowed(t), os.Getuid(), os.Getgid())
	if got := start(t, m); got != want {
		t.Errorf("seen inside: %s\nwant:        %s", got, want)
	}
}

// With newuidmap an ordinary user gets their range, and no other.
func TestHelper(t *testing.T) {
	if _, err := exec.LookPath("newuidmap"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no newuidmap: apt-get install uidmap")
		}
		t.Skip("no newuidmap: apt-get install uidmap")
	}
	if os.Geteuid() == 0 {
		if _, err := os.Stat(here.subuid); err != nil {
			t.Skipf("no %s to mount another on: touch /etc/subuid /etc/subgid", here.subuid)
		}
		againAsOrdinaryUser(t)
		return
	}
	m, err := For(os.Getuid(), os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	if !m.NeedsHelper() {
		t.Skip("this user has no subordinate ids; root's test gives some")
	}
	want := fmt.Sprintf("uid 0 gid 0 caps %016x [{0 %d 1} {1 %d %d}] [{0 %d 1} {1 %d %d}]", narrowed(t),
		os.Getuid(), m.uids[1].outside, m.uids[1].count, os.Getgid(), m.gids[1].outside, m.gids[1].count)
	if got := start(t, m); got != want {
		t.Errorf("seen inside: %s\nwant:        %s", got, want)
	}
	m.uids[1].outside = 1
	if err := m.Apply(os.Getpid()); err == nil || !strings.Contains(err.Error(), "newuidmap") || !strings.Contains(err.Error(), "/etc/subuid") {
		t.Errorf("ids that are not ours: %v", err)
	}
}

// againAsOrdinaryUser runs the same test again, as the user nobody, who finds
// that /etc/subuid and /etc/subgid give them ids: in a mount namespace of their
// own, the host's files are not touched.
func againAsOrdinaryUser(t *testing.T) {
	t.Helper()
	const nobody = "65534"
	given := filepath.Join(t.TempDir(), "given")
	if err := os.WriteFile(given, []byte(nobody+":1300000:65536\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	c := exec.Command("/bin/sh", "-c", `mount --make-rprivate /
		for file in /etc/subuid /etc/subgid; do ! test -e $file || mount --bind "$1" $file; done
		shift; exec "$@"`, "sh", given, "setpriv", "--reuid="+nobody, "--regid="+nobody, "--clear-groups",
		"/proc/self/fd/3", "-test.v", "-test.run=^"+t.Name()+"$")
	c.ExtraFiles = []*os.File{self}
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	out, err := c.CombinedOutput()
	if err != nil || strings.Contains(string(out), "--- SKIP") {
		t.Errorf("as the user nobody: %v\n%s", err, out)
	}
}

func TestMapping(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("newuidmap", "")
	file("newgidmap", "")
	whole := file("uid_map", "         0          0 4294967295\n")
	m := machine{
		passwd: file("passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n"),
		subuid: file("subuid", "# comment\nann:100000:65536\nbob:banana:1\n1001:300000:1000\n"),
		subgid: file("subgid", "ann:200000:65536\nbob:500000:10"),
		uidMap: whole, gidMap: whole,
	}
	with := func(change func(*machine)) machine { n := m; change(&n); return n }
	roots := []entry{{0, defaultFirst, defaultCount}}
	for _, test := range []struct {
		name       string
		m          machine
		path       string
		uid        int
		uids, gids []entry
	}{
		{"by name", m, dir, 1000, []entry{{0, 1000, 1}, {1, 100000, 65536}}, []entry{{0, 1000, 1}, {1, 200000, 65536}}},
		{"by number", m, dir, 1001, []entry{{0, 1001, 1}, {1, 300000, 1000}}, []entry{{0, 1001, 1}, {1, 500000, 10}}},
		{"none", m, dir, 1002, []entry{{0, 1002, 1}}, []entry{{0, 1002, 1}}},
		{"no newuidmap", m, "/nowhere", 1000, []entry{{0, 1000, 1}}, []entry{{0, 1000, 1}}},
		{"no file", with(func(m *machine) { m.subgid = "/nowhere" }), dir, 1000, []entry{{0, 1000, 1}}, []entry{{0, 1000, 1}}},
		{"root", m, dir, 0, roots, roots},
		{"root's range", with(func(m *machine) { m.subuid = file("rootsub", "root:70000:65536\n") }), dir, 0, []entry{{0, 70000, 65536}}, roots},
		{"root of a user namespace", with(func(m *machine) { m.uidMap = file("inner", "0 1000 1\n1 100000 65536\n") }), dir, 0, []entry{{0, 0, 1}}, roots},
	} {
		t.Setenv("PATH", test.path)
		got, err := test.m.mapping(test.uid, test.uid)
		if err != nil || !slices.Equal(got.uids, test.uids) || !slices.Equal(got.gids, test.gids) {
			t.Errorf("%s: %v %v %v, want %v %v", test.name, got.uids, got.gids, err, test.uids, test.gids)
		}
		if got.NeedsHelper() != (len(test.uids) > 1) {
			t.Errorf("%s: needs a helper: %v", test.name, got.NeedsHelper())
		}
	}
}

func TestHelperMissing(t *testing.T) {
	t.Setenv("PATH", "/nowhere")
	m := Mapping{uids: []entry{{0, 0, 1}}, gids: []entry{{0, 0, 1}}, helper: true}
	if err := m.Apply(os.Getpid()); !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "newuidmap") {
		t.Error(err)
	}
}
