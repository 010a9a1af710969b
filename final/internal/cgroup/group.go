//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

const (
	prefix = "gonsrun-"     // a container's group
	leaf   = "gonsrun-leaf" // where the processes of a v2 root go, see handDown

	// removePatience is how long a group may stay busy after its last process
	// was reaped.
	removePatience = 2 * time.Second
)

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

// write writes value into a file of a cgroup tree, which must be there.
func write(file, value string) error {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: file, Err: err}
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(value)); err != nil {
		return &os.PathError{Op: "write", Path: fmt.Sprintf("%q to %s", value, file), Err: err}
	}
	return nil
}

func mkdir(dir string) error {
	if err := unix.Mkdir(dir, 0o755); err != nil {
		return &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return nil
}

// Make makes the group in its trees and sets the limits.
func (g *Group) Make(r Resources) error {
	for _, t := range g.Trees {
		if err := g.makeIn(t); err != nil {
			return err
		}
		if slices.Contains(t.Controllers, "cpuset") && !t.V2 {
			// A new v1 group has no memory nodes, and takes no process without.
			if err := write(g.dir(t)+"/cpuset.mems", proc.Read(t.Dir+"/cpuset.mems")); err != nil {
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
func (g *Group) makeIn(t Tree) error {
	if t.V2 {
		defer t.lock()()
		if err := t.handDown(); err != nil {
			return err
		}
	}
	return mkdir(g.dir(t))
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
	return write(file, s.value)
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
		if err := mkdir(to); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		move(t.Dir, to)
	}
	return write(file, missing)
}

// move moves all processes of one group to another, best effort: some end
// while we do it, and some are born.
func move(from, to string) {
	for range 10 {
		pids := strings.Fields(proc.Read(from + "/cgroup.procs"))
		for _, pid := range pids {
			write(to+"/cgroup.procs", pid)
		}
		if len(pids) == 0 {
			return
		}
	}
}

// Add puts a process into the group. What it starts will be born there. With
// v2Only it is left to the process to Join the trees of v1.
func (g *Group) Add(pid int, v2Only bool) error {
	for _, t := range g.Trees {
		if v2Only && !t.V2 {
			continue
		}
		if err := write(g.dir(t)+"/cgroup.procs", strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return nil
}

// Join moves the calling thread into the group's v1 trees, 0 standing for who
// writes. It must be the thread that executes the command: the others end with
// that. A thread that moves itself need not wait until no process of the whole
// machine is just being started, as whoever moves another must: that wait is
// longer than all else that starting a container takes.
func (g *Group) Join() error {
	for _, t := range g.Trees {
		if t.V2 {
			continue
		}
		if err := write(g.dir(t)+"/tasks", "0"); err != nil {
			return err
		}
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
	write(t.Dir+"/cgroup.subtree_control", "-"+strings.Join(t.Controllers, " -"))
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
