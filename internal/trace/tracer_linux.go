package trace

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Kind says what has happened at a stop.
type Kind int

// The kinds of events.
const (
	Entry   Kind = iota // the thread is about to make the call
	Exit                // the call has been answered
	Born                // the call, a clone, has made the process Child; its own Exit follows
	Execed              // the call, an execve, has made the process another program; no Exit follows
	Signal              // a signal is about to be delivered
	Stopped             // a signal has stopped the process (Ctrl-Z); Continue lets it be so
	Resumed             // and SIGCONT has let it go on
	Ending              // the process is about to end; SIGKILL can leave that out
	Ended               // the thread is gone; there is nothing to continue
)

// Event is one stop of one thread. But for Ended the thread waits for Continue.
type Event struct {
	Kind   Kind
	Thread *Thread
	Call   *Call // nil for Born and Execed of a call that began before the seizing
	Child  *Process
	Signal syscall.Signal
	Status syscall.WaitStatus // how an Ended thread has ended; 0 for one that another's execve ended
}

// Thread is a traced thread.
type Thread struct {
	ID      int // an execve by another thread than the first changes it
	Process *Process

	pointer     uint64  // the instruction pointer at the last entry
	call        *Call   // what it has asked and not been answered
	asks        bool    // it is stopped at the entry of that
	interrupted []*Call // what the kernel may begin once more, when a signal's handler has run
	signal      syscall.Signal
	stopped     bool  // by a signal: LISTEN, not go on
	ending      bool  // it has nothing more to do
	held        bool  // it waits for Continue
	early       *stop // its last stop, while the clone that made it is not reported
}

type skip int

const (
	skipNot skip = iota
	skipFail
	skipAgain
)

// Process is a traced process.
type Process struct {
	ID      int
	Parent  *Process // who made it, nil for the one that was seized
	Threads []*Thread

	leaves bool // Detach was called, and not all threads are let go
	ending bool // Ending was reported
}

// Memory is the process's memory, as the thread sees it. The first thread may
// have ended before the others: then the process's own number leads to none.
func (t *Thread) Memory() Memory { return Memory(t.ID) }

// Tracer traces a program and what it starts.
type Tracer struct {
	threads map[int]*Thread
	root    *Process
	stops   chan stop

	requests chan struct{} // for a stop, which another thread then waits for
	pending  bool          // for one that has not come yet
	ready    []Event       // found while looking for something else
}

// Root is the process that was seized.
func (t *Tracer) Root() *Process { return t.root }

func (t *Tracer) add(id int, p *Process) *Thread {
	thread := &Thread{ID: id, Process: p}
	t.threads[id] = thread
	p.Threads = append(p.Threads, thread)
	return thread
}

// Event says what a stop means. Its second result is false for a stop that is
// the tracer's own affair, and taken care of.
func (t *Tracer) Event(s stop) (Event, bool) {
	t.pending = false
	thread := t.threads[s.thread]
	switch {
	case thread == nil && s.ended():
		return Event{}, false // somebody else's child
	case thread == nil || thread.early != nil:
		t.unknown(s)
		return Event{}, false
	case s.ended():
		return t.ended(thread, s.status)
	}
	thread.held, thread.asks = true, false
	if thread.Process.leaves {
		t.leave(thread, s)
		return Event{}, false
	}
	wasStopped := thread.stopped
	thread.stopped = s.isGroupStop()
	switch event := s.event(); {
	case s.isSystemCall():
		return t.systemCall(thread)
	case s.isBirth():
		return t.born(thread, event)
	case event == unix.PTRACE_EVENT_EXEC:
		return t.execed(thread), true
	case event == unix.PTRACE_EVENT_EXIT:
		thread.ending = true
		if thread.endsProcess() {
			thread.Process.ending = true
			return Event{Kind: Ending, Thread: thread}, true
		}
		return t.goOn(thread)
	case thread.stopped:
		return Event{Kind: Stopped, Thread: thread, Signal: s.status.StopSignal()}, true
	case wasStopped && event == unix.PTRACE_EVENT_STOP:
		return Event{Kind: Resumed, Thread: thread}, true
	case event != 0:
		return t.goOn(thread)
	}
	thread.signal = s.status.StopSignal()
	return Event{Kind: Signal, Thread: thread, Signal: thread.signal}, true
}

func (t *Tracer) goOn(thread *Thread) (Event, bool) {
	t.Continue(thread)
	return Event{}, false
}

// endsProcess reports whether the process ends because this thread does: it has
// called exit_group(2), a signal has killed it, or it is the last. The first thread
// may end long before the others, and in an execve by another one it always does.
// That the process ends is reported once.
func (t *Thread) endsProcess() bool {
	const signal = 0x7f // in the status that PTRACE_EVENT_EXIT tells
	switch {
	case t.Process.ending:
		return false
	case t.call != nil && isExitGroup(t.call.arch, t.call.Number), eventMessage(t.ID, unix.PTRACE_EVENT_EXIT)&signal != 0:
		return true
	}
	for _, other := range t.Process.Threads {
		if !other.ending {
			return false
		}
	}
	return true
}

func (t *Tracer) ended(thread *Thread, status syscall.WaitStatus) (Event, bool) {
	t.forget(thread)
	t.adopt(thread)
	p := thread.Process
	if p.leaves {
		t.detachHeld(p)
		return Event{}, false
	}
	return Event{Kind: Ended, Thread: thread, Status: status}, true
}

// forget is the end of a thread, for us.
func (t *Tracer) forget(thread *Thread) {
	if t.threads[thread.ID] == thread {
		delete(t.threads, thread.ID)
	}
	thread.held = false
	p := thread.Process
	p.Threads = slices.DeleteFunc(p.Threads, func(other *Thread) bool { return other == thread })
}

// Next returns an event that was found while looking at another one.
func (t *Tracer) Next() (Event, bool) {
	if len(t.ready) == 0 {
		return Event{}, false
	}
	e := t.ready[0]
	t.ready = t.ready[1:]
	return e, true
}

// Continue lets a stopped thread go on, to its next stop.
func (t *Tracer) Continue(thread *Thread) {
	if !thread.held {
		return // a new one that has not made its first stop: there it goes on
	}
	thread.held = false
	if thread.stopped {
		ptrace(unix.PTRACE_LISTEN, thread.ID, 0, 0)
		return
	}
	sig := thread.signal
	thread.signal = 0
	ptrace(unix.PTRACE_SYSCALL, thread.ID, 0, uintptr(sig))
}

// ContinueBorn lets the new process of Born go on.
func (t *Tracer) ContinueBorn(p *Process) {
	for _, thread := range p.Threads {
		t.Continue(thread)
	}
}

// Suppress makes the signal of the event Signal not be delivered. Then comes
// Continue.
func (t *Tracer) Suppress(thread *Thread) { thread.signal = 0 }

// Held reports whether the thread is stopped and waits for Continue.
func (t *Thread) Held() bool { return t.held }
