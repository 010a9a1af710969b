//go:build linux

package cgroup

import (
	"slices"
	"strconv"
	"strings"

	"gonsrun/internal/proc"
)

// Usage is what a container takes now. A number is -1 where no controller counts it.
type Usage struct {
	Memory      int64 `json:"memory"`       // bytes
	MemoryLimit int64 `json:"memory_limit"` // bytes, -1 for none
	CPU         int64 `json:"cpu"`          // microseconds since the start
	Pids        int64 `json:"pids"`
	PidsLimit   int64 `json:"pids_limit"` // -1 for none
	OOMKills    int64 `json:"oom_kills"`
}

// Usage reads the group's counters.
func (g *Group) Usage() Usage {
	u := Usage{-1, -1, -1, -1, -1, 0}
	set := func(to *int64, text string) {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n < 1<<60 {
			*to = n
		}
	}
	for _, t := range g.Trees {
		read := func(file string) string { return proc.Read(g.dir(t) + "/" + file) }
		for _, controller := range t.Controllers {
			switch {
			case controller == "pids":
				set(&u.Pids, read("pids.current"))
				set(&u.PidsLimit, read("pids.max"))
			case controller == "memory" && t.V2:
				set(&u.Memory, read("memory.current"))
				set(&u.MemoryLimit, read("memory.max"))
				u.OOMKills = g.OOMKills()
			case controller == "memory":
				set(&u.Memory, read("memory.usage_in_bytes"))
				set(&u.MemoryLimit, read("memory.limit_in_bytes"))
				u.OOMKills = g.OOMKills()
			case controller == "cpu" && t.V2:
				set(&u.CPU, field(read("cpu.stat"), "usage_usec"))
			case controller == "cpuacct":
				set(&u.CPU, strings.TrimSpace(read("cpuacct.usage")))
				u.CPU /= 1000
			}
		}
	}
	return u
}

// OOMKills is how many of the group's processes the kernel has killed because
// the memory limit was reached.
func (g *Group) OOMKills() int64 {
	for _, t := range g.Trees {
		if slices.Contains(t.Controllers, "memory") {
			file := map[bool]string{true: "memory.events", false: "memory.oom_control"}[t.V2]
			kills, _ := strconv.ParseInt(field(proc.Read(g.dir(t)+"/"+file), "oom_kill"), 10, 64)
			return kills
		}
	}
	return 0
}

// field returns the value of a line "name value".
func field(text, name string) string {
	_, rest, _ := strings.Cut("\n"+text, "\n"+name+" ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}
