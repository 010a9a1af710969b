package capability

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What changes capabilities runs in a child: this test binary again, told by
// the variable which of scenes to play. A scene ends by execve, as a container
// does, and what is then left is printed.
const sceneVariable = "CAPABILITY_TEST_SCENE"

var scenes = map[string]func() (Sets, error){
	"root": func() (Sets, error) {
		return dropAll(Default, func() error { return nil })
	},
	"nothing": func() (Sets, error) {
		return dropAll(0, func() error { return nil })
	},
	"user": func() (Sets, error) {
		return dropAll(Default, func() error { return unix.Setresuid(1000, 1000, 1000) })
	},
	// A starter that hands on an inheritable and an ambient set must not win.
	"ambient": func() (Sets, error) {
		raise := uint32(1 << unix.CAP_NET_RAW)
		now, err := Read(0)
		if err != nil {
			return Sets{}, err
		}
		low, high := uint32(now.Permitted), uint32(now.Permitted>>32)
		data := [2]unix.CapUserData{{Effective: low, Permitted: low, Inheritable: raise}, {Effective: high, Permitted: high}}
		if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
			return Sets{}, err
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_NET_RAW, 0, 0); err != nil {
			return Sets{}, err
		}
		if now, err = Read(0); err != nil || now.Ambient == 0 {
			return now, fmt.Errorf("the scene is not set: ambient is %s, %v", now.Ambient, err)
		}
		return dropAll(Default, func() error { return nil })
	},
	// After a drop there is nothing left to drop.
	"twice": func() (Sets, error) {
		if _, err := dropAll(Default, func() error { return nil }); err != nil {
			return Sets{}, err
		}
		now, err := Read(0)
		if left := now.Bounding &^ Default; left != 0 {
			return now, fmt.Errorf("%s can still be dropped", left)
		}
		if err != nil {
			return now, err
		}
		return dropAll(Default, func() error { return nil })
	},
	// Limit cannot give what is not there.
	"too much": func() (Sets, error) {
		if _, err := dropAll(1, func() error { return nil }); err != nil {
			return Sets{}, err
		}
		if err := Limit(3); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "capset CAP_CHOWN,CAP_DAC_OVERRIDE") {
			return Sets{}, fmt.Errorf("Limit beyond the permitted set: %v, want capset, the set, and EPERM", err)
		}
		return Read(0)
	},
}

// dropAll does what a container does, in the order of the package comment.
func dropAll(keep Set, becomeUser func() error) (Sets, error) {
	now, err := Read(0)
	if err != nil {
		return now, err
	}
	keep &= now.Available()
	if err := DropBounding(now.Bounding, keep); err != nil {
		return now, err
	}
	if err := becomeUser(); err != nil {
		return now, err
	}
	if unix.Getuid() != 0 {
		keep = 0
	}
	if err := Limit(keep); err != nil {
		return now, err
	}
	return Read(0)
}

func TestMain(m *testing.M) {
	scene, ok := scenes[os.Getenv(sceneVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	before, err := scene()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(before)
	err = unix.Exec("/bin/cat", []string{"cat", "/proc/self/status"}, nil)
	fmt.Fprintln(os.Stderr, "execve /bin/cat:", err)
	os.Exit(1)
}

// play returns the sets at the end of a scene, and those after its execve.
func play(t *testing.T, scene string) (before, after Sets) {
	t.Helper()
	needsRoot(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{sceneVariable + "=" + scene}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("scene %s: %v\n%s", scene, err, stderr.String())
	}
	first, status, _ := strings.Cut(string(out), "\n")
	if err := json.Unmarshal([]byte(first), &before); err != nil {
		t.Fatalf("scene %s: %v in %q", scene, err, first)
	}
	if after, err = parseStatus("\n"+status, "cat"); err != nil {
		t.Fatal(err)
	}
	return before, after
}

func needsRoot(t *testing.T) {
	t.Helper()
	now, err := Read(0)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 || !now.Effective.Has(unix.CAP_SETPCAP) {
		t.Skip("only root with CAP_SETPCAP can shrink a bounding set")
	}
}

func available(t *testing.T, s Set) Set {
	t.Helper()
	now, err := Read(0)
	if err != nil {
		t.Fatal(err)
	}
	return s & now.Available()
}

func TestSetsOfAContainer(t *testing.T) {
	needsRoot(t)
	kept := available(t, Default)
	root := Sets{Permitted: kept, Effective: kept, Bounding: kept}
	for scene, want := range map[string]struct{ before, after Sets }{
		"root":     {root, root},
		"ambient":  {root, root},
		"twice":    {root, root},
		"nothing":  {Sets{}, Sets{}},
		"user":     {Sets{Bounding: kept}, Sets{Bounding: kept}},
		"too much": {Sets{Permitted: 1, Effective: 1, Bounding: 1}, Sets{Permitted: 1, Effective: 1, Bounding: 1}},
	} {
		before, after := play(t, scene)
		if before != want.before || after != want.after {
			t.Errorf("scene %s:\nbefore execve %+v\nwant          %+v\nafter execve  %+v\nwant          %+v",
				scene, before, want.before, after, want.after)
		}
	}
}

func TestRead(t *testing.T) {
	self, err := Read(0)
	if err != nil {
		t.Fatal(err)
	}
	if self.Available()&^self.Bounding != 0 || self.Effective&^self.Permitted != 0 {
		t.Errorf("impossible sets: %+v", self)
	}
	if other, err := Read(os.Getpid()); err != nil || other != self {
		t.Errorf("Read(own pid) = %+v, %v; want %+v", other, err, self)
	}
	if _, err := Read(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Read of no process: %v", err)
	}
	got, err := parseStatus("Name:\tx\nCapInh:\t0000000000000001\nCapPrm:\t0000000000000002\nCapEff:\t0000000000000003\n"+
		"CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000005\nNoNewPrivs:\t0\n", "test")
	if want := (Sets{1, 2, 3, All, 5}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := parseStatus("CapInh:\tbanana\n", "test"); err == nil {
		t.Error("a file without the sets is no error")
	}
}

// The kernel in use must not know more capabilities than the list, or the
// explanations are out of date; it may know fewer.
func TestListCoversThisKernel(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		t.Skip(err)
	}
	var last int
	fmt.Sscan(string(text), &last)
	if last >= len(known) {
		t.Errorf("this kernel has capabilities up to %d, the list ends at %d", last, len(known)-1)
	}
}

// What strace sees is one call for each capability that is there and not kept, in
// the kernel's order, and one that sets what is kept.
func TestCalls(t *testing.T) {
	needsRoot(t)
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("strace is not installed: apt-get install strace")
		}
		t.Skip("strace is not installed")
	}
	now, err := Read(0)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for scene, keep := range map[string]Set{"root": now.Available() & Default, "nothing": 0} {
		cmd := exec.Command(strace, "-f", "-qq", "-e", "trace=prctl,capset", "-e", "signal=none", self)
		cmd.Env = []string{sceneVariable + "=" + scene}
		trace := new(strings.Builder)
		cmd.Stderr = trace
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, trace)
		}
		var want []string
		for _, name := range (now.Bounding &^ keep).Names() {
			want = append(want, "prctl(PR_CAPBSET_DROP, "+name+")")
		}
		set := "0"
		if keep != 0 {
			set = "1<<" + strings.Join(keep.Names(), "|1<<")
		}
		want = append(want, fmt.Sprintf("capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=%s, permitted=%[1]s, inheritable=0})", set))
		if got := callsIn(trace.String()); !slices.Equal(got, want) {
			t.Errorf("scene %s: strace sees\n%s\nwant\n%s", scene, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// callsIn are the successful calls on bounding sets, and those that set the others.
func callsIn(trace string) (calls []string) {
	for _, line := range strings.Split(trace, "\n") {
		line = strings.TrimLeft(strings.TrimPrefix(line, "[pid"), " 0123456789]")
		call, result, _ := strings.Cut(line, " = ")
		if result == "0" && (strings.HasPrefix(call, "prctl(PR_CAPBSET") || strings.HasPrefix(call, "capset(")) {
			calls = append(calls, strings.TrimSpace(call))
		}
	}
	return calls
}

// What cannot be dropped is named.
func TestDropError(t *testing.T) {
	err := DropBounding(1<<63|mustParse("CHOWN"), mustParse("CHOWN"))
	if err == nil || !strings.Contains(err.Error(), "prctl PR_CAPBSET_DROP CAP_63: ") {
		t.Errorf("the error is %v", err)
	}
}
