package narrate

import (
	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// takeSource takes the source that a program offers, see offer. It reports whether the
// call was such an offer, and answers it.
func (w *watcher) takeSource(thread *trace.Thread, c *trace.Call) bool {
	const most = 1 << 20
	if w.Lesson || c.Name() != "prctl" || c.Values[0] != offerOption || c.Values[2] > most {
		return false
	}
	source, err := thread.Memory().Bytes(c.Values[1], c.Values[2])
	if program := w.programs.find(thread.Process); err == nil && len(source) > 0 && program.program != w.programs.own {
		program.setSource(string(source))
	}
	w.tracer.Fail(thread, unix.EALREADY)
	return true
}

// cannotTell takes care of what is not told, and says so: calls of a 32-bit program, once,
// and ptrace, when that fails.
func (w *watcher) cannotTell(thread *trace.Thread, c *trace.Call) bool {
	switch {
	case w.Lesson:
		return false
	case c.Foreign():
		if !w.unseen {
			w.unseen = true
			w.sayOf(thread, "This is a 32-bit program, or makes a call as one: such calls are not told.")
		}
		return true
	case c.Number == unix.SYS_PTRACE:
		c.Note = &told{thread: thread, call: c, traces: true}
		return true
	}
	return false
}

// triedToTrace says why a program cannot trace another one: that has a tracer.
func (w *watcher) triedToTrace(t *told) {
	if t.call.Errno() == unix.EPERM {
		w.sayOf(t.thread, "ptrace was answered with EPERM: a process has one tracer at most, and that is the narrator. Without explain it may work.")
	}
}

// sayOf says something of the narrator's own about a process.
func (w *watcher) sayOf(thread *trace.Thread, text string) {
	if w.JSON() {
		return
	}
	w.unfold()
	w.print.look()
	w.print.begin(w.speakerOf(thread, reason{}), w.print.lines(plainStyle, text), false)
	w.spoken = nil
}

// watchesOn reports whether there is more to tell after the end of the program that was
// started: a container that "runc create" leaves behind becomes its command later. Only a
// narration that goes into a file waits for that: a terminal is somebody else's by then.
func (w *watcher) watchesOn() bool {
	if !w.Explains || w.Settings.To == "" || w.began {
		return false
	}
	for p := range w.known {
		if p != w.host && len(p.Threads) > 0 && w.isChanged(p.Threads[0]) {
			return true
		}
	}
	return false
}

// noCommand says at the end that no container's command was seen.
func (w *watcher) noCommand() {
	if !w.Explains || w.began || w.unseen || w.JSON() {
		return
	}
	w.unseen = true // and says it once
	w.print.look()
	all := w.print.lines(plainStyle, "No process in a new PID namespace or with a new root has become a command, so there is no board: "+
		"this was no container, or what makes it was here before, as Docker's daemon is.")
	w.print.begin(speaker{side: Host, pid: w.host.ID}, all, false)
}
