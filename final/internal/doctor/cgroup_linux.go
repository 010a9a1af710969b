package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// tree is a mounted cgroup file system.
type tree struct {
	dir         string
	v2          bool
	controllers []string
}

// limited are the controllers that step06 uses.
var limited = []string{"pids", "memory", "cpu"}

// trees lists the cgroup trees, by proc_pid_mountinfo(5).
func (m machine) trees() (trees []tree) {
	for line := range strings.Lines(m.read("/proc/self/mountinfo")) {
		mount, super, _ := strings.Cut(strings.TrimSpace(line), " - ")
		fields, superFields := strings.Fields(mount), strings.Fields(super)
		if len(fields) < 5 || len(superFields) < 3 {
			continue
		}
		t := tree{dir: fields[4], v2: superFields[0] == "cgroup2"}
		switch superFields[0] {
		case "cgroup":
			t.controllers = strings.Split(superFields[2], ",")
		case "cgroup2":
			t.controllers = strings.Fields(m.read(t.dir + "/cgroup.controllers"))
		default:
			continue
		}
		trees = append(trees, t)
	}
	return trees
}

// version names the arrangement as cgroups(7) does.
func version(trees []tree) string {
	v1 := slices.ContainsFunc(trees, func(t tree) bool { return !t.v2 })
	v2 := slices.ContainsFunc(trees, func(t tree) bool { return t.v2 })
	switch {
	case v1 && v2:
		return "v1 and v2 (hybrid)"
	case v1:
		return "v1"
	}
	return "v2"
}

// cgroups looks for the controllers of step06, and whether root may use them.
func (m machine) cgroups() Result {
	trees := m.trees()
	if trees == nil {
		return Result{"cgroups", Fail, "no cgroup tree is mounted", m.asRoot("mount -t cgroup2 none /sys/fs/cgroup")}
	}
	r := Result{Name: "cgroups", Found: version(trees)}
	var missing []string
	for _, controller := range limited {
		i := slices.IndexFunc(trees, func(t tree) bool { return slices.Contains(t.controllers, controller) })
		switch {
		case i < 0:
			missing = append(missing, controller)
		case m.readOnly(trees[i].dir), m.uid == 0 && m.access(trees[i].dir) != nil:
			return Result{"cgroups", Fail, r.Found + ": no right to write in " + trees[i].dir, m.withRights()}
		default:
			r.Found += " " + controller
		}
	}
	if missing != nil {
		r.State, r.ToDo = Fail, m.repairController(missing[0], trees)
		r.Found += ": without " + strings.Join(missing, " ")
		return r
	}
	if m.uid != 0 {
		r.Found += ", for root"
	}
	return r
}

// repairController is what to do about a controller that is in no tree. The
// kernel lists all that it knows in /proc/cgroups: name, hierarchy, number of
// groups, enabled.
func (m machine) repairController(controller string, trees []tree) string {
	for line := range strings.Lines(m.read("/proc/cgroups")) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] != controller {
			continue
		}
		if fields[3] == "0" {
			return fmt.Sprintf("put cgroup_enable=%s on the kernel's command line, take cgroup_disable=%s away, and reboot", controller, controller)
		}
		if slices.ContainsFunc(trees, func(t tree) bool { return !t.v2 }) {
			dir := "/sys/fs/cgroup/" + controller
			return m.asRoot(fmt.Sprintf("sh -c 'mkdir -p %s && mount -t cgroup -o %s none %s'", dir, controller, dir))
		}
		return "the cgroup above must pass it on. In its folder:\n  echo +" + controller + " > cgroup.subtree_control"
	}
	return fmt.Sprintf("use a kernel with the cgroup controller %s", controller)
}

// cgroupPids returns how many more tasks our own cgroup may have. Not found
// where there is no limit.
func (m machine) cgroupPids() (where string, rest int, found bool) {
	for line := range strings.Lines(m.read("/proc/self/cgroup")) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // cgroups(7): hierarchy:controllers:path
		if len(parts) != 3 {
			continue
		}
		for _, t := range m.trees() {
			ours := t.v2 && parts[0] == "0" || !t.v2 && slices.Contains(strings.Split(parts[1], ","), "pids")
			if !ours || !slices.Contains(t.controllers, "pids") {
				continue
			}
			where = strings.TrimRight(t.dir+parts[2], "/")
			most, err := strconv.Atoi(m.read(where + "/pids.max"))
			current, err2 := strconv.Atoi(m.read(where + "/pids.current"))
			if err == nil && err2 == nil {
				return where, most - current, true
			}
		}
	}
	return "", 0, false
}
