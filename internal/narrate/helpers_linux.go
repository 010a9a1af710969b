package narrate

import (
	"strconv"

	"gonsrun/internal/proc"
)

// isHelpers reports whether a call only makes a helper, or waits for one: what the
// helper does is told, with its pid.
func (w *watcher) isHelpers(t *told) bool {
	switch id := strconv.Itoa(t.thread.ID); {
	case t.call.MakesProcess():
		return len(namespaceKinds(t.call.CloneFlags())) == 0 &&
			proc.Namespace(id, "pid_for_children") == proc.Namespace(id, "pid")
	case t.call.Waits():
		return !w.waitsForContainer(t)
	}
	return false
}

// waitsForContainer reports whether a call may be answered with the end of a container's
// process.
func (w *watcher) waitsForContainer(t *told) bool {
	if len(pidsOf(t.thread.Process)) > 1 {
		return true // in a PID namespace further down, whose numbers differ
	}
	for command := range w.commands {
		if t.call.WaitsFor(command.ID) {
			return true
		}
	}
	for p := range w.known {
		if p != t.thread.Process && len(p.Threads) > 0 && w.differs(p.Threads[0], "pid") && t.call.WaitsFor(p.ID) {
			return true
		}
	}
	return false
}

// hides reports whether an answered call that is hidden stays so: when it failed, or when
// what it has waited for did, it is told.
func (w *watcher) hides(t *told) bool {
	ended := t.call.Wait
	if t.call.Errno() == 0 && (ended == nil || ended.Exited() && ended.Status == 0) {
		return true
	}
	w.unfold()
	w.tell(t)
	return false
}
