package trace

import (
	"slices"

	"golang.org/x/sys/unix"
)

// unknown is a stop of a thread of which no clone has told yet: a new thread's first
// stop can come before the event of the clone that made it, and waits for that.
// When something has killed it meanwhile, nobody need see its last stop. That may
// also be one that we have let go, and which was killed just before.
func (t *Tracer) unknown(s stop) {
	if s.event() == unix.PTRACE_EVENT_EXIT && ptrace(unix.PTRACE_CONT, s.thread, 0, 0) != nil {
		return
	}
	t.threads[s.thread] = &Thread{ID: s.thread, early: &s}
}

// adopt cares for new threads that wait for the event of their clone, when
// nobody is left who could report it: SIGKILL ends a thread before that.
func (t *Tracer) adopt(maker *Thread) {
	var orphans []*Thread
	for _, thread := range t.threads {
		if thread.early != nil {
			orphans = append(orphans, thread)
		} else if thread.call != nil && thread.call.mayMake() && !thread.ending {
			return
		}
	}
	for _, orphan := range orphans {
		switch {
		case orphan.early.ended():
			delete(t.threads, orphan.ID)
		case maker.Process.leaves:
			t.leaveBorn(maker.Process, orphan.ID)
		default:
			t.ready = append(t.ready, t.bring(maker, orphan.ID)...)
		}
	}
}

// born is a thread that has made another thread, or a process.
func (t *Tracer) born(thread *Thread, event int) (Event, bool) {
	id := eventMessage(thread.ID, event)
	known := t.threads[id]
	if id == 0 || known != nil && known.early == nil {
		return t.goOn(thread)
	}
	events := t.bring(thread, id)
	if len(events) == 0 {
		return t.goOn(thread)
	}
	t.ready = append(t.ready, events[1:]...)
	return events[0], true
}

// bring makes a new thread known: a thread of its maker's process goes on, a
// process's first one waits. What it returns is to be reported.
func (t *Tracer) bring(maker *Thread, id int) []Event {
	var early *stop
	if known := t.threads[id]; known != nil {
		early = known.early
	}
	dead := early != nil && early.ended()
	p := t.processOf(id)
	if p == nil && dead && maker.call != nil && maker.call.makesThread() {
		p = maker.Process
	}
	isNew := p == nil
	if isNew {
		p = &Process{ID: id, Parent: maker.Process}
	}
	child := t.add(id, p)
	child.ending = early != nil && early.event() == unix.PTRACE_EVENT_EXIT
	child.held = early != nil && !dead && !child.ending
	child.stopped = early != nil && early.isGroupStop()
	var events []Event
	if isNew {
		events = append(events, Event{Kind: Born, Thread: maker, Call: maker.call, Child: p})
	} else if p.leaves && child.held {
		t.detach(child)
	} else if !dead {
		t.Continue(child)
	}
	if dead {
		t.forget(child)
		events = append(events, Event{Kind: Ended, Thread: child, Status: early.status})
	}
	return events
}

// processOf returns the process that a thread belongs to, nil for a new process.
// tgkill(2) without a signal is the kernel's own word for it, which needs no
// /proc: ESRCH when the process has no such thread.
func (t *Tracer) processOf(id int) *Process {
	for _, thread := range t.threads {
		if p := thread.Process; p != nil && p.ID != id && unix.Tgkill(p.ID, id, 0) != unix.ESRCH {
			return p
		}
	}
	return nil
}

// execed is a process that has become another program: its other threads are
// gone, and the one that made the call has the first one's id.
func (t *Tracer) execed(thread *Thread) Event {
	p, id := thread.Process, thread.ID
	p.ending = false
	if former := t.threads[eventMessage(id, unix.PTRACE_EVENT_EXEC)]; former != nil && former.Process == p {
		thread = former
	}
	for _, other := range slices.Clone(p.Threads) {
		t.forget(other)
		if other != thread {
			t.ready = append(t.ready, Event{Kind: Ended, Thread: other})
		}
	}
	call := thread.call
	*thread = Thread{ID: id, Process: p, pointer: thread.pointer, held: true}
	t.threads[id], p.Threads = thread, []*Thread{thread}
	if call != nil {
		call.Result = 0
	}
	return Event{Kind: Execed, Thread: thread, Call: call}
}
