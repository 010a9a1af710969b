package narrate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A process's view, as made up by the tests of the board.
func viewOf(status string) view {
	return view{namespaces: map[string]string{"pid": "pid:[1]"}, status: status}
}

func statusOf(uid string, permitted, bounding, ambient uint64, more string) string {
	return fmt.Sprintf("Uid:\t%s\nCapInh:\t0\nCapPrm:\t%x\nCapEff:\t%[2]x\nCapBnd:\t%x\nCapAmb:\t%x\n%s", uid, permitted, bounding, ambient, more)
}

func TestProcPlace(t *testing.T) {
	ours := view{namespaces: map[string]string{"pid": "pid:[1]"}}
	for _, test := range []struct {
		name, proc, shows, lives, state string
	}{
		{"none is mounted", "", "", "pid:[2]", none},
		{"the host's is still there", "0:5/1", "pid:[1]", "pid:[2]", hosts},
		{"a new one", "0:6/1", "pid:[2]", "pid:[2]", own},
		{"a new one, and no PID namespace", "0:6/1", "pid:[1]", "pid:[1]", hosts},
		{"what it shows cannot be seen", "0:6/1", "", "pid:[2]", hosts},
	} {
		theirs := view{namespaces: map[string]string{"pid": test.lives}, proc: test.proc, procPID: test.shows}
		if got := procPlace(ours, theirs); got.state != test.state {
			t.Errorf("%s: %s, expected %s", test.name, got.state, test.state)
		}
	}
}

func TestCapabilitiesPlace(t *testing.T) {
	const all, some = 1<<41 - 1, 0b1011
	root, nobody := "0 0 0 0", "1000\t1000\t1000\t1000"
	for _, test := range []struct {
		name, status, users, state, fact string
	}{
		{"root", statusOf(root, all, all, 0, ""), "", hosts, "41 of"},
		{"root that has dropped all: execve gives it back", statusOf(root, 0, all, 0, ""), "", hosts, "41 of"},
		{"root that has dropped all, and no_new_privs", statusOf(root, 0, all, 0, "NoNewPrivs:\t1"), "", own, "0 of"},
		{"root with less in the bounding set", statusOf(root, all, some, 0, ""), "", own, "3 of"},
		{"nobody with capabilities that are not ambient", statusOf(nobody, all, all, 0, ""), "", own, "0 of"},
		{"nobody with ambient ones", statusOf(nobody, all, all, some, ""), "", own, "3 of"},
		{"root in its own user namespace", statusOf(nobody, all, all, 0, ""), "0 1000 1", hosts, "41 of"},
		{"root in ours, which is not the first", statusOf(root, all, all, 0, ""), asInside("         0       1000          1"), hosts, "41 of"},
		{"root outside, nobody in its own user namespace", statusOf(root, all, all, 0, ""), "1000 0 1\n0 5000 1", own, "0 of"},
		{"gone", "", "", none, ""},
	} {
		theirs := viewOf(test.status)
		theirs.users = test.users
		got := capabilitiesPlace(viewOf(statusOf(root, all, all, 0, "")), theirs, "")
		if got.state != test.state || !strings.HasPrefix(got.fact, test.fact) {
			t.Errorf("%s: %s %s, expected %s %s", test.name, got.state, got.fact, test.state, test.fact)
		}
	}
}

// A set-user-ID command runs as another user than the board says, and it says that.
func TestGrants(t *testing.T) {
	file := filepath.Join(t.TempDir(), "command")
	os.WriteFile(file, nil, 0o755)
	if grants(file) || grants("") || grants(file+".nosuch") {
		t.Error("an ordinary file grants something")
	}
	for mode, want := range map[uint32]bool{0o4755: true, 0o2755: true, 0o2745: false, 0o1755: false} {
		unix.Chmod(file, mode)
		if grants(file) != want {
			t.Errorf("mode %o grants: %v", mode, !want)
		}
	}
	me := os.Getuid()
	root, nobody := fmt.Sprintf("%d %[1]d", me), fmt.Sprintf("%d %[1]d", me+1000)
	for _, test := range []struct {
		mode          uint32
		status, users string
		says          string
	}{
		{0o4755, statusOf(nobody, 1, 1, 0, ""), "", "set-user-ID: it will run as user " + fmt.Sprint(me)},
		{0o4755, statusOf(nobody, 1, 1, 0, "NoNewPrivs:\t1"), "", ""},
		{0o4755, statusOf(root, 1, 1, 0, ""), "", ""}, // it is that user already
		{0o4755, statusOf(nobody, 1, 1, 0, ""), fmt.Sprintf("0 %d 1", me+1000), ""},
		{0o4755, statusOf(nobody, 1, 1, 0, ""), fmt.Sprintf("0 %d 1\n1 %d 1", me+1000, me), "set-user-ID"},
		{0o2755, statusOf(nobody, 1, 1, 0, ""), "", ""}, // a group is no capability
	} {
		unix.Chmod(file, test.mode)
		theirs := viewOf(test.status)
		theirs.users = test.users
		detail := theirs.granted(file)
		if !strings.Contains(detail, test.says) || (detail == "") != (test.says == "") {
			t.Errorf("mode %o, %q, %q: the detail is %q, expected %q", test.mode, test.status, test.users, detail, test.says)
		}
	}
}

func TestSeccompPlace(t *testing.T) {
	for _, test := range []struct{ ours, theirs, state string }{
		{"Seccomp:\t0\nSeccomp_filters:\t0", "Seccomp:\t0\nSeccomp_filters:\t0", none},
		{"Seccomp:\t2\nSeccomp_filters:\t1", "Seccomp:\t2\nSeccomp_filters:\t1", hosts},
		{"Seccomp:\t2\nSeccomp_filters:\t1", "Seccomp:\t2\nSeccomp_filters:\t2", own},
		{"Seccomp:\t0", "Seccomp:\t2", own}, // before Linux 5.9 the filters are not counted
		{"Seccomp:\t0\nSeccomp_filters:\t0", "Seccomp:\t1\nSeccomp_filters:\t0", own},
		{"", "", none},
	} {
		if got := seccompPlace(viewOf(test.ours), viewOf(test.theirs)); got.state != test.state {
			t.Errorf("%q and %q: %s, expected %s", test.ours, test.theirs, got.state, test.state)
		}
	}
}

// An inode's number can be wider than its place: then it stands below, whole.
func TestDrawBoardWideFact(t *testing.T) {
	other := place{name: "uts", state: own, fact: "[4026532201]"}
	root := place{name: "root", state: hosts, fact: "0:39/103639680"}
	for _, test := range []struct {
		columns int
		places  []place
		want    string
	}{
		{60, []place{other, root}, "■ uts     own    [4026532201] □ root    host's see below\nroot: 0:39/103639680\n"},
		{61, []place{other, root}, "■ uts     own    [4026532201] □ root    host's 0:39/103639680\n"},
		{61, []place{root, other}, "□ root    host's see below    ■ uts     own    [4026532201]\nroot: 0:39/103639680\n"},
		{31, []place{root}, "□ root    host's 0:39/103639680\n"},
		{22, []place{root}, "□ root    host's 0:39…\n"}, // narrower than the hint itself
	} {
		p := printer{columns: test.columns}
		var got strings.Builder
		for _, line := range p.drawBoard(test.places) {
			got.WriteString(line.styled + "\n")
		}
		if !strings.HasSuffix(got.String(), ":\n"+test.want) {
			t.Errorf("%d columns: expected %q, got %q", test.columns, test.want, got.String())
		}
	}
}

// Limits are a process's own only where one holds that does not hold for its
// starter. Files stand for the cgroup tree here.
func TestGroupLimits(t *testing.T) {
	write := func(files map[string]string) string {
		dir := t.TempDir()
		for name, value := range files {
			os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), 0o644)
		}
		return dir
	}
	for _, test := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"pids.max": "max", "memory.max": "max", "cpu.max": "max 100000"}, ""},
		{map[string]string{"pids.max": "20", "memory.max": "67108864", "cpu.max": "50000 100000"}, "20 pids, 64 MiB, 0.5 CPU"},
		{map[string]string{"memory.max": "65536"}, "64 KiB"},
		{map[string]string{"memory.max": "0"}, "0 MiB"},
		{map[string]string{"memory.limit_in_bytes": "9223372036854771712", "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, ""},
		{map[string]string{"cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000", "memory.limit_in_bytes": "4096"}, "4 KiB, 2 CPU"},
	} {
		if got := strings.Join(groupLimits(write(test.files)), ", "); got != test.want {
			t.Errorf("%v: %q, expected %q", test.files, got, test.want)
		}
	}
	for _, test := range []struct {
		cgroup, controllers, group string
		want                       bool
	}{
		{"0::/a/b", "", "/", true},
		{"0::/a/b", "", "/a", true},
		{"0::/a/b", "", "/a/b", true},
		{"0::/a/b", "", "/a/bc", false},
		{"0::/a/bc", "", "/a/b", false},
		{"4:pids:/x\n0::/a", "", "/x", false},
		{"4:pids:/x\n0::/a", "pids", "/x", true},
		{"", "", "/x", false},
	} {
		if got := holds(test.cgroup, test.controllers, test.group); got != test.want {
			t.Errorf("%q is in %s%s: %v", test.cgroup, test.controllers, test.group, got)
		}
	}
	if got := limitsPlace(view{cgroup: "0::/a"}, view{cgroup: "0::/a"}); got.state != hosts || got.fact != "no group" {
		t.Errorf("in the starter's group: %v", got)
	}
	if got := limitsPlace(view{cgroup: "0::/a"}, view{cgroup: "0::/gonsrun-no-such-group"}); got.state != hosts || got.fact != "none is set" {
		t.Errorf("in a group without limits: %v", got)
	}
	if got := limitsPlace(view{}, view{}); got.state != none {
		t.Errorf("without cgroups: %v", got)
	}
}
