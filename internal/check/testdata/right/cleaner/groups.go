package main

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// limits has the names of cgroup v2, and what v1 calls the same. Half of a CPU is
// 25 ms in every 50, too.
var limits = []struct{ controller, file, value, oldFile, oldValue string }{
	{"pids", "pids.max", "20", "pids.max", "20"},
	{"memory", "memory.max", "64M", "memory.limit_in_bytes", "64M"},
	{"memory", "memory.swap.max", "0", "memory.memsw.limit_in_bytes", "64M"},
	{"cpu", "cpu.max", "25000 50000", "cpu.cfs_period_us", "50000"},
	{"cpu", "", "", "cpu.cfs_quota_us", "25000"},
}

// trees returns where the controllers are mounted: controller → folder.
func trees() (v1 map[string]string, v2 string) {
	v1 = map[string]string{}
	table, _ := os.ReadFile("/proc/self/mounts")
	for _, line := range strings.Split(string(table), "\n") {
		fields := append(strings.Fields(line), "", "", "", "")
		switch fields[2] {
		case "cgroup2":
			v2 = fields[1]
		case "cgroup":
			for _, option := range strings.Split(fields[3], ",") {
				v1[option] = fields[1]
			}
		}
	}
	return v1, v2
}

// makeGroups makes a group in each tree that has one of the controllers.
func makeGroups(name string) (made []string, err error) {
	v1, v2 := trees()
	seen := map[string]bool{}
	for _, l := range limits {
		dir, file, value := v1[l.controller], l.oldFile, l.oldValue
		if dir == "" && has(v2, l.controller) {
			dir, file, value = v2, l.file, l.value
			if err := os.WriteFile(v2+"/cgroup.subtree_control", []byte("+"+l.controller), 0); err != nil {
				return made, err
			}
		}
		if dir == "" || file == "" {
			continue
		}
		if group := dir + "/" + name; !seen[group] {
			if err := os.Mkdir(group, 0o755); err != nil {
				return made, err
			}
			seen[group] = true
			made = append(made, group)
		}
		file = dir + "/" + name + "/" + file
		if _, err := os.Stat(file); err != nil && strings.Contains(file, "sw") {
			continue // this kernel does not count swap
		}
		if err := os.WriteFile(file, []byte(value), 0); err != nil {
			return made, err
		}
	}
	return made, nil
}

func has(tree, controller string) bool {
	list, _ := os.ReadFile(tree + "/cgroup.controllers")
	return strings.Contains(" "+strings.TrimSpace(string(list))+" ", " "+controller+" ")
}

func removeGroups(name string) {
	v1, v2 := trees()
	v1["v2"] = v2
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		busy := false
		for _, dir := range v1 {
			busy = unix.Rmdir(dir+"/"+name) == unix.EBUSY || busy
		}
		if !busy {
			return
		}
	}
}
