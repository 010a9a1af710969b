//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/narrate"
)

// limits: controller, file, value, why. Files for swap are missing without swap.
var limits = map[string][]struct{ controller, file, value, why string }{
	"cgroup": {
		{"pids", "pids.max", fmt.Sprint(pidsMax), "At most so many processes."},
		{"memory", "memory.limit_in_bytes", fmt.Sprint(memoryMax), "At most so many bytes of memory."},
		{"memory", "memory.memsw.limit_in_bytes", fmt.Sprint(memoryMax), "And no more with swap: nothing goes there."},
		{"cpu", "cpu.cfs_quota_us", fmt.Sprint(cpuQuota), "CPU time: so many microseconds of every 100000."}},
	"cgroup2": {
		{"pids", "pids.max", fmt.Sprint(pidsMax), "At most so many processes."},
		{"memory", "memory.max", fmt.Sprint(memoryMax), "At most so many bytes of memory."},
		{"memory", "memory.swap.max", "0", "And none in swap."},
		{"cpu", "cpu.max", fmt.Sprintf("%d %d", cpuQuota, cpuPeriod), "CPU time: so many microseconds of every so many."}},
}

// tree: v1 has one for each controller, v2 one for all, a hybrid system both.
type tree struct{ kind, dir, group, leaf, controllers string }

// findTrees looks in the mount table where our controllers are.
func findTrees() (trees []tree) {
	missing := " pids memory cpu "
	for _, line := range strings.Split(narrate.Read("/proc/self/mountinfo"), "\n") {
		mount, super, _ := strings.Cut(line, " - ")
		kind, dir := strings.Fields(super)[0], strings.Fields(mount)[4]
		has := strings.ReplaceAll(super[strings.LastIndex(super, " ")+1:], ",", " ")
		if kind == "cgroup2" {
			has = narrate.Read(dir + "/cgroup.controllers")
		}
		t := tree{kind, dir, fmt.Sprintf("%s/gonsrun-step06-%d", dir, os.Getpid()), dir + "/gonsrun-leaf", ""}
		for _, c := range strings.Fields(missing) {
			if limits[kind] != nil && strings.Contains(" "+has+" ", " "+c+" ") {
				t.controllers += "+" + c + " "
				missing = strings.Replace(missing, " "+c+" ", " ", 1)
			}
		}
		if t.controllers != "" {
			trees = append(trees, t)
		}
	}
	if missing != " " {
		narrate.Note("No cgroup tree here has the controller %s: no limit for that.", strings.TrimSpace(missing))
	}
	return trees
}

// limit makes a group in the tree, sets its limits, and puts pid into it.
func (t tree) limit(pid int) {
	t.sweep()
	mkdir(fmt.Sprintf("A new folder in a tree of type %s is a new cgroup: the kernel fills it with files, and a limit is a number in one of them.", t.kind), t.group)
	if t.kind == "cgroup2" {
		t.handDown()
	}
	for _, l := range limits[t.kind] {
		if file := t.group + "/" + l.file; unix.Access(file, unix.F_OK) == nil {
			narrate.Write(l.why, file, l.value)
		}
	}
	narrate.Write("The new process goes in. What it starts will be born in there.", t.group+"/cgroup.procs", fmt.Sprint(pid))
}

// handDown: a v2 group can give its controllers to its children only when it holds no
// process itself, cgroups(7). The kernel's own root, which has no type, may hold some.
func (t tree) handDown() {
	if narrate.Read(t.dir+"/cgroup.type") != "" && narrate.Read(t.dir+"/cgroup.procs") != "" {
		narrate.Try("There are processes in this group. They move into a leaf, which another run may have made.",
			fmt.Sprintf("mkdirat(AT_FDCWD, %q, 0755)", t.leaf), func() error { return unix.Mkdir(t.leaf, 0o755) })
		move(t.dir, t.leaf)
	}
	narrate.Write("In v2 a group gets controllers from its parent.", t.dir+"/cgroup.subtree_control", t.controllers)
}

// remove removes the group. The last one to go brings the leaf's processes back.
func (t tree) remove() {
	for tries := 0; unix.Rmdir(t.group) == unix.EBUSY && tries < 100; tries++ {
		time.Sleep(10 * time.Millisecond) // the last process is still on its way out
	}
	t.sweep()
	if rest, _ := filepath.Glob(t.dir + "/gonsrun-*"); len(rest) == 1 && rest[0] == t.leaf {
		narrate.TryWrite("The last group is gone.", t.dir+"/cgroup.subtree_control", strings.ReplaceAll(t.controllers, "+", "-"))
		move(t.leaf, t.dir)
		unix.Rmdir(t.leaf)
	}
}

// sweep removes the groups of runs that were killed.
func (t tree) sweep() {
	groups, _ := filepath.Glob(t.dir + "/gonsrun-step06-*")
	for _, group := range groups {
		pid := group[strings.LastIndex(group, "-")+1:]
		if group == t.group || unix.Access("/proc/"+pid, unix.F_OK) != nil {
			unix.Rmdir(group)
		}
	}
}

func move(from, to string) {
	for _, pid := range strings.Fields(narrate.Read(from + "/cgroup.procs")) {
		narrate.TryWrite("It moves.", to+"/cgroup.procs", pid)
	}
}

func mkdir(why, dir string) {
	narrate.Call(why, fmt.Sprintf("mkdirat(AT_FDCWD, %q, 0755)", dir), func() error { return unix.Mkdir(dir, 0o755) })
}
