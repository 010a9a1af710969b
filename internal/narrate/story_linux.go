package narrate

import (
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// belongs reports whether a call belongs to the story: the host's side or the
// container's makes it. A process in no new namespaces is the container's side if
// a comment says why it is made, or if it starts this program once more; all
// others are helpers.
func (w *watcher) belongs(t *told, frames []frame) bool {
	p := t.thread.Process
	switch {
	case !w.Lesson:
	case p == w.host:
		if t.call.Waits() && (w.container == nil || !t.call.WaitsFor(w.container.ID)) {
			return false
		}
		t.reason = w.programs.reason(t.thread, frames)
		return !t.call.MakesProcess() || len(namespaceKinds(t.call.CloneFlags())) > 0 || t.reason.commented
	case !w.isContainer(p):
		if t.call.Name() != "execve" || w.container != nil || p.Parent != w.host || !isProgram(t.thread, t.call.Path) {
			return false
		}
		w.container, w.pidInside = p, p.ID
	}
	t.reason = w.programs.reason(t.thread, frames)
	return true
}

// isContainer reports whether p is a process of the container's side.
func (w *watcher) isContainer(p *trace.Process) bool {
	if !w.Lesson {
		_, is := w.commands[p]
		return is
	}
	for ; p != nil && p != w.host; p = p.Parent {
		if p == w.container {
			return true
		}
	}
	return false
}

// speaker is who makes a call.
func (w *watcher) speaker(p *trace.Process, r reason) speaker {
	s := speaker{side: Host, pid: p.ID, where: r.String()}
	if p == w.host {
		return s
	}
	s.side = Container
	if !proc.IsOurs() {
		if p == w.container {
			s.pid = w.pidInside
		}
		return s
	}
	if pids := pidsOf(p); len(pids) > 0 {
		s.pid, _ = strconv.Atoi(pids[len(pids)-1])
	}
	return s
}

// isProgram reports whether path, as a thread sees it, is the program itself.
func isProgram(thread *trace.Thread, path string) (is bool) {
	if path == "/proc/self/exe" {
		return true
	}
	outside(thread, path, "cwd", func(path string) { is = proc.SameFile("/proc/self/exe", path) })
	return is
}

// outside calls do with a path of a thread as we can open it; not at all where that
// cannot be. A thread can have a root of its own. from is where a path begins, below
// /proc/PID, that does not begin at the root.
func outside(thread *trace.Thread, path, from string, do func(path string)) {
	if !proc.IsOurs() {
		return
	}
	dir := "/proc/" + strconv.Itoa(thread.ID)
	if !filepath.IsAbs(path) {
		do(dir + "/" + from + "/" + path)
		return
	}
	for _, self := range []string{"/proc/self/", "/proc/thread-self/"} { // which would be us
		if rest, ok := strings.CutPrefix(path, self); ok {
			if unix.Access(dir+"/"+rest, unix.F_OK) == unix.EACCES && thread.Process.Parent != nil { // see runsFile
				dir = "/proc/" + strconv.Itoa(thread.Process.Parent.ID)
			}
			do(dir + "/" + rest)
			return
		}
	}
	// A symlink to /bin/busybox leads to the one in there.
	inRoot := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	root, err := unix.Open(dir+"/root", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(root)
	switch fd, err := unix.Openat2(root, path, inRoot); err {
	case nil:
		defer unix.Close(fd)
		do("/proc/self/fd/" + strconv.Itoa(fd))
	case unix.ENOENT:
	default: // Linux before 5.6, or a path through /proc/PID
		do(dir + "/root" + path)
	}
}

// runsProgram reports whether a process runs the narrated program.
func (w *watcher) runsProgram(p *trace.Process, t *told) bool {
	if proc.IsOurs() {
		return proc.SameFile("/proc/self/exe", "/proc/"+strconv.Itoa(p.ID)+"/exe")
	}
	return t != nil && !t.command
}

// borrows reports whether the call is made by a new process that still has its
// maker's memory, see CLONE_VFORK in clone(2).
func (t *told) borrows() bool { return t.byGo && t.speaker.side == Container }

// processes are the program's processes.
func (w *watcher) processes() []int {
	ids := []int{w.host.ID}
	for p := range w.known {
		if p != w.host {
			ids = append(ids, p.ID)
		}
	}
	if w.container != nil {
		ids = append(ids, w.container.ID)
	}
	return ids
}
