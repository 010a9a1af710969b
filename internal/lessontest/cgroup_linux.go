package lessontest

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/enclosure"
)

// A Group is the cgroup of a container, in each of the trees where it has one.
type Group struct {
	t    testing.TB
	Dirs []string
}

// GroupOf returns the cgroups of process pid that are not the test's own. It
// waits for the first, and skips the test where this machine has no cgroup
// tree with that controller ("pids", "memory", "cpu").
func GroupOf(t testing.TB, pid int, controller string) Group {
	t.Helper()
	if !hasController(controller) {
		t.Skipf("no cgroup tree of this machine has the controller %s", controller)
	}
	group := Group{t: t}
	if !Eventually(Patience, func() bool {
		group.Dirs = groupDirs(pid)
		return len(group.Dirs) > 0
	}) {
		t.Fatalf("process %d is in no cgroup of its own:\n%s", pid, strings.Join(lines("/proc/"+itoa(pid)+"/cgroup"), "\n"))
	}
	return group
}

// groupDirs finds the folders of a process's own cgroups: /proc/PID/cgroup
// holds "ID:CONTROLLERS:PATH", see cgroups(7).
func groupDirs(pid int) (dirs []string) {
	hosts := lines("/proc/self/cgroup")
	for _, line := range lines("/proc/" + itoa(pid) + "/cgroup") {
		fields := strings.SplitN(line, ":", 3)
		if slices.Contains(hosts, line) || len(fields) < 3 {
			continue
		}
		for _, tree := range cgroupTrees() {
			if below, err := filepath.Rel(tree.root, fields[2]); err == nil && tree.v1 == fields[1] {
				dirs = append(dirs, filepath.Join(tree.dir, below))
			}
		}
	}
	return dirs
}

// cgroupTree is a mounted cgroup tree, see enclosure.Tree.
type cgroupTree struct{ root, dir, v1, controllers string }

func cgroupTrees() (trees []cgroupTree) {
	for _, tree := range enclosure.Trees() {
		trees = append(trees, cgroupTree{tree.Root, tree.Dir, tree.V1, tree.Controllers})
	}
	return trees
}

func hasController(name string) bool {
	return slices.ContainsFunc(cgroupTrees(), func(tree cgroupTree) bool {
		return slices.Contains(strings.Fields(tree.controllers), name)
	})
}

// file returns the first of these files that the group has, "" for none.
func (g Group) file(names ...string) string {
	for _, name := range names {
		for _, dir := range g.Dirs {
			if _, err := os.Stat(dir + "/" + name); err == nil {
				return dir + "/" + name
			}
		}
	}
	return ""
}

// Read returns the text of the first of these files that the group has: v1 and
// v2 name them differently.
func (g Group) Read(names ...string) string {
	g.t.Helper()
	file := g.file(names...)
	if file == "" {
		g.t.Fatalf("the cgroup has no file %s; it is %v", strings.Join(names, " or "), g.Dirs)
	}
	return strings.Join(lines(file), "\n")
}

// Number returns a number from such a file: all of it, or what stands behind
// the word field.
func (g Group) Number(field string, names ...string) int {
	g.t.Helper()
	words := strings.Fields(g.Read(names...))
	i := slices.Index(words, field) + 1
	if field == "" {
		i = 0
	}
	if i >= len(words) {
		return 0
	}
	n, _ := strconv.Atoi(words[i])
	return n
}

// Gone reports whether the group's folders are gone.
func (g Group) Gone() bool {
	return !slices.ContainsFunc(g.Dirs, func(dir string) bool {
		_, err := os.Stat(dir)
		return err == nil
	})
}

// CPU measures over a time how many CPUs the group's processes get, by the
// kernel's own account for the group. The group is given all the weight there
// is, so that only its limit holds it back, however busy this machine is. On cgroup v1 that is the controller
// cpuacct, whose tree may not be the one of cpu: the processes are put into a
// group of the test there.
func (g Group) CPU(over time.Duration) float64 {
	g.t.Helper()
	for name, most := range map[string]string{"cpu.shares": "262144", "cpu.weight": "10000"} {
		if file := g.file(name); file != "" {
			os.WriteFile(file, []byte(most), 0)
		}
	}
	usage := func() time.Duration { return time.Duration(g.Number("usage_usec", "cpu.stat")) * time.Microsecond }
	if !strings.Contains(g.Read("cpu.stat"), "usage_usec") {
		account := g.account()
		usage = func() time.Duration { return time.Duration(account.Number("", "cpuacct.usage")) }
	}
	before, start := usage(), time.Now()
	time.Sleep(over)
	return float64(usage()-before) / float64(time.Since(start))
}

// account returns a group that has cpuacct.usage for the group's processes.
func (g Group) account() Group {
	g.t.Helper()
	if g.file("cpuacct.usage") != "" {
		return g
	}
	for _, tree := range cgroupTrees() {
		if !slices.Contains(strings.Split(tree.v1, ","), "cpuacct") {
			continue
		}
		account := Group{g.t, []string{tree.dir + "/lessontest-" + itoa(os.Getpid())}}
		if err := os.Mkdir(account.Dirs[0], 0o755); err != nil {
			g.t.Fatal(err)
		}
		g.t.Cleanup(func() {
			Eventually(Patience, func() bool { return unix.Rmdir(account.Dirs[0]) != unix.EBUSY })
		})
		for _, pid := range strings.Fields(g.Read("cgroup.procs")) {
			os.WriteFile(account.Dirs[0]+"/cgroup.procs", []byte(pid), 0)
		}
		return account
	}
	g.t.Skip("no cgroup tree of this machine counts CPU time: it has no controller cpuacct")
	return Group{}
}
