package check

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// isProcs reports whether a file is one that processes are put into a group with.
func isProcs(file string) bool {
	return path.Base(file) == "cgroup.procs" || path.Base(file) == "tasks"
}

func (r *run) noGroup() string {
	if r.look == nil {
		return ""
	}
	hosts := slices.IndexFunc(r.look.limits, func(l limit) bool { return l.isHosts })
	if hosts < 0 {
		return ""
	}
	l := r.look.limits[hosts]
	made := where(r.find("mkdir", "mkdirat"), func(c *call) bool { return strings.HasPrefix(c.path, "/sys/fs/cgroup") })
	good := where(made, func(c *call) bool { return worked(c) || c.errno == "EEXIST" })
	puts := where(r.find("write"), func(c *call) bool { return isProcs(c.path) && !strings.Contains(c.path, "leaf") })
	wrong := where(append(puts, where(r.find("openat"), func(c *call) bool { return isProcs(c.path) })...), failed)
	here := where(puts, func(c *call) bool { return worked(c) && strings.HasPrefix(c.path, l.tree+"/") })
	switch {
	case len(made) == 0:
		return fmt.Sprintf("No process made a cgroup. That is a new folder in a cgroup tree: for %s, below %s.", l.controller, l.tree)
	case len(good) == 0:
		return r.explain(made[len(made)-1])
	case len(puts) == 0 && len(wrong) > 0:
		return r.explain(wrong[len(wrong)-1])
	case len(puts) == 0:
		return "A cgroup was made, but nothing was written to its cgroup.procs: no process is in it."
	case len(wrong) > 0:
		return r.explain(wrong[len(wrong)-1])
	case len(here) == 0:
		return fmt.Sprintf("The controller %s has a tree of its own on this machine, %s: the command's process must be written to a cgroup.procs there, too.", l.controller, l.tree)
	}
	last := here[len(here)-1]
	pid, _ := strconv.Atoi(strings.TrimSpace(last.data))
	if pid == 0 {
		pid = last.pid
	}
	switch {
	case pid == r.first:
		return fmt.Sprintf("%s got the number of the host's side of your program itself. The container's process must be in the cgroup.", last.path)
	case r.late(last):
		return fmt.Sprintf("The command was put into its cgroup too late (%s): it ran already, and what it had started by then is outside. It must be in before the execve.", last.path)
	}
	return fmt.Sprintf("%s got the number %s: that is not the process that became the command, nor one that it comes from. 0 stands for the process that writes.", last.path, strings.TrimSpace(last.data))
}

// otherGroups is what was written to limits of a group that the program has not
// made.
func (r *run) otherGroups() string {
	made := r.find("mkdir", "mkdirat")
	for _, c := range r.find("write") {
		dir := path.Dir(c.path)
		own := slices.ContainsFunc(made, func(m *call) bool {
			return strings.HasPrefix(dir, m.path) || strings.HasSuffix(dir, "/"+path.Base(m.path))
		})
		if file := path.Base(c.path); !own && (file == "pids.max" || strings.HasPrefix(file, "memory.") || strings.HasPrefix(file, "cpu.")) {
			return fmt.Sprintf("%s was written to the wrong group, %s: your program has not made that one, and others are in it, too.", file, dir)
		}
	}
	return ""
}

func (r *run) noLimits() string {
	if r.look == nil {
		return ""
	}
	bad := slices.IndexFunc(r.look.limits, func(l limit) bool { return !l.right })
	if bad < 0 {
		return ""
	}
	if cause := r.otherGroups(); cause != "" {
		return cause
	}
	l := r.look.limits[bad]
	file := l.group + "/" + l.file
	about := func(c *call) bool {
		return strings.HasPrefix(path.Base(c.path), l.controller+".") && !strings.Contains(c.path, "swap") && !strings.Contains(c.path, "memsw")
	}
	writes := where(r.find("write"), about)
	opens := where(r.find("openat"), func(c *call) bool { return about(c) && failed(c) })
	same := where(writes, func(c *call) bool { return c.path == file })
	version := "v1"
	if l.v2 {
		version = "v2"
	}
	switch {
	case len(same) > 0 && failed(same[len(same)-1]):
		return r.explain(same[len(same)-1])
	case len(same) > 0 && r.late(same[len(same)-1]):
		return fmt.Sprintf("%s was written too late: the command ran already, or had ended. The limit comes before the command starts.", file)
	case len(same) > 0:
		return fmt.Sprintf("%s is %s.", file, l.difference())
	case len(writes) > 0 && failed(writes[len(writes)-1]):
		return r.explain(writes[len(writes)-1])
	case len(writes) > 0:
		return fmt.Sprintf("The limit was written to the wrong file, %s. The command's group is %s, and this machine has the controller %s in cgroup %s: the file is %s.",
			writes[len(writes)-1].path, l.group, l.controller, version, l.file)
	case len(opens) > 0:
		c := opens[len(opens)-1]
		if path.Base(c.path) == l.file && l.v2 && path.Dir(c.path) == l.group {
			return fmt.Sprintf("There is no file %s: in cgroup v2 the folder above must hand the controller down. Write +%s to its cgroup.subtree_control.", c.path, l.controller)
		}
		return fmt.Sprintf("There is no file %s (%s). On this machine the controller %s is in the cgroup %s tree %s, and the file is %s.",
			c.path, c.errno, l.controller, version, l.tree, l.file)
	}
	return fmt.Sprintf("Nothing was written to %s: it is %s.", file, l.difference())
}

// difference is what stands in the limit's file, and what should. In cgroup v1 the
// quota and the period of a CPU have a file each.
func (l limit) difference() string {
	value := strings.TrimSpace(l.value)
	quota, period, both := strings.Cut(value, " ")
	if microseconds, err := strconv.Atoi(period); l.controller == "cpu" && !l.v2 && both && err == nil {
		return fmt.Sprintf("%q, expected %q: half of cpu.cfs_period_us, which is %q", quota, strconv.Itoa(microseconds/2), period)
	}
	return fmt.Sprintf("%q, expected %q", value, l.expected)
}

func (r *run) groupLeft() string {
	if len(r.left) == 0 {
		return ""
	}
	left := r.left[0]
	removals := where(r.find("rmdir", "unlinkat"), func(c *call) bool {
		return c.path == left || strings.HasPrefix(c.path, left+"/") || path.Base(left) == path.Base(c.path)
	})
	still := fmt.Sprintf("The cgroup %s is still there after the run", left)
	busy := slices.ContainsFunc(removals, func(c *call) bool { return c.errno == "EBUSY" })
	files := slices.IndexFunc(removals, func(c *call) bool { return c.errno == "EPERM" })
	switch {
	case len(removals) == 0:
		return still + ", and nobody asked to remove it: rmdir, when the last process in it has ended."
	case files >= 0:
		return still + ": os.RemoveAll tries to delete the files in it, which are the kernel's (EPERM). rmdir (os.Remove) is enough."
	case busy:
		return still + ": rmdir was answered with EBUSY, for a process was in it. Remove it when the command has ended; and your program itself must not be in it."
	case failed(removals[len(removals)-1]):
		return still + ". " + r.explain(removals[len(removals)-1])
	}
	return still + "."
}
