//go:build linux

// Package cgroup limits what a container can take from the machine, and counts
// what it takes, on cgroup v1, on v2, and on hybrid systems, where each
// controller is in one of the two.
//
// A controller has one tree. v1 has a tree for each (or for a few together), v2
// one for all. In each tree that is needed the container gets a group of its
// own, a folder named gonsrun-ID in the tree's root.
package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/narrate"
	"gonsrun/internal/proc"
)

const (
	prefix = "gonsrun-"     // a container's group
	leaf   = "gonsrun-leaf" // where the processes of a v2 root go, see handDown

	// removePatience is how long a group may stay busy after its last process
	// was reaped.
	removePatience = 2 * time.Second
)

// Resources are the limits of a container, named as in the OCI runtime-spec
// (config-linux.md, Control groups). Zero means no limit.
type Resources struct {
	Memory    int64  `json:"memory,omitempty"` // bytes
	Swap      int64  `json:"swap,omitempty"`   // bytes of memory and swap together, -1 for no limit
	Quota     int64  `json:"quota,omitempty"`  // microseconds of CPU time in each period
	Period    int64  `json:"period,omitempty"` // microseconds
	Cpus      string `json:"cpus,omitempty"`   // a list as in cpuset(7): 0-2,7
	PidsLimit int64  `json:"pids,omitempty"`   // tasks
}

// Tree is a mounted cgroup file system.
type Tree struct {
	Dir         string   `json:"dir"`
	V2          bool     `json:"v2"`
	Options     string   `json:"options"`     // v1: the mount options that name the controllers
	Controllers []string `json:"controllers"` // those of it that the container needs
}

// Group is a container's cgroup in every tree that it needs.
type Group struct {
	ID    string `json:"id"`
	Trees []Tree `json:"trees"`
}

// setting is one write into a file of the group. An optional one is left out
// where the kernel has no such file.
type setting struct {
	controller, file, value string
	optional                bool
}

// settings translates limits into the files of v1 or v2.
func (r Resources) settings(v2 bool) (all []setting) {
	add := func(controller, v1File, v1Value, v2File, v2Value string) {
		s := setting{controller: controller, file: v1File, value: v1Value}
		if v2 {
			s.file, s.value = v2File, v2Value
		}
		s.optional = strings.Contains(s.file, "swap") || strings.Contains(s.file, "memsw")
		if s.file != "" {
			all = append(all, s)
		}
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	if r.PidsLimit > 0 {
		add("pids", "pids.max", number(r.PidsLimit), "pids.max", number(r.PidsLimit))
	}
	if r.Memory > 0 {
		add("memory", "memory.limit_in_bytes", number(r.Memory), "memory.max", number(r.Memory))
		switch {
		case r.Swap < 0:
			add("memory", "", "", "memory.swap.max", "max")
		case r.Swap > 0:
			add("memory", "memory.memsw.limit_in_bytes", number(r.Swap), "memory.swap.max", number(r.Swap-r.Memory))
		}
	}
	if r.Quota > 0 {
		add("cpu", "cpu.cfs_period_us", number(r.Period), "cpu.max", number(r.Quota)+" "+number(r.Period))
		add("cpu", "cpu.cfs_quota_us", number(r.Quota), "", "")
	}
	if r.Cpus != "" {
		add("cpuset", "cpuset.cpus", r.Cpus, "cpuset.cpus", r.Cpus)
	}
	return all
}

// controllers are the ones that the limits need.
func (r Resources) controllers() (needed []string) {
	for _, s := range r.settings(false) {
		if !slices.Contains(needed, s.controller) {
			needed = append(needed, s.controller)
		}
	}
	return needed
}

// counters are the controllers that a container is in for being counted, also
// without a limit.
var counters = []string{"pids", "memory", "cpu", "cpuacct"}

// Find returns the group of the container id, not made yet, in the trees that
// this machine has for the limits in r and for counting. A controller that is
// not there, and that r needs, is an error.
func Find(id string, r Resources) (*Group, error) {
	needed := r.controllers()
	wanted := append(slices.Clone(counters), needed...)
	g := &Group{ID: id}
	for _, t := range mounted() {
		var here []string
		for _, controller := range t.Controllers {
			if slices.Contains(wanted, controller) {
				here = append(here, controller)
				wanted = slices.DeleteFunc(wanted, func(c string) bool { return c == controller })
			}
		}
		if here != nil {
			g.Trees = append(g.Trees, Tree{t.Dir, t.V2, t.Options, here})
		}
	}
	for _, controller := range needed {
		if slices.Contains(wanted, controller) {
			return nil, fmt.Errorf("the cgroup controller %q, which a limit needs, is in no cgroup tree here. See which trees there are, and what the one of v2 has:\n  grep cgroup /proc/self/mountinfo\n  cat /sys/fs/cgroup/cgroup.controllers", controller)
		}
	}
	return g, nil
}

// mounted lists the cgroup trees of this machine, proc_pid_mountinfo(5).
func mounted() (trees []Tree) {
	for _, line := range strings.Split(proc.Read("/proc/self/mountinfo"), "\n") {
		mount, super, found := strings.Cut(line, " - ")
		if !found || !strings.HasPrefix(super, "cgroup") {
			continue
		}
		dir := strings.Fields(mount)[4]
		options := super[strings.LastIndex(super, " ")+1:]
		switch kind, _, _ := strings.Cut(super, " "); kind {
		case "cgroup":
			trees = append(trees, Tree{Dir: dir, Options: controllersOf(options), Controllers: strings.Split(options, ",")})
		case "cgroup2":
			trees = append(trees, Tree{Dir: dir, V2: true, Controllers: strings.Fields(proc.Read(dir + "/cgroup.controllers"))})
		}
	}
	return trees
}

// controllersOf leaves out of a v1 tree's super options those that every file
// system has.
func controllersOf(options string) string {
	controllers := slices.DeleteFunc(strings.Split(options, ","), func(o string) bool { return o == "rw" || o == "ro" })
	return strings.Join(controllers, ",")
}

// Writable reports whether this process may make groups.
func (g *Group) Writable() bool {
	for _, t := range g.Trees {
		if unix.Faccessat(unix.AT_FDCWD, t.Dir, unix.W_OK, unix.AT_EACCESS) != nil {
			return false
		}
	}
	return len(g.Trees) > 0
}

// Where names the trees, for an error.
func (g *Group) Where() string {
	var dirs []string
	for _, t := range g.Trees {
		dirs = append(dirs, t.Dir)
	}
	return strings.Join(dirs, ", ")
}

func (g *Group) dir(t Tree) string { return t.Dir + "/" + prefix + g.ID }

// Make makes the group in its trees and sets the limits.
func (g *Group) Make(r Resources) error {
	why := "A new folder in a cgroup tree is a new cgroup."
	for _, t := range g.Trees {
		if err := g.makeIn(t, why); err != nil {
			return err
		}
		why = ""
		if slices.Contains(t.Controllers, "cpuset") && !t.V2 {
			// A new v1 group has no memory nodes, and takes no process without.
			if err := narrate.TryWrite("", g.dir(t)+"/cpuset.mems", proc.Read(t.Dir+"/cpuset.mems")); err != nil {
				return err
			}
		}
		for _, s := range r.settings(t.V2) {
			if err := g.set(t, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeIn makes the group in a tree.
func (g *Group) makeIn(t Tree, why string) error {
	if t.V2 {
		defer t.lock()()
		if err := t.handDown(); err != nil {
			return err
		}
	}
	return mkdir(why, g.dir(t))
}

// lock keeps others away while we hand controllers down, or take them back, and
// returns the function that lets them come.
func (t Tree) lock() (unlock func()) {
	fd, err := unix.Open(t.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {} // what is wrong with the tree shows at once
	}
	_ = unix.Flock(fd, unix.LOCK_EX)
	return func() { unix.Close(fd) }
}

// set sets one limit, if it is this tree's to set.
func (g *Group) set(t Tree, s setting) error {
	file := g.dir(t) + "/" + s.file
	if !slices.Contains(t.Controllers, s.controller) || s.optional && unix.Access(file, unix.F_OK) != nil {
		return nil
	}
	return narrate.TryWrite("", file, s.value)
}

// handDown gives the groups of a v2 tree its controllers. Where the tree's root
// is not the kernel's own, as in Docker, it must hold no process of its own:
// those that it has move to a leaf (cgroups(7), "no internal processes"). The
// kernel's own root has no type. The kernel would say EBUSY for some controllers
// only, and for others make of the root something that cannot have such groups.
func (t Tree) handDown() error {
	file := t.Dir + "/cgroup.subtree_control"
	has := strings.Fields(proc.Read(file))
	missing := ""
	for _, controller := range t.Controllers {
		if !slices.Contains(has, controller) {
			missing += "+" + controller + " "
		}
	}
	if missing == "" {
		return nil
	}
	if proc.Read(t.Dir+"/cgroup.type") != "" && proc.Read(t.Dir+"/cgroup.procs") != "" {
		to := t.Dir + "/" + leaf
		if err := mkdir("There are processes in this group. They move into a leaf.", to); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		move(t.Dir, to)
	}
	return narrate.TryWrite("In v2 a group gets controllers from its parent.", file, missing)
}

// move moves all processes of one group to another, best effort: some end
// while we do it, and some are born.
func move(from, to string) {
	for range 10 {
		pids := strings.Fields(proc.Read(from + "/cgroup.procs"))
		for _, pid := range pids {
			narrate.TryWrite("", to+"/cgroup.procs", pid)
		}
		if len(pids) == 0 {
			return
		}
	}
}

func mkdir(why, dir string) error {
	return narrate.Try(why, fmt.Sprintf("mkdirat(AT_FDCWD, %s, 0755)", narrate.Quote(dir)), func() error { return unix.Mkdir(dir, 0o755) })
}

// Add puts a process into the group. What it starts will be born there. With
// v2Only it is left to the process to Join the trees of v1.
func (g *Group) Add(pid int, v2Only bool) error {
	why := "The process goes in. What it starts will be born there."
	for _, t := range g.Trees {
		if v2Only && !t.V2 {
			continue
		}
		if err := narrate.TryWrite(why, g.dir(t)+"/cgroup.procs", strconv.Itoa(pid)); err != nil {
			return err
		}
		why = ""
	}
	return nil
}

// Join moves the calling thread into the group's v1 trees, 0 standing for who
// writes. It must be the thread that executes the command: the others end with
// that. A thread that moves itself need not wait until no process of the whole
// machine is just being started, as whoever moves another must: that wait is
// longer than all else that starting a container takes.
func (g *Group) Join() error {
	why := "This thread goes into the container's cgroups by itself. What it starts will be born there."
	for _, t := range g.Trees {
		if t.V2 {
			continue
		}
		if err := narrate.TryWrite(why, g.dir(t)+"/tasks", "0"); err != nil {
			return err
		}
		why = ""
	}
	return nil
}

// Pids lists the processes in the group.
func (g *Group) Pids() (pids []int) {
	if len(g.Trees) == 0 {
		return nil
	}
	for _, field := range strings.Fields(proc.Read(g.dir(g.Trees[0]) + "/cgroup.procs")) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Kill kills every process in the group, and those that they start meanwhile.
func (g *Group) Kill() {
	for range 100 {
		pids := g.Pids()
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// Remove removes the group. The last one to go from a v2 root brings the
// processes of the leaf back.
func (g *Group) Remove() error {
	var failed error
	for _, t := range g.Trees {
		if err := removeFolder(g.dir(t)); err != nil {
			failed = err
		}
		if t.V2 {
			t.takeBack()
		}
	}
	return failed
}

// takeBack undoes handDown after the last group.
func (t Tree) takeBack() {
	defer t.lock()()
	others, _ := filepath.Glob(t.Dir + "/" + prefix + "*")
	if len(others) != 1 || others[0] != t.Dir+"/"+leaf {
		return
	}
	narrate.TryWrite("The last group is gone: the root takes its processes back.",
		t.Dir+"/cgroup.subtree_control", "-"+strings.Join(t.Controllers, " -"))
	move(t.Dir+"/"+leaf, t.Dir)
	removeFolder(t.Dir + "/" + leaf)
}

// removeFolder removes a group, when its last process is really gone: the
// kernel has no event for that in v1.
func removeFolder(dir string) error {
	deadline := time.Now().Add(removePatience)
	for {
		err := unix.Rmdir(dir)
		if err == nil || err == unix.ENOENT {
			return nil
		}
		if err != unix.EBUSY || time.Now().After(deadline) {
			return fmt.Errorf("rmdir %s: %w", dir, err)
		}
		time.Sleep(time.Millisecond)
	}
}
