package narrate

import (
	"os"
	"strconv"
	"strings"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// What stands in this file is for programs that are no lesson, as Beside tells them:
// any number of processes, none of which is held back. Which of them speak for the
// container, the kernel says.

// isChanged reports whether a thread has another PID namespace or another root than
// who was started: what it becomes then is a container's command.
func (w *watcher) isChanged(thread *trace.Thread) bool {
	dir := strconv.Itoa(thread.ID)
	root := identity("/proc/" + dir + "/root/.")
	return root != "" && root != w.starter.root || w.differs(thread, "pid")
}

// differs reports whether a thread has another namespace of this kind than who was
// started.
func (w *watcher) differs(thread *trace.Thread, kind string) bool {
	ns := proc.Namespace(strconv.Itoa(thread.ID), kind)
	return ns != "" && ns != w.starter.namespaces[kind]
}

// speakerOf is who makes a call: the container's side is who has a namespace that the
// starter has not.
func (w *watcher) speakerOf(thread *trace.Thread, r reason) speaker {
	p := thread.Process
	s := speaker{side: Host, pid: p.ID, outside: p.ID, where: r.String()}
	for _, kind := range kinds {
		if w.differs(thread, kind) {
			s.side = Container
		}
	}
	if pids := pidsOf(p); len(pids) > 0 {
		s.pid, _ = strconv.Atoi(pids[len(pids)-1])
	}
	return s
}

// place finds the chapter that a call belongs to: its own, or that of what its side did
// before.
func (w *watcher) place(t *told) {
	const first, last = "namespaces", "the command"
	side := t.speaker.side
	switch {
	case t.command:
		t.chapter = last
	case t.entry.chapter != "":
		t.chapter = t.entry.chapter
	case w.chapters[side] != "":
		t.chapter = w.chapters[side]
	default:
		t.chapter = first
	}
	w.chapters[side] = t.chapter
}

// resolve gives the call the paths that lead somewhere through a descriptor: only
// those mean something to the catalogue.
func (t *told) resolve() {
	if t.isExecve() {
		return
	}
	if file := behind(t.thread, t.call.Path); file != "" {
		t.behind = t.call.Path + " is " + trace.Quote(file)
		t.call.Path = file
	}
	if source := behind(t.thread, t.call.Source); source != "" && t.call.Name() == "mount" { // not a link's text
		t.call.Source = source
	}
}

// behind is what a path leads to that goes through a file descriptor of the thread's,
// as /proc/self/fd/7 does: runtimes resolve a path once, and then use that. It is "" for
// every other path.
func behind(thread *trace.Thread, path string) string {
	for _, dir := range []string{"/proc/self/fd/", "/proc/thread-self/fd/"} {
		if fd, ok := strings.CutPrefix(path, dir); ok {
			name, _, _ := strings.Cut(fd, "/")
			file, err := os.Readlink("/proc/" + strconv.Itoa(thread.ID) + "/fd/" + name)
			if err == nil && file != "/" { // a mount that is at no place yet
				return file + strings.TrimPrefix(fd, name)
			}
		}
	}
	return ""
}

// numberSeen is the number that the maker of a process is told, which differs from
// ours where the maker lives in a PID namespace further down.
func numberSeen(maker, made *trace.Process) int64 {
	depth, numbers := len(pidsOf(maker)), pidsOf(made)
	if depth > 0 && depth <= len(numbers) {
		if n, err := strconv.Atoi(numbers[depth-1]); err == nil {
			return int64(n)
		}
	}
	return int64(made.ID)
}

// JSON reports whether records are printed, and no text.
func (w *watcher) JSON() bool { return w.Settings.JSON }
