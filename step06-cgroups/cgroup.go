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

// group is the container's cgroup, see cgroups(7). In v2 one tree has all controllers, in v1 each
// has a tree of its own, and a hybrid system has both: so a group is a folder in one tree or more.
type group struct {
	name  string
	trees []tree
}

type tree struct {
	dir         string // where it is mounted
	v2          bool
	controllers []string // those of ours that it has
}

var controllers = []string{"pids", "memory", "cpu"}

// v1 has other names and values for the files of v2. memsw is memory and swap together. A CPU's
// time is measured in periods of 100,000 microseconds there, unless cpu.cfs_period_us says else.
var v1 = map[string]struct{ file, value string }{
	"memory.max":      {"memory.limit_in_bytes", memoryMax},
	"memory.swap.max": {"memory.memsw.limit_in_bytes", memoryMax},
	"cpu.max":         {"cpu.cfs_quota_us", strings.Fields(cpuMax)[0]},
}

// newGroup looks in the mount table where our controllers are. Both sides find the same group.
func newGroup() group {
	g, found := group{name: "gonsrun-step06-" + lesson.Host()}, map[string]bool{}
	for _, line := range strings.Split(read("/proc/self/mountinfo"), "\n") {
		mount, super, _ := strings.Cut(line, " - ") // … /sys/fs/cgroup/pids … - cgroup cgroup rw,pids
		if !strings.HasPrefix(super, "cgroup") {
			continue
		}
		t := tree{dir: strings.Fields(mount)[4], v2: strings.HasPrefix(super, "cgroup2 ")}
		has := strings.Split(super[strings.LastIndex(super, " ")+1:], ",")
		if t.v2 {
			has = strings.Fields(read(t.dir + "/cgroup.controllers"))
		}
		for _, c := range controllers {
			if slices.Contains(has, c) && !found[c] {
				t.controllers, found[c] = append(t.controllers, c), true
			}
		}
		if t.controllers != nil {
			g.trees = append(g.trees, t)
		}
	}
	return g
}

// mkdir makes the group's folders. A limit without a controller is left out.
func (g group) mkdir() error {
	missing := slices.Clone(controllers)
	for _, t := range g.trees {
		t.sweep(g.name)
		if err := os.Mkdir(filepath.Join(t.dir, g.name), 0o755); err != nil {
			return err
		}
		if err := t.handDown(); err != nil {
			return err
		}
		missing = slices.DeleteFunc(missing, func(c string) bool { return slices.Contains(t.controllers, c) })
	}
	if len(missing) > 0 {
		lesson.Note("no cgroup tree here has the controller %s: no limit for that", strings.Join(missing, " "))
	}
	return nil
}

// write sets a limit, or lets this process join: in every tree that has the file.
func (g group) write(name, value string) error {
	controller, _, _ := strings.Cut(name, ".")
	for _, t := range g.trees {
		file, text := name, value
		if old, ok := v1[name]; ok && !t.v2 {
			file, text = old.file, old.value
		}
		path := filepath.Join(t.dir, g.name, file)
		switch {
		case controller != "cgroup" && !slices.Contains(t.controllers, controller):
		case name == "memory.swap.max" && unix.Access(path, unix.F_OK) != nil: // this kernel does not count swap
		default:
			if err := write(path, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// handDown lets the group have the controllers. A v2 group can give them to those below it only
// when it holds no process itself. The kernel's own root, which has no type, may hold some; the
// root that a container sees may not: then its processes move to a leaf.
func (t tree) handDown() error {
	if !t.v2 {
		return nil
	}
	for tries := 0; tries < 10 && read(t.dir+"/cgroup.type") != "" && read(t.dir+"/cgroup.procs") != ""; tries++ {
		os.Mkdir(t.leaf(), 0o755) // another run may have made it
		move(t.dir, t.leaf())
	}
	return write(t.dir+"/cgroup.subtree_control", "+"+strings.Join(t.controllers, " +"))
}

// rmdir removes the group's folders. The last run brings the leaf's processes back.
func (g group) rmdir() {
	for _, t := range g.trees {
		remove(filepath.Join(t.dir, g.name))
		t.sweep("")
		if rest, _ := filepath.Glob(t.dir + "/gonsrun-*"); slices.Equal(rest, []string{t.leaf()}) {
			write(t.dir+"/cgroup.subtree_control", "-"+strings.Join(t.controllers, " -"))
			move(t.leaf(), t.dir)
			remove(t.leaf())
		}
	}
}

func (t tree) leaf() string { return t.dir + "/gonsrun-leaf" }

// sweep removes the groups of runs that were killed: their pids are gone, or were given to us.
func (t tree) sweep(own string) {
	groups, _ := filepath.Glob(t.dir + "/gonsrun-step06-*")
	for _, dir := range groups {
		if filepath.Base(dir) == own {
			remove(dir)
		} else if unix.Access("/proc/"+dir[strings.LastIndex(dir, "-")+1:], unix.F_OK) != nil {
			unix.Rmdir(dir)
		}
	}
}

// remove removes a group as soon as its last process has gone, or not at all.
func remove(dir string) {
	for tries := 0; unix.Rmdir(dir) == unix.EBUSY && tries < 100; tries++ {
		time.Sleep(10 * time.Millisecond)
	}
}

// move moves all processes of one group to another. One that has just ended cannot, and need not.
func move(from, to string) {
	for _, pid := range strings.Fields(read(from + "/cgroup.procs")) {
		write(to+"/cgroup.procs", pid)
	}
}

func read(file string) string {
	text, _ := os.ReadFile(file)
	return strings.TrimSpace(string(text))
}

func write(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}
