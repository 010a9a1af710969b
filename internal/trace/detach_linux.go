package trace

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Detach lets go of a process: of it there are no events anymore. Its threads
// that run are stopped for that, for a moment; one that waits for Continue goes
// on when all others are let go.
func (t *Tracer) Detach(p *Process) {
	p.leaves = true
	for _, thread := range p.Threads {
		if !thread.held {
			ptrace(unix.PTRACE_INTERRUPT, thread.ID, 0, 0)
		}
	}
	t.detachHeld(p)
}

// detachHeld lets go of a process's last threads, when all of them are held.
func (t *Tracer) detachHeld(p *Process) {
	for _, thread := range p.Threads {
		if !thread.held {
			return
		}
	}
	for _, thread := range slices.Clone(p.Threads) {
		t.detach(thread)
	}
}

// detach lets go of a thread. A call that was to begin once more is made now. One
// that something has just killed does not stand there anymore: it is let go at its
// last stop, or at its end.
func (t *Tracer) detach(thread *Thread) {
	if call := thread.call; thread.asks && call.skip == skipAgain {
		unskipCall(thread.ID, call)
	}
	if ptrace(unix.PTRACE_DETACH, thread.ID, 0, uintptr(thread.signal)) != nil {
		thread.held = false
		return
	}
	t.forget(thread)
}

// leave is a stop of a thread whose process is being let go.
func (t *Tracer) leave(thread *Thread, s stop) {
	switch {
	case s.isSystemCall():
		if call := thread.call; call != nil && call.skip == skipAgain {
			t.again(thread, call)
		}
	case s.isBirth():
		t.leaveBorn(thread.Process, eventMessage(thread.ID, s.event()))
	case s.event() == unix.PTRACE_EVENT_EXEC:
		for _, other := range slices.Clone(thread.Process.Threads) {
			if other != thread {
				t.forget(other)
			}
		}
	case s.event() == 0:
		thread.signal = s.status.StopSignal()
	}
	p := thread.Process
	t.detach(thread)
	t.adopt(thread)
	t.detachHeld(p)
}

// leaveBorn lets go of what a process has made while it is being let go itself: at
// the new one's first stop, or now, if that has come.
func (t *Tracer) leaveBorn(p *Process, id int) {
	switch known := t.threads[id]; {
	case id == 0:
	case known == nil:
		t.add(id, p)
	case known.early != nil && known.early.ended():
		delete(t.threads, id)
	case known.early != nil:
		t.detach(t.add(id, p))
	}
}
