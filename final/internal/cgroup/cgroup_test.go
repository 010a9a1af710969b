//go:build linux

package cgroup

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// The test binary started again is a container's first process: it joins the
// group that it is given, says so, and waits until stdin ends.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "container" {
		runtime.LockOSThread()
		var g Group
		if err := json.Unmarshal([]byte(os.Args[2]), &g); err != nil {
			fmt.Println(err)
		}
		if err := g.Join(); err != nil {
			fmt.Println(err)
		}
		text, _ := os.ReadFile("/proc/thread-self/cgroup")
		fmt.Printf("%q\n", text)
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// What a limit is called in v1 and in v2.
func TestSettings(t *testing.T) {
	const memory = 64 << 20
	for _, test := range []struct {
		limits Resources
		v1, v2 string
	}{
		{Resources{}, "", ""},
		{Resources{PidsLimit: 20}, "pids.max=20", "pids.max=20"},
		{Resources{Memory: memory}, "memory.limit_in_bytes=67108864", "memory.max=67108864"},
		{Resources{Memory: memory, Swap: 2 * memory}, // v1 counts both together, v2 swap alone
			"memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=134217728?",
			"memory.max=67108864 memory.swap.max=67108864?"},
		{Resources{Memory: memory, Swap: memory},
			"memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=67108864?",
			"memory.max=67108864 memory.swap.max=0?"},
		{Resources{Memory: memory, Swap: -1}, "memory.limit_in_bytes=67108864", "memory.max=67108864 memory.swap.max=max?"},
		{Resources{Quota: 50_000, Period: 100_000}, "cpu.cfs_period_us=100000 cpu.cfs_quota_us=50000", "cpu.max=50000 100000"},
		{Resources{Cpus: "0-2,7"}, "cpuset.cpus=0-2,7", "cpuset.cpus=0-2,7"},
	} {
		for _, v2 := range []bool{false, true} {
			want := map[bool]string{false: test.v1, true: test.v2}[v2]
			var got []string
			for _, s := range test.limits.settings(v2) {
				optional := map[bool]string{true: "?"}[s.optional]
				got = append(got, s.file+"="+s.value+optional)
				if controller, _, _ := strings.Cut(s.file, "."); controller != s.controller {
					t.Errorf("%s is a file of the controller %q", s.file, s.controller)
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%+v, v2 %v: %q, expected %q", test.limits, v2, got, want)
			}
		}
	}
}

func TestControllers(t *testing.T) {
	all := Resources{Memory: 1 << 30, Swap: 2 << 30, Quota: 1, Period: 2, Cpus: "0", PidsLimit: 1}
	if got, want := all.controllers(), []string{"pids", "memory", "cpu", "cpuset"}; !slices.Equal(got, want) {
		t.Errorf("all limits need %v, expected %v", got, want)
	}
	if got := (Resources{}).controllers(); got != nil {
		t.Errorf("no limits need %v", got)
	}
	for options, want := range map[string]string{"rw,pids": "pids", "rw,cpu,cpuacct": "cpu,cpuacct", "ro,memory": "memory", "rw,name=systemd": "name=systemd"} {
		if got := controllersOf(options); got != want {
			t.Errorf("the controllers among the options %q are %q, expected %q", options, got, want)
		}
	}
}

// Each controller is looked for in the tree that has it, and in no other.
func TestFind(t *testing.T) {
	g, err := Find("test", Resources{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, tree := range g.Trees {
		for _, controller := range tree.Controllers {
			if seen[controller] != "" {
				t.Errorf("the controller %s is in %s and in %s", controller, seen[controller], tree.Dir)
			}
			seen[controller] = tree.Dir
			if !slices.Contains(counters, controller) {
				t.Errorf("without a limit the controller %s is of no use", controller)
			}
		}
		if !strings.Contains(g.Where(), tree.Dir) {
			t.Errorf("%q does not name %s", g.Where(), tree.Dir)
		}
		if tree.V2 == (tree.Options != "") {
			t.Errorf("only a tree of v1 has options: %+v", tree)
		}
	}
	text, _ := json.Marshal(g)
	var again Group
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(&again, g) {
		t.Errorf("written down and read again, the group is %+v, %v", again, err)
	}
}

// limits are those that this machine has controllers for.
func limits() (r Resources) {
	has := func(limit Resources) bool {
		_, err := Find("test", limit)
		return err == nil
	}
	if has(Resources{PidsLimit: 7}) {
		r.PidsLimit = 7
	}
	if has(Resources{Memory: 1}) {
		r.Memory, r.Swap = 64<<20, 128<<20
	}
	if has(Resources{Quota: 1}) {
		r.Quota, r.Period = 50_000, 100_000
	}
	if has(Resources{Cpus: "0"}) {
		r.Cpus = "0"
	}
	return r
}

// made makes a group with limits, and removes it at the end of the test.
func made(t *testing.T, r Resources) *Group {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making a cgroup needs root: go test -exec sudo ./final/internal/cgroup")
	}
	g, err := Find(fmt.Sprintf("test-%d", os.Getpid()), r)
	if err != nil {
		t.Fatal(err)
	}
	if !g.Writable() {
		t.Skipf("no cgroup can be made in %q", g.Where())
	}
	t.Cleanup(func() {
		g.Kill()
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
	})
	if err := g.Make(r); err != nil {
		t.Fatal(err)
	}
	return g
}

// container starts a process, which joins the trees of v1 by itself, and
// returns it with what it says of its groups.
func container(t *testing.T, g *Group) (*exec.Cmd, string) {
	t.Helper()
	text, _ := json.Marshal(g)
	process := exec.Command("/proc/self/exe", "container", string(text))
	stdin, _ := process.StdinPipe()
	stdout, _ := process.StdoutPipe()
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		process.Process.Kill()
		process.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return process, line
}

// The limits that were set are those that the kernel has.
func TestMake(t *testing.T) {
	r := limits()
	g := made(t, r)
	for _, tree := range g.Trees {
		for _, s := range r.settings(tree.V2) {
			if !slices.Contains(tree.Controllers, s.controller) {
				continue
			}
			text, err := os.ReadFile(g.dir(tree) + "/" + s.file)
			if got := strings.TrimSpace(string(text)); got != s.value && !(s.optional && err != nil) {
				t.Errorf("%s is %q, expected %q: %v", s.file, got, s.value, err)
			}
		}
	}
	u := g.Usage()
	if r.PidsLimit > 0 && (u.PidsLimit != 7 || u.Pids != 0) {
		t.Errorf("pids: %d of %d, expected 0 of 7", u.Pids, u.PidsLimit)
	}
	if r.Memory > 0 && (u.MemoryLimit != 64<<20 || u.Memory < 0 || u.OOMKills != 0) {
		t.Errorf("memory: %d of %d, %d killed; expected a limit of 64 MiB", u.Memory, u.MemoryLimit, u.OOMKills)
	}
	if err := g.Make(r); !errors.Is(err, unix.EEXIST) {
		t.Errorf("making the group once more: %v, expected EEXIST", err)
	}
}

// Without limits the group only counts.
func TestUsageWithoutLimits(t *testing.T) {
	g := made(t, Resources{})
	if u := g.Usage(); u.PidsLimit != -1 || u.MemoryLimit != -1 {
		t.Errorf("without limits there is one: %+v", u)
	}
	if u := (&Group{}).Usage(); u != (Usage{-1, -1, -1, -1, -1, 0}) {
		t.Errorf("what no controller counts is %+v", u)
	}
	if pids := (&Group{}).Pids(); pids != nil {
		t.Errorf("a group that is nowhere holds %v", pids)
	}
}

// A process goes into the trees: v2's by whoever starts it, v1's by itself.
func TestJoin(t *testing.T) {
	g := made(t, limits())
	process, says := container(t, g)
	if err := g.Add(process.Process.Pid, true); err != nil {
		t.Fatal(err)
	}
	for _, tree := range g.Trees {
		if in := fmt.Sprintf(":%s:/%s%s\\n", tree.Options, prefix, g.ID); !tree.V2 && !strings.Contains(says, in) {
			t.Errorf("the process is not in %s of %s by itself: %s", prefix+g.ID, tree.Dir, says)
		}
		if tree.V2 && proc.Read(g.dir(tree)+"/cgroup.procs") != fmt.Sprint(process.Process.Pid) {
			t.Errorf("the process is not in %s", g.dir(tree))
		}
	}
}

// Whoever was put in can be found, is counted, and is killed with all that it
// has started; then the group can be removed.
func TestAddKillRemove(t *testing.T) {
	g := made(t, limits())
	process, _ := container(t, &Group{})
	pid := process.Process.Pid
	if err := g.Add(pid, false); err != nil {
		t.Fatal(err)
	}
	if pids := g.Pids(); !slices.Equal(pids, []int{pid}) {
		t.Fatalf("the group holds %v, expected %d", pids, pid)
	}
	if u := g.Usage(); u.Pids == 0 {
		t.Errorf("nobody is counted: %+v", u)
	}
	g.Kill()
	process.Wait()
	if status := process.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != unix.SIGKILL {
		t.Errorf("the process ended with %v, expected SIGKILL", process.ProcessState)
	}
	for range 2 {
		if err := g.Remove(); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
	for _, tree := range g.Trees {
		if _, err := os.Stat(g.dir(tree)); err == nil {
			t.Errorf("%s is still there", g.dir(tree))
		}
	}
	if err := g.Add(os.Getpid(), false); err == nil && len(g.Trees) > 0 {
		t.Error("a process was put into a group that is gone")
	}
}

// fakeTree is a folder with the files of a v2 tree, to see what is written
// into them.
func fakeTree(t *testing.T, subtree string) Tree {
	t.Helper()
	tree := Tree{Dir: t.TempDir(), V2: true, Controllers: []string{"pids", "memory"}}
	if err := os.WriteFile(tree.Dir+"/cgroup.subtree_control", []byte(subtree), 0o644); err != nil {
		t.Fatal(err)
	}
	return tree
}

// A group gets from its parent those controllers that it lacks.
func TestHandDown(t *testing.T) {
	for before, after := range map[string]string{
		"":                  "+pids +memory ",
		"cpu":               "+pids +memory ",
		"pids":              "+memory ",
		"memory cpu pids\n": "memory cpu pids\n",
	} {
		tree := fakeTree(t, before)
		if err := tree.handDown(); err != nil {
			t.Error(err)
		}
		if text, _ := os.ReadFile(tree.Dir + "/cgroup.subtree_control"); string(text) != after {
			t.Errorf("in the place of %q there is %q, expected %q", before, text, after)
		}
		if _, err := os.Stat(tree.Dir + "/" + leaf); err == nil {
			t.Error("a leaf was made, although nothing was busy")
		}
	}
	missing := Tree{Dir: "/nowhere", V2: true, Controllers: []string{"pids"}}
	if err := missing.handDown(); !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("a tree that is not there: %v", err)
	}
}

// A limit goes into the tree that has its controller. An optional one is left
// out where the kernel has no such file; without any other there is no limit.
func TestSet(t *testing.T) {
	tree := fakeTree(t, "")
	g := &Group{ID: "id", Trees: []Tree{tree}}
	fakeFile(t, g.dir(tree)+"/memory.max")
	for _, test := range []struct {
		setting setting
		want    error
	}{
		{setting{"memory", "memory.max", "1048576", false}, nil},
		{setting{"memory", "memory.swap.max", "0", true}, nil},
		{setting{"memory", "memory.high", "0", false}, unix.ENOENT},
		{setting{"cpu", "cpu.max", "1 2", false}, nil},
	} {
		if err := g.set(tree, test.setting); !errors.Is(err, test.want) {
			t.Errorf("%+v: %v, expected %v", test.setting, err, test.want)
		}
	}
	if text, _ := os.ReadFile(g.dir(tree) + "/memory.max"); string(text) != "1048576" {
		t.Errorf("memory.max is %q", text)
	}
}

// A process that will Join the trees of v1 is put only into that of v2.
func TestAddV2Only(t *testing.T) {
	v1, v2 := fakeTree(t, ""), fakeTree(t, "")
	v1.V2 = false
	g := &Group{ID: "id", Trees: []Tree{v1, v2}}
	for _, tree := range g.Trees {
		fakeFile(t, g.dir(tree)+"/cgroup.procs")
	}
	for _, step := range []struct {
		v2Only bool
		v1, v2 string
	}{{true, "", "42"}, {false, "42", "42"}} {
		if err := g.Add(42, step.v2Only); err != nil {
			t.Error(err)
		}
		inV1, inV2 := proc.Read(g.dir(v1)+"/cgroup.procs"), proc.Read(g.dir(v2)+"/cgroup.procs")
		if inV1 != step.v1 || inV2 != step.v2 {
			t.Errorf("v2Only %v: v1 has %q and v2 %q, expected %q and %q", step.v2Only, inV1, inV2, step.v1, step.v2)
		}
	}
}

// fakeFile makes an empty file, and the folder that it is in.
func fakeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The leaf goes with the last group, and not before.
func TestRemoveLeaf(t *testing.T) {
	tree := fakeTree(t, "")
	first, last := &Group{ID: "first", Trees: []Tree{tree}}, &Group{ID: "last", Trees: []Tree{tree}}
	for _, dir := range []string{tree.Dir + "/" + leaf, first.dir(tree), last.dir(tree)} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		group *Group
		left  int
		wrote string
	}{{first, 2, ""}, {last, 0, "-pids -memory"}} {
		if err := step.group.Remove(); err != nil {
			t.Error(err)
		}
		left, _ := filepath.Glob(tree.Dir + "/" + prefix + "*")
		wrote, _ := os.ReadFile(tree.Dir + "/cgroup.subtree_control")
		if len(left) != step.left || string(wrote) != step.wrote {
			t.Errorf("without %s there is %v left, and %q was written; expected %d and %q", step.group.ID, left, wrote, step.left, step.wrote)
		}
	}
}

// Where a v2 tree's root is not the kernel's own, and holds processes, they go
// into the leaf, and come back.
func TestLeaf(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making a cgroup needs root: go test -exec sudo ./final/internal/cgroup")
	}
	root := rootWithProcess(t)
	for _, controllers := range [][]string{{"memory"}, {"pids"}} {
		root.Controllers = controllers
		t.Run(controllers[0], func(t *testing.T) { leafInAndOut(t, root) })
	}
}

func leafInAndOut(t *testing.T, root Tree) {
	g := &Group{ID: "inner", Trees: []Tree{root}}
	before := proc.Read(root.Dir + "/cgroup.procs")
	if err := g.Make(Resources{}); err != nil {
		t.Fatal(err)
	}
	process, _ := container(t, &Group{})
	if err := g.Add(process.Process.Pid, false); err != nil {
		t.Errorf("nobody can live in the group: %v", err)
	}
	g.Kill()
	process.Wait()
	if in, leafs := proc.Read(root.Dir+"/cgroup.procs"), proc.Read(root.Dir+"/"+leaf+"/cgroup.procs"); in != "" || leafs != before {
		t.Errorf("the root holds %q, the leaf %q; expected %q in the leaf", in, leafs, before)
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
	if after := proc.Read(root.Dir + "/cgroup.procs"); after != before {
		t.Errorf("the root holds %q, expected %q again", after, before)
	}
	if left, _ := filepath.Glob(root.Dir + "/" + prefix + "*"); left != nil {
		t.Errorf("%v is left", left)
	}
}

// rootWithProcess makes a cgroup that stands for the root of a v2 tree as Docker
// gives it to a container: it has controllers, and a process in it. A group with
// processes cannot hand memory down (EBUSY); it can hand pids down, but is
// threaded from then on, and no process can live below it.
func rootWithProcess(t *testing.T) Tree {
	t.Helper()
	for _, tree := range mounted() {
		dir := fmt.Sprintf("%s/%sroot-%d", tree.Dir, prefix, os.Getpid())
		if !tree.V2 || unix.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { removeFolder(dir) })
		has := strings.Fields(proc.Read(dir + "/cgroup.controllers"))
		if !slices.Contains(has, "memory") || !slices.Contains(has, "pids") {
			continue
		}
		process, _ := container(t, &Group{})
		if err := write(dir+"/cgroup.procs", fmt.Sprint(process.Process.Pid)); err != nil {
			t.Fatal(err)
		}
		return Tree{Dir: dir, V2: true}
	}
	t.Skip("the root of the v2 tree here does not hand the controllers memory and pids down, or there is none")
	return Tree{}
}

// What cannot be removed is named, and soon.
func TestRemoveFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/child", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := removeFolder(dir); !errors.Is(err, unix.ENOTEMPTY) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder that is not empty: %v", err)
	}
	if err := removeFolder(dir + "/nowhere"); err != nil {
		t.Errorf("a folder that is gone: %v", err)
	}
}

// Removing waits for a process that is about to be gone.
func TestRemoveWaits(t *testing.T) {
	g := made(t, limits())
	if len(g.Trees) == 0 {
		t.Skip("no controller here: there is no group to remove")
	}
	process, _ := container(t, &Group{})
	if err := g.Add(process.Process.Pid, false); err != nil {
		t.Fatal(err)
	}
	removed := make(chan error)
	go func() { removed <- g.Remove() }()
	select {
	case err := <-removed:
		t.Errorf("Remove has not waited for the process in the group: %v", err)
	case <-time.After(50 * time.Millisecond): // nothing tells that it tries
		g.Kill()
		process.Wait()
		if err := <-removed; err != nil {
			t.Error(err)
		}
	}
}

func TestField(t *testing.T) {
	const events = "low 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 7"
	for name, want := range map[string]string{"low": "0", "oom_kill": "2", "oom": "3", "oom_group_kill": "7", "kill": "", "ma": ""} {
		if got := field(events, name); got != want {
			t.Errorf("%s is %q, expected %q", name, got, want)
		}
	}
}

// An error names the file, the value, and why the kernel refused it.
func TestWriteError(t *testing.T) {
	const file = "/proc/self/oom_score_adj" // any file of the kernel's that wants a number
	if err := write(file, "banana"); !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), `write "banana" to `+file) {
		t.Errorf("the error is %v", err)
	}
	if err := write("/sys/fs/cgroup/no/such/file", "1"); !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "open /sys/fs/cgroup/no/such/file") {
		t.Errorf("the error is %v", err)
	}
}
