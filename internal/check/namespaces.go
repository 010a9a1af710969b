package check

import (
	"fmt"
	"slices"
)

func (r *run) noHostname() string {
	makers, sets := r.find("clone", "clone3", "unshare"), r.find("sethostname")
	if r.look == nil {
		return ""
	}
	switch renamed := r.hostname[0] != r.hostname[1]; {
	case !r.look.own["uts"] && asked(makers, newUTS) == nil && renamed:
		return "No clone or unshare asked for CLONE_NEWUTS: so sethostname has renamed the host (here only the enclosure)."
	case !r.look.own["uts"] && asked(makers, newUTS) == nil && len(sets) == 0:
		return "No clone or unshare asked for CLONE_NEWUTS, and no process called sethostname: the container has the host's hostname."
	case !r.look.own["uts"]:
		return r.notIn("uts", "CLONE_NEWUTS", newUTS)
	case renamed:
		return r.renamed()
	case len(sets) == 0 && len(r.find("setdomainname")) > 0:
		return "setdomainname sets another name, the NIS domain's. The hostname is set with sethostname."
	case len(sets) == 0:
		return "No process of your container ever called sethostname."
	}
	last := sets[len(sets)-1]
	switch {
	case failed(last):
		return r.explain(last)
	case r.look.hostname == "":
		return "sethostname was asked for a name of no letters: the hostname in the container is empty."
	case r.look.hostname != r.hostname[0]:
		return ""
	case last.data == r.hostname[0]:
		return fmt.Sprintf("sethostname was asked for the name that the host has already, %q.", last.data)
	}
	return fmt.Sprintf("sethostname was called by %s, and the command is in another UTS namespace than that one.", r.who(last.pid))
}

func (r *run) hostRenamed() string {
	if r.hostname[0] == r.hostname[1] {
		return ""
	}
	return r.renamed()
}

// renamed is why the host has another name.
func (r *run) renamed() string {
	for _, c := range r.find("sethostname") {
		for _, u := range r.find("unshare") {
			if u.pid == c.pid && worked(c) && worked(u) && u.flags&newUTS != 0 && r.before(c, u) {
				return "sethostname came before unshare(CLONE_NEWUTS): so it has renamed the host (here only the enclosure). It comes after."
			}
		}
	}
	return "sethostname was called on the host's side: it has renamed the host (here only the enclosure). It must be called in the new UTS namespace, by the process that becomes the command."
}

// notIn is why the command is not in a new namespace.
func (r *run) notIn(kind, name string, flag uint64) string {
	makers := r.find("clone", "clone3", "unshare")
	c := asked(makers, flag)
	switch {
	case c == nil:
		what := map[string]string{
			"uts": "the container has the host's hostname",
			"pid": fmt.Sprintf("the command is number %d, counted with the host's processes", r.look.number()),
			"mnt": "what the container mounts is mounted on the host, too",
		}
		return fmt.Sprintf("No clone or unshare asked for %s: %s.", name, what[kind])
	case failed(c):
		return r.explain(c)
	case c.name == "unshare" && r.becameOnOtherThread(c):
		return fmt.Sprintf("unshare(%s) changes only the thread that calls it, and execve was called by another thread of your program: call runtime.LockOSThread before, or ask clone for %s.", name, name)
	case c.name == "unshare":
		if later := r.after(c, func(m *call) bool { return m.pid == c.pid && m.child != 0 && m.thread != c.thread }); later != nil {
			return fmt.Sprintf("unshare(%s) changes only the thread that calls it, and the command came from another thread of your program: call runtime.LockOSThread before.", name)
		}
		if kind == "pid" {
			return "unshare(CLONE_NEWPID) moves only processes that are made later: start the command with clone, or fork once more."
		}
		if !slices.Contains(r.lineage(), c.pid) {
			break
		}
		if later := r.after(c, func(m *call) bool { return m.name == "setns" }); later != nil {
			return fmt.Sprintf("unshare(%s) worked, but later setns went back to another namespace.", name)
		}
		return fmt.Sprintf("unshare(%s) was called when the command had been made already: it changes only who calls it.", name)
	}
	return fmt.Sprintf("%s was asked for, but not for the process that became the command.", name)
}

// becameOnOtherThread reports whether the process that called unshare became the
// command, but on another thread.
func (r *run) becameOnOtherThread(u *call) bool {
	return slices.ContainsFunc(r.find("execve", "execveat"), func(c *call) bool {
		return worked(c) && c.pid == u.pid && c.pid == r.command && c.thread != u.thread && r.before(u, c)
	})
}

// after returns the first call after c that fits, of clones and setns.
func (r *run) after(c *call, fits func(*call) bool) *call {
	for _, m := range r.find("clone", "clone3", "fork", "vfork", "setns") {
		if r.before(c, m) && fits(m) {
			return m
		}
	}
	return nil
}

func (r *run) notNumber1() string {
	switch l := r.look; {
	case l == nil:
		return ""
	case !l.own["pid"]:
		return r.notIn("pid", "CLONE_NEWPID", newPID)
	case l.number() == 1:
		return ""
	case slices.Contains(r.lineage(), l.number1):
		return fmt.Sprintf("The command is number %d: number 1 is your own program. It must become the command (execve), not start it.", l.number())
	default:
		return fmt.Sprintf("The command is number %d: another process was the first one in the new PID namespace.", l.number())
	}
}
