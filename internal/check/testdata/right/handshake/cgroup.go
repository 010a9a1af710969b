//go:build linux

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lesson"
)

// group is the container's cgroup, see cgroups(7): a folder in each tree that has one of the
// controllers. v1 has a tree for each controller, v2 one for all, a hybrid system both kinds.
type group struct {
	name    string
	trees   []tree
	missing string // the controllers that are in no tree
}

type tree struct {
	v2               bool
	dir, controllers string // /sys/fs/cgroup, +pids +memory +cpu
}

// v1 has other names for some files of v2. memsw is memory and swap together; and the period that
// a quota is a part of is 100,000 microseconds in v1, too.
var v1 = map[string]struct{ file, value string }{
	"memory.max":      {"memory.limit_in_bytes", memoryMax},
	"memory.swap.max": {"memory.memsw.limit_in_bytes", memoryMax},
	"cpu.max":         {"cpu.cfs_quota_us", strings.Fields(cpuMax)[0]},
}

// newGroup looks in the mount table where the controllers are: on both sides it is the same group.
func newGroup() group {
	g := group{name: "gonsrun-step06-" + lesson.Host(), missing: " pids memory cpu"}
	for _, line := range strings.Split(read("/proc/self/mountinfo"), "\n") {
		mount, super, _ := strings.Cut(line, " - ") // … /sys/fs/cgroup/pids … - cgroup cgroup rw,pids
		if !strings.HasPrefix(super, "cgroup") {
			continue
		}
		t := tree{dir: strings.Fields(mount)[4], v2: strings.HasPrefix(super, "cgroup2")}
		has := strings.Split(super[strings.LastIndex(super, " ")+1:], ",")
		if t.v2 {
			has = strings.Fields(read(t.dir + "/cgroup.controllers"))
		}
		for _, controller := range strings.Fields(g.missing) {
			if slices.Contains(has, controller) {
				t.controllers = strings.TrimSpace(t.controllers + " +" + controller)
				g.missing = strings.Replace(g.missing, " "+controller, "", 1)
			}
		}
		if t.controllers != "" {
			g.trees = append(g.trees, t)
		}
	}
	return g
}

func (g group) mkdir() error {
	lesson.TakeSignals() // from here on, none may end us before the group is removed
	if g.missing != "" {
		lesson.Note("no cgroup tree has the controller%s here: no limit for that", g.missing)
	}
	for _, t := range g.trees {
		t.sweep(g.name)
		if err := os.Mkdir(t.dir+"/"+g.name, 0o755); err != nil {
			return err
		}
		if t.v2 {
			if err := t.handDown(); err != nil {
				return err
			}
		}
	}
	return nil
}

// write sets a limit in the tree that has its controller; cgroup.procs is in every tree.
func (g group) write(file, value string) error {
	controller, _, _ := strings.Cut(file, ".")
	for _, t := range g.trees {
		name, text := file, value
		if old, ok := v1[file]; ok && !t.v2 {
			name, text = old.file, old.value
		}
		name = filepath.Join(t.dir, g.name, name)
		notHere := controller != "cgroup" && !strings.Contains(t.controllers, controller)
		noSwap := file == "memory.swap.max" && unix.Access(name, unix.F_OK) != nil
		if notHere || noSwap {
			continue
		}
		if err := os.WriteFile(name, []byte(text), 0); err != nil {
			return err
		}
	}
	return nil
}

// handDown gives the group its controllers, in v2. Only the kernel's own root, which has no type, may
// do so while there are processes in it. From the root that a container sees they move to a leaf.
func (t tree) handDown() error {
	if read(t.dir+"/cgroup.type") != "" && read(t.dir+"/cgroup.procs") != "" {
		os.Mkdir(t.dir+"/gonsrun-leaf", 0o755) // another run may have made it
		move(t.dir, t.dir+"/gonsrun-leaf")
	}
	return os.WriteFile(t.dir+"/cgroup.subtree_control", []byte(t.controllers), 0)
}

// rmdir removes the group. The last one to go brings the leaf's processes back.
func (g group) rmdir() {
	for _, t := range g.trees {
		for tries := 0; unix.Rmdir(t.dir+"/"+g.name) == unix.EBUSY && tries < 100; tries++ {
			time.Sleep(10 * time.Millisecond) // the last process is still on its way out
		}
		t.sweep("")
		leaf := t.dir + "/gonsrun-leaf"
		if rest, _ := filepath.Glob(t.dir + "/gonsrun-*"); slices.Equal(rest, []string{leaf}) {
			os.WriteFile(t.dir+"/cgroup.subtree_control", []byte(strings.ReplaceAll(t.controllers, "+", "-")), 0)
			move(leaf, t.dir)
			unix.Rmdir(leaf)
		}
	}
}

// sweep removes the groups of runs that were killed: their pids are gone, or one is ours now.
func (t tree) sweep(own string) {
	groups, _ := filepath.Glob(t.dir + "/gonsrun-step06-*")
	for _, dir := range groups {
		_, pid, _ := strings.Cut(filepath.Base(dir), "step06-")
		if filepath.Base(dir) == own || unix.Access("/proc/"+pid, unix.F_OK) != nil {
			unix.Rmdir(dir)
		}
	}
}

func move(from, to string) {
	for _, pid := range strings.Fields(read(from + "/cgroup.procs")) {
		os.WriteFile(to+"/cgroup.procs", []byte(pid), 0) // one that has ended need not move
	}
}

func read(file string) string {
	text, _ := os.ReadFile(file)
	return strings.TrimSpace(string(text))
}
