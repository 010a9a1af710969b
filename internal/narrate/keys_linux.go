package narrate

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// quitPatience is how long the host's side has to end the run after q. A program that
// does not mean to goes on then.
const quitPatience = 2 * time.Second

// pressed does what a key says.
func (w *watcher) pressed(key byte) {
	t := w.pause.waitsFor
	if t == nil {
		return
	}
	switch key {
	case '\n', '\r':
	case 'c':
		w.pause.skip[t.chapter] = t.speaker.side
	case 'g':
		w.pause.off = true
	case 'q':
		// The host's side cleans up, as for any SIGTERM, and kills the container's:
		// what that has been waiting with is not made anymore.
		w.pause.off = true
		unix.Kill(w.host.ID, unix.SIGTERM)
		if t.thread.Process != w.host {
			w.pause.done()
			w.quit, w.quits = t, time.After(quitPatience)
			return
		}
	default:
		return
	}
	w.pause.done()
	w.make(t)
	w.next()
}

// pass passes what was typed to the host's side, when only the container's process
// group has the terminal: in the middle of Go's clone and execve.
func (w *watcher) pass(sig syscall.Signal) {
	if t := w.pause.waitsFor; !w.Lesson && t != nil && t.thread.Held() {
		// A process with one thread takes no signal while that is held: it asks again later.
		w.pause.leave()
		w.tracer.Again(t.thread)
		w.tracer.Continue(t.thread)
		return
	}
	if w.pause.alone {
		unix.Kill(w.host.ID, sig)
		w.passed = w.borrower != nil && sig == unix.SIGTSTP
	}
}

// stopTyped is a Ctrl-Z that is about to stop a process other than the host's side. In
// the middle of Go's clone and execve it must wait: until the execve, the thread of the
// host's side that has made the process cannot go on. And where only the new process's
// group has the terminal, the host's side does not hear of it, and must stop, too.
func (w *watcher) stopTyped(e trace.Event) {
	p := e.Thread.Process
	if p != w.borrower {
		return
	}
	w.tracer.Suppress(e.Thread)
	w.stops = true
	theirs, err1 := unix.Getpgid(p.ID)
	hosts, err2 := unix.Getpgid(w.host.ID)
	if err1 == nil && err2 == nil && theirs != hosts && !w.passed {
		unix.Kill(w.host.ID, unix.SIGTSTP)
	}
	w.passed = false
}

// goOnWithoutPause: a signal ends the run, and the host's side shall not wait for
// a key before it can do that.
func (w *watcher) goOnWithoutPause() {
	t := w.pause.waitsFor
	if t != nil && !w.Lesson && t.isExecve() {
		return // another thread takes the signal: an execve that goes on would end that thread, and the signal with it
	}
	if t != nil && (t.thread.Process == w.host || t.borrows()) {
		w.pause.off = true
		w.pause.done()
		w.make(t)
		w.next()
	}
}

// next announces the calls that waited for a key to be pressed before another.
func (w *watcher) next() {
	for len(w.queue) > 0 && w.pause.waitsFor == nil {
		t := w.queue[0]
		w.queue = w.queue[1:]
		w.announce(t)
	}
}

// stopped is a process that a signal stops: a thread that waits for a key in it
// must stop, too, and asks the kernel again later.
func (w *watcher) stopped(e trace.Event) {
	w.pause.leave()
	w.halted = w.halted || e.Thread.Process == w.host
	switch t := w.pause.waitsFor; {
	case t == nil || !t.thread.Held() || t.thread == e.Thread:
	case t.borrows():
		// The thread that made this process cannot stop before its execve.
		w.pause.done()
		w.pause.hurry = true
		w.make(t)
	case t.thread.Process == e.Thread.Process:
		w.tracer.Again(t.thread)
		w.tracer.Continue(t.thread)
	}
	w.tracer.Continue(e.Thread)
}
