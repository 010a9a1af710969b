package check

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

func (r *run) noCommand() string {
	if r.command != 0 {
		if cause := r.wrongName(); cause != "" || r.look != nil || r.early || r.hung {
			return cause
		}
		return r.neverSeen()
	}
	ran := "run " + strings.Join(r.typed[1:min(2, len(r.typed))], " ")
	other := where(r.find("execve", "execveat"), func(c *call) bool {
		return worked(c) && path.Base(c.path) == path.Base(r.typed[1])
	})
	panicked := r.panicked()
	switch {
	case r.tooMany:
		return "Your program starts itself again and again: there were more than 60 processes. When it is started the second time, it must take another way than the first time (our lessons look for the word child)."
	case len(other) > 0 && len(r.typed) > 2:
		return fmt.Sprintf("The command did not get the arguments that were typed: typed was %s …, and the kernel was asked for %s.", ran, shorten(other[len(other)-1].text))
	case strings.Contains(panicked, "runtime error"):
		return panicked
	}
	if cause := r.otherGroups(); cause != "" {
		return cause
	}
	if u := r.strandedByUnshare(); u != nil {
		return "unshare(CLONE_NEWPID) moves only processes that are made later, not the one that calls it; and that one can start no thread any more, so Go ends it. Ask clone for CLONE_NEWPID (Cloneflags), or fork once more."
	}
	if c := r.lastFailure(); c != nil && !r.early {
		return r.explain(c)
	}
	makers := where(r.find("clone", "clone3", "fork", "vfork"), func(c *call) bool {
		child := r.processes[c.child]
		return worked(c) && c.pid == r.first && (child == nil || !child.tracer)
	})
	var made *process
	if len(makers) > 0 {
		made = r.processes[makers[len(makers)-1].child]
	}
	switch {
	case r.early:
		return "Your program ended before the process that it made: it must wait for that (waitid, or wait4)."
	case r.hung:
		return fmt.Sprintf("Your program did not start the command within %s. %s", seconds(r.patience), r.doing())
	case panicked != "":
		return panicked
	case made == nil:
		return fmt.Sprintf("Your program made no process and became no command: it %s. It was started with the words: %s …", endedHow(r.status), ran)
	case made.ended && made.status != 0:
		if again := made.became; slices.Contains(again, r.typed[len(r.typed)-1]) && !slices.Contains(again, r.typed[1]) {
			return fmt.Sprintf("Your program started itself again without the command's name among the arguments: %s is missing in %q.", r.typed[1], again[:len(again)-1])
		}
		if cause := r.tooEarlyDot(); cause != "" {
			return cause
		}
		text := fmt.Sprintf("The process that your program made %s, before it became the command.", endedHow(made.status))
		if made.status < 0 {
			text += r.tooLittleMemory()
		}
		if lines := r.printed(); len(lines) > 0 {
			text += " It said: " + lines[0]
			for _, change := range r.rootChanges() {
				if path.IsAbs(change.path) && strings.Contains(lines[0], "not found: "+change.path+" ") {
					text += ". That is the path of the root: the command stands behind it among the arguments."
				}
			}
		}
		return text
	}
	return "Your program made a process, but no process became the command: none has called execve for it."
}

// tooEarlyDot is a chroot to the working directory before that was the new root.
func (r *run) tooEarlyDot() string {
	for _, c := range r.find("chroot") {
		moved := slices.ContainsFunc(r.find("chdir", "fchdir"), func(m *call) bool { return m.pid == c.pid && r.before(m, c) })
		if worked(c) && path.Clean(c.path) == "." && !moved {
			return fmt.Sprintf("%s makes the working directory the new root, and that was a folder of the host's, not the container's root file system: chdir to that comes before.", c.text)
		}
	}
	return ""
}

// panicked says that a Go program ended with a panic, and where; "" without one.
func (r *run) panicked() string {
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "panic: ") && !strings.HasPrefix(line, "fatal error: ") {
			continue
		}
		at := placeIn(r.stderr)
		if strings.Contains(line, "deadlock") {
			return "Your program was ended by Go, before any process became the command: it waits for what never comes. " +
				"The last that was seen of it: " + at.waits("it waits") + "."
		}
		text := "Your program ended with a panic, before any process became the command: " + shorten(strings.TrimSpace(line))
		switch {
		case at.itself != "":
			text += ": " + at.waits("")
		case at.line != "":
			text += ", at " + at.line
		}
		return text + "."
	}
	return ""
}

// strandedByUnshare is an unshare after which its process could not go on: no
// thread can be made by one whose children are in another PID namespace.
func (r *run) strandedByUnshare() *call {
	for _, u := range r.find("unshare") {
		p := r.processes[u.pid]
		if u.flags&newPID == 0 || !worked(u) || p == nil || !p.ended || p.status == 0 {
			continue
		}
		if strings.Contains(r.stderr, "newosproc") || strings.Contains(r.stderr, "new OS thread") {
			return u
		}
	}
	return nil
}

// wrongName is a command that was not told its own name.
func (r *run) wrongName() string {
	list := r.processes[r.command].became
	if len(list) != len(r.typed)-1 && len(list) > 0 {
		if path.Base(list[0]) != path.Base(r.typed[1]) && len(list) == len(r.typed)-2 {
			return fmt.Sprintf("The command did not get its own name: the first of the arguments of execve (argv[0]) is the command itself, and here it was %q.", list[0])
		}
		return fmt.Sprintf("The command did not get the arguments that were typed: execve was asked for %q.", list)
	}
	return ""
}

func (r *run) notNew() string {
	p := r.processes[r.command]
	switch {
	case p == nil:
	case r.command == r.first:
		return "Your program itself became the command. It must start a new process (clone), which becomes the command, and wait for that."
	case p.parent != r.first && slices.Contains(r.lineage(), r.first):
		return "The command is one process too many: the process that your program made has started it as a child, and waits. It must become the command (execve)."
	}
	return ""
}

func (r *run) noEnd() string {
	switch {
	case r.early:
		return "Your program ended before its command did: it must wait for it (waitid, or wait4)."
	case r.hung && !r.waitsForGroup():
		return fmt.Sprintf("%s after the start there were still processes. %s", seconds(r.patience), r.doing())
	}
	return ""
}

// waitsForGroup reports whether the program asked in vain, until it was ended, for
// a cgroup to be removed: then lesson 6 has more to say.
func (r *run) waitsForGroup() bool {
	return len(where(r.find("rmdir", "unlinkat"), func(c *call) bool { return c.errno == "EBUSY" })) > 3
}

// neverSeen is why the command ended before it could be looked at.
func (r *run) neverSeen() string {
	cause := "The command ended before it could be looked at."
	if p := r.processes[r.command]; p != nil && p.status < 0 {
		cause = fmt.Sprintf("The command %s as soon as it ran.", endedHow(p.status))
	}
	return cause + r.tooLittleMemory()
}

// tooLittleMemory is a limit on memory with which nothing can run, "" for none.
func (r *run) tooLittleMemory() string {
	for _, c := range r.find("write") {
		bytes, err := strconv.Atoi(strings.TrimSpace(c.data))
		if worked(c) && err == nil && bytes > 0 && bytes < 4<<20 && strings.HasPrefix(path.Base(c.path), "memory.") && !strings.Contains(c.path, "sw") {
			return fmt.Sprintf(" %s got %d, and counts in bytes: that is too little for any program.", c.path, bytes)
		}
	}
	return ""
}

// doing says what is going on in a program that hangs: in the process that was
// made last.
func (r *run) doing() string {
	p := r.hanging()
	if p == nil {
		return "It computes, and makes no system call."
	}
	return fmt.Sprintf("The last that was seen of %s: %s.", r.who(p.pid), p.doing)
}

// hanging is the process that was made last, of those of which it is known what they
// were in the middle of; nil for none.
func (r *run) hanging() (last *process) {
	for _, p := range r.processes {
		if p.doing == "" || p.ended && !r.hung || p.tracer {
			continue
		}
		if last == nil || p.pid > last.pid {
			last = p
		}
	}
	return last
}

// lastFailure is the last call that went wrong, of those after which nothing can
// go on. Who looks for a command in several folders fails in most of them.
func (r *run) lastFailure() *call {
	all := where(r.find("clone", "clone3", "fork", "vfork", "unshare", "setns", "sethostname", "chroot", "chdir",
		"pivot_root", "mount", "execve", "execveat", "mkdir", "mkdirat", "openat", "write"), failed)
	all = where(all, func(c *call) bool { return !strings.HasPrefix(c.name, "mkdir") || c.errno != "EEXIST" })
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}
