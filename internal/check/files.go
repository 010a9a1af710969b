package check

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// rootChanges are the calls that change the root.
func (r *run) rootChanges() []*call { return r.find("chroot", "pivot_root") }

func (r *run) noRoot() string {
	if r.look == nil || !r.look.rootIsHosts {
		return ""
	}
	changes := r.rootChanges()
	if len(changes) == 0 {
		return "No process of your container called chroot or pivot_root: its / is still the host's."
	}
	switch last := changes[len(changes)-1]; {
	case failed(last):
		return r.explain(last)
	case last.name == "chroot" && path.Clean("/"+last.path) == "/":
		return fmt.Sprintf("%s leads to the / that there was already. It needs the folder with the container's root file system.", shorten(last.text))
	case !slices.Contains(r.lineage(), last.pid):
		return fmt.Sprintf("%s was called by a process that the command does not come from: the command's / is still the host's.", shorten(last.text))
	default:
		return fmt.Sprintf("After %s the command's / is still the host's.", shorten(last.text))
	}
}

func (r *run) outside() string {
	if r.look == nil || !r.look.cwdIsOutside {
		return ""
	}
	changes := where(r.rootChanges(), worked)
	moves := r.find("chdir", "fchdir")
	if len(changes) > 0 && len(moves) > 0 {
		root, last := changes[len(changes)-1], moves[len(moves)-1]
		switch {
		case failed(last):
			return r.explain(last)
		case !strings.HasPrefix(last.path, "/") && !r.before(last, root):
			return fmt.Sprintf(`%s begins at the working directory, and that is still outside, %s on the host: after chroot comes chdir("/").`, shorten(last.text), r.look.cwd)
		case r.before(last, root):
			return fmt.Sprintf(`%s came before %s: it led to a folder of the host's. After it comes chdir("/").`, shorten(last.text), root.name)
		}
	}
	return fmt.Sprintf(`The working directory is still outside, %s on the host: after chroot comes chdir("/").`, r.look.cwd)
}

func (r *run) noMountNamespace() string {
	if r.look == nil || r.look.own["mnt"] {
		return ""
	}
	return r.notIn("mnt", "CLONE_NEWNS", newNS)
}

func (r *run) noProc() string {
	l := r.look
	if l == nil || l.procKind == "proc" && l.strangers == 0 {
		return ""
	}
	mounts := where(r.find("mount"), func(c *call) bool { return c.flags&(msAlone|msShared|msRemount) == 0 })
	procs := where(mounts, func(c *call) bool { return c.kind == "proc" })
	binds := where(mounts, func(c *call) bool {
		return c.flags&msBind != 0 && (strings.HasSuffix(c.path, "/proc") || strings.HasSuffix(c.source, "/proc"))
	})
	if l.procKind == "proc" { // and there are others in it
		switch {
		case len(binds) > 0:
			return "You bound the host's /proc into the container: it shows the host's processes. Mount a new one, of the type proc."
		case len(procs) > 0:
			last := procs[len(procs)-1]
			if p := r.processes[last.pid]; p == nil || !slices.Contains(p.own, "pid") {
				return fmt.Sprintf("A proc file system shows the PID namespace of the process that mounts it. Yours was mounted by %s, which is not in the new one: mount it in the process that becomes the command.", r.who(last.pid))
			}
			if cause := r.misplacedProc(last); cause != "" {
				return cause
			}
		}
		return "The container's /proc shows the host's processes: no proc file system of its own is mounted there."
	}
	if len(procs) == 0 {
		if wrong := where(mounts, func(c *call) bool { return strings.HasSuffix(c.path, "/proc") }); len(wrong) > 0 {
			c := wrong[len(wrong)-1]
			if failed(c) {
				return r.explain(c)
			}
			return fmt.Sprintf("What is mounted at /proc is no proc file system, but %q: the third argument of mount is the type, and that must be proc.", c.kind)
		}
		return "No process of your container mounted a proc file system: its /proc is empty."
	}
	last := procs[len(procs)-1]
	if failed(last) {
		return r.explain(last)
	}
	if cause := r.misplacedProc(last); cause != "" {
		return cause
	}
	for _, c := range r.find("umount2") {
		if worked(c) && r.before(last, c) {
			return fmt.Sprintf("The proc file system was mounted, but %s came later and took it away.", shorten(c.text))
		}
	}
	return fmt.Sprintf("A proc file system was mounted (%s), but the command does not see it at /proc.", shorten(last.text))
}

// misplacedProc is why a mount of proc that worked is not the container's /proc.
func (r *run) misplacedProc(c *call) string {
	for _, change := range r.rootChanges() {
		if worked(change) && r.before(c, change) && !strings.HasPrefix(c.path, strings.TrimSuffix(change.path, "/")+"/") {
			return fmt.Sprintf("You mounted /proc before the root was changed (%s): the mount is outside of it. It comes after.", change.name)
		}
	}
	if clean := path.Clean(c.path); path.Base(clean) != "proc" {
		return fmt.Sprintf("The proc file system was mounted at %s, and not at /proc.", c.path)
	}
	return ""
}

func (r *run) mountsEscape() string {
	if r.look == nil {
		return ""
	}
	added := difference(r.mounts[1], r.mounts[0])
	after := difference(r.mounts[2], r.mounts[0])
	mounts := r.find("mount")
	away := where(r.find("umount2"), worked)
	alone := where(mounts, func(c *call) bool { return c.flags&msAlone != 0 && worked(c) })
	news := where(mounts, func(c *call) bool { return c.flags&(msAlone|msShared|msRemount) == 0 && worked(c) })
	switch {
	case len(added) == 0 && !r.look.rootShared && len(after) == 0 && r.mounts[0] == r.mounts[2]:
		return ""
	case len(away) > 0 && len(removed(r.mounts[0], r.mounts[1]))+len(removed(r.mounts[0], r.mounts[2])) > 0:
		return fmt.Sprintf("%s has unmounted %s on the host, too (here only in the enclosure). What was mounted in the container's mount namespace ends with that: nobody need unmount it.", shorten(away[0].text), away[0].path)
	case len(alone) > 0 && r.isHosts(alone[0].pid, "mnt", alone[0]):
		return fmt.Sprintf("%s was called in the host's mount namespace: it has changed the host's mounts (here only the enclosure's). It comes in the new one, after the clone.", shorten(alone[0].text))
	case len(news) > 0 && r.isHosts(news[0].pid, "mnt", news[0]):
		return fmt.Sprintf("%s was called in the host's mount namespace: the mount is on the host. It comes in the new one, after the clone.", shorten(news[0].text))
	}
	tried := where(mounts, func(c *call) bool { return c.flags&msAlone != 0 })
	remedy := `Before the first mount comes mount("none", "/", "", MS_REC|MS_PRIVATE, "").`
	switch {
	case len(alone) == 0 && len(tried) > 0:
		return r.explain(tried[len(tried)-1])
	case len(alone) == 0:
		return "The mount at / is still shared: what you mount appears on the host, too. " + remedy
	case len(news) > 0 && r.before(news[0], alone[0]):
		return fmt.Sprintf("%s came too late: when / was made private, the first mount had appeared on the host already. %s", shorten(alone[0].text), remedy)
	case alone[0].flags&msRec == 0:
		return fmt.Sprintf("%s has no MS_REC: it makes one mount private, and those below it are still shared. What you mount there appears on the host, too.", shorten(alone[0].text))
	case len(after) > 0 && len(added) == 0:
		return "After the run the host has a mount that it did not have before: " + mountPoint(after[0])
	}
	return "The mount that the container's / is on is still shared: what is mounted there appears on the host, too. " + remedy
}

// isHosts reports whether a process was in the host's namespace of a kind when it
// made a call: it was when it began, and has not called unshare since.
func (r *run) isHosts(pid int, kind string, c *call) bool {
	p := r.processes[pid]
	if p == nil || slices.Contains(p.own, kind) {
		return false
	}
	for _, u := range r.find("unshare", "setns") {
		if u.pid == pid && worked(u) && r.before(u, c) && (u.flags&newNS != 0 || u.name == "setns") {
			return false
		}
	}
	return true
}

// difference lists the lines of now that are not in before.
func difference(now, before string) (added []string) {
	known := strings.Split(before, "\n")
	for _, line := range strings.Split(now, "\n") {
		if line != "" && !slices.Contains(known, line) {
			added = append(added, line)
		}
	}
	return added
}

// removed lists the mounts of before that are no more, by their number.
func removed(before, now string) (gone []string) {
	left := map[string]bool{}
	for _, line := range strings.Split(now, "\n") {
		id, _, _ := strings.Cut(line, " ")
		left[id] = true
	}
	for _, line := range strings.Split(before, "\n") {
		if id, _, _ := strings.Cut(line, " "); !left[id] {
			gone = append(gone, line)
		}
	}
	return gone
}

func mountPoint(line string) string {
	if fields := strings.Fields(line); len(fields) > 4 {
		return fields[4] + "."
	}
	return line
}
