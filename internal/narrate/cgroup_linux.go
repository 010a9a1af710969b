package narrate

import (
	"strings"

	"gonsrun/internal/proc"
)

// tree is a mounted cgroup tree, see proc_pid_mountinfo(5).
type tree struct {
	dir         string // where it is mounted
	root        string // the group that is mounted there
	v1          bool
	controllers string // of v1: pids, or cpu,cpuacct
}

// trees lists the cgroup trees that are mounted.
func trees() (all []tree) {
	for _, line := range strings.Split(proc.Read("/proc/self/mountinfo"), "\n") {
		mount, super, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(mount), strings.Fields(super)
		if len(fields) > 4 && len(kind) > 2 && strings.HasPrefix(kind[0], "cgroup") {
			all = append(all, tree{dir: fields[4], root: fields[3], v1: kind[0] == "cgroup", controllers: kind[len(kind)-1]})
		}
	}
	return all
}

// treeOf returns the cgroup tree that path lies in.
func treeOf(path string) (found tree, ok bool) {
	if !strings.Contains(path, "cgroup") {
		return tree{}, false // a quick answer for most of what is written
	}
	for _, t := range trees() {
		if (path == t.dir || strings.HasPrefix(path, t.dir+"/")) && len(t.dir) >= len(found.dir) {
			found, ok = t, true
		}
	}
	return found, ok
}

func isV1(path string) bool {
	t, _ := treeOf(path)
	return t.v1
}

// groupFolder is where the group of a line of /proc/PID/cgroup can be seen, ""
// where it cannot. controllers is "" for v2.
func groupFolder(controllers, group string) string {
	for _, t := range trees() {
		if !t.isOf("0:" + controllers + ":" + group) {
			continue
		}
		if t.root == "/" {
			return t.dir + group
		}
		if rest, ok := strings.CutPrefix(group, t.root); ok && (rest == "" || rest[0] == '/') {
			return t.dir + rest
		}
	}
	return ""
}

// isOf reports whether a line of /proc/PID/cgroup is about this tree.
func (t tree) isOf(line string) bool {
	fields := strings.SplitN(line, ":", 3)
	return len(fields) == 3 && t.v1 == (fields[1] != "") && (!t.v1 || sharesOne(t.controllers, fields[1]))
}

func sharesOne(list, other string) bool {
	for _, name := range strings.Split(list, ",") {
		for _, wanted := range strings.Split(other, ",") {
			if name == wanted {
				return true
			}
		}
	}
	return false
}
