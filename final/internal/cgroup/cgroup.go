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
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gonsrun/internal/proc"
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
