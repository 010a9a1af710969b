package trace

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
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
	Ending              // the process is about to end
	Ended               // the thread is gone; there is nothing to continue
)

// Event is one stop of one thread. But for Ended the thread waits for Continue.
type Event struct {
	Kind   Kind
	Thread *Thread
	Call   *Call
	Child  *Process
	Signal syscall.Signal
}

// Thread is a traced thread.
type Thread struct {
	ID      int
	Process *Process

	// Note is the user's own, for what it wants to remember until the exit.
	Note any

	pointer  uint64 // the instruction pointer at the last entry or exit
	call     *Call  // what it has asked and not been answered
	restarts bool   // the kernel said that the call will be made again
	handles  bool   // meanwhile a handler of a signal runs
	nested   bool   // and makes a call
	inject   int64  // what to answer instead of the kernel, when skip
	skip     skip
	signal   syscall.Signal // to be delivered
	stopped  bool           // by a signal: LISTEN, not go on
	held     bool           // it waits for Continue
	early    bool           // it was seen before the clone that made it
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
}

// Memory is the process's memory.
func (p *Process) Memory() Memory { return Memory(p.ID) }

// Tracer traces a program and what it starts.
type Tracer struct {
	threads map[int]*Thread
	root    *Process
	stops   chan stop
	ready   []Event // found while looking for something else
}

// stop is what wait4 says.
type stop struct {
	thread int
	status syscall.WaitStatus
}

// errRestart… are what the kernel answers itself when a signal interrupts a call
// that it will start again, see signal(7). No program ever sees them.
const (
	errRestartSys     = 512
	errRestartNoIntr  = 513
	errRestartNoHand  = 514
	errRestartRestart = 516
)

// ErrOldKernel is the error of Seize before Linux 5.3.
var ErrOldKernel = errors.New("PTRACE_GET_SYSCALL_INFO: this kernel is older than Linux 5.3")

// Seize starts to trace a running process with all its threads. It does not stop
// them, but for a moment. The error wraps the errno: EPERM when the process is
// traced already, when /proc/sys/kernel/yama/ptrace_scope forbids it, or when it
// is somebody else's; ESRCH when it is gone.
//
// Where /proc shows another PID namespace, the threads cannot be found: then the
// first thread is seized, and those that it makes.
func Seize(pid int) (*Tracer, error) {
	t := &Tracer{threads: map[int]*Thread{}, stops: make(chan stop), root: &Process{ID: pid}}
	for more := true; more; {
		more = false
		for _, id := range threadsOf(pid) {
			if t.threads[id] != nil {
				continue
			}
			err := ptrace(unix.PTRACE_SEIZE, id, 0, options)
			if err == unix.ESRCH && id != pid {
				continue // it has just ended
			}
			if err != nil {
				t.letGo()
				return nil, fmt.Errorf("ptrace(PTRACE_SEIZE, %d): %w", id, err)
			}
			ptrace(unix.PTRACE_INTERRUPT, id, 0, 0)
			t.add(id, t.root)
			more = true
		}
	}
	// Whether the kernel can say what is called, it says of a stopped thread only.
	first := stop{thread: pid}
	for {
		_, err := syscall.Wait4(pid, &first.status, syscall.WALL, nil)
		if err == nil {
			break
		}
		if err != syscall.EINTR {
			return nil, fmt.Errorf("wait4(%d): %w", pid, err)
		}
	}
	if _, err := getSyscallInfo(pid); err == unix.EIO && first.status.Stopped() {
		ptrace(unix.PTRACE_DETACH, pid, 0, 0)
		delete(t.threads, pid)
		t.letGo()
		return nil, ErrOldKernel
	}
	go t.wait(first)
	return t, nil
}

// letGo undoes half a seizing: a thread must stop before it can be let go.
func (t *Tracer) letGo() {
	for id := range t.threads {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(id, &status, syscall.WALL, nil); err == nil && status.Stopped() {
			ptrace(unix.PTRACE_DETACH, id, 0, 0)
		}
	}
}

func threadsOf(pid int) []int {
	entries, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if len(entries) == 0 || !proc.IsOurs() {
		return []int{pid}
	}
	ids := make([]int, len(entries))
	for i, entry := range entries {
		ids[i], _ = strconv.Atoi(entry.Name())
	}
	return ids
}

// Root is the process that was seized.
func (t *Tracer) Root() *Process { return t.root }

// wait collects the stops. It is a goroutine of its own, for whoever uses the
// tracer has more to wait for; a process's stops can be collected by any of its
// threads. It ends with the last traced thread. The first stop Seize has seen.
func (t *Tracer) wait(first stop) {
	defer close(t.stops)
	t.stops <- first
	for {
		var status syscall.WaitStatus
		id, err := syscall.Wait4(-1, &status, syscall.WALL, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return
		}
		t.stops <- stop{id, status}
	}
}

// Stops delivers raw stops, each of which Event makes an event of. It is closed
// when nothing is traced anymore.
func (t *Tracer) Stops() <-chan stop { return t.stops }

func (t *Tracer) add(id int, p *Process) *Thread {
	thread := &Thread{ID: id, Process: p}
	t.threads[id] = thread
	p.Threads = append(p.Threads, thread)
	return thread
}

// Event says what a stop means. Its second result is false for a stop that is
// the tracer's own affair, and taken care of.
func (t *Tracer) Event(s stop) (Event, bool) {
	thread := t.threads[s.thread]
	switch {
	case s.status.Exited() || s.status.Signaled():
		return t.ended(thread)
	case thread == nil || thread.early:
		t.stranger(s)
		return Event{}, false
	}
	if thread.Process.leaves {
		t.leave(thread, s.status)
		return Event{}, false
	}
	thread.held = true
	sig := s.status.StopSignal()
	event := int(s.status) >> 16
	switch {
	case sig == unix.SIGTRAP|0x80:
		return t.systemCall(thread)
	case isBirth(s.status):
		return t.born(thread)
	case event == unix.PTRACE_EVENT_EXEC:
		return t.execed(thread)
	case event == unix.PTRACE_EVENT_EXIT:
		if thread.ID == thread.Process.ID {
			return Event{Kind: Ending, Thread: thread}, true
		}
		return t.goOn(thread)
	case event == unix.PTRACE_EVENT_STOP && sig != unix.SIGTRAP:
		thread.stopped = true
		return Event{Kind: Stopped, Thread: thread, Signal: sig}, true
	case event == unix.PTRACE_EVENT_STOP:
		if thread.stopped {
			thread.stopped = false
			return Event{Kind: Resumed, Thread: thread}, true
		}
		return t.goOn(thread)
	case event != 0:
		return t.goOn(thread)
	}
	thread.signal = sig
	return Event{Kind: Signal, Thread: thread, Signal: sig}, true
}

// stranger is a stop of a thread that is not known yet: its first one can come
// before the event of the clone that made it, and it waits for that. Who is killed
// then has no such event anymore, and ends.
func (t *Tracer) stranger(s stop) {
	if int(s.status)>>16 == unix.PTRACE_EVENT_EXIT {
		ptrace(unix.PTRACE_CONT, s.thread, 0, 0)
		return
	}
	t.threads[s.thread] = &Thread{ID: s.thread, early: true}
}

func (t *Tracer) goOn(thread *Thread) (Event, bool) {
	t.Continue(thread)
	return Event{}, false
}

func (t *Tracer) ended(thread *Thread) (Event, bool) {
	if thread == nil {
		return Event{}, false
	}
	delete(t.threads, thread.ID)
	if thread.early {
		return Event{}, false
	}
	thread.held = false
	p := thread.Process
	p.Threads = slices.DeleteFunc(p.Threads, func(other *Thread) bool { return other == thread })
	if p.leaves {
		t.detachHeld(p)
		return Event{}, false
	}
	return Event{Kind: Ended, Thread: thread}, true
}

// systemCall is a stop at the entry or the exit of a call.
func (t *Tracer) systemCall(thread *Thread) (Event, bool) {
	info, err := getSyscallInfo(thread.ID)
	if err != nil {
		return t.goOn(thread) // it is gone
	}
	switch info.Op {
	case infoEntry:
		thread.pointer = info.Pointer
		number := info.Number
		if call := thread.call; call != nil && thread.restarts {
			if number == call.Number && info.Args == call.Values || number == unix.SYS_RESTART_SYSCALL {
				thread.restarts, thread.handles = false, false
				if thread.skip == skipAgain {
					thread.skip = skipNot
					return Event{Kind: Entry, Thread: thread, Call: call}, true
				}
				return t.goOn(thread) // the same call, once more
			}
			if thread.handles {
				thread.handles = number != unix.SYS_RT_SIGRETURN
				thread.nested = true
				return t.goOn(thread)
			}
			// The handler has returned, and the call with EINTR.
			thread.restarts, thread.call = false, nil
			call.Result = -int64(unix.EINTR)
			t.ready = append(t.ready, Event{Kind: Entry, Thread: thread, Call: t.begin(thread, info)})
			return Event{Kind: Exit, Thread: thread, Call: call}, true
		}
		return Event{Kind: Entry, Thread: thread, Call: t.begin(thread, info)}, true
	case infoExit:
		return t.answered(thread, info)
	}
	return t.goOn(thread)
}

func (t *Tracer) begin(thread *Thread, info syscallInfo) *Call {
	thread.call = &Call{Number: info.Number, Values: info.Args, process: thread.Process}
	return thread.call
}

func (t *Tracer) answered(thread *Thread, info syscallInfo) (Event, bool) {
	call := thread.call
	if call == nil || thread.nested {
		thread.nested = false
		return t.goOn(thread) // it was in this call when it was seized
	}
	result := int64(info.Number)
	switch thread.skip {
	case skipFail:
		result, thread.skip = thread.inject, skipNot
		setResult(thread.ID, result)
	case skipAgain:
		setAgain(thread.ID, call.Number)
		thread.restarts = true
		return t.goOn(thread)
	}
	switch -result {
	case errRestartSys, errRestartNoIntr, errRestartNoHand, errRestartRestart:
		thread.restarts = true
		return t.goOn(thread)
	}
	call.Result, thread.call = result, nil
	return Event{Kind: Exit, Thread: thread, Call: call}, true
}

// born is a thread that has made another thread, or a process.
func (t *Tracer) born(thread *Thread) (Event, bool) {
	id := eventMessage(thread.ID)
	early := t.threads[id]
	if early != nil && !early.early {
		return t.goOn(thread)
	}
	sameProcess := thread.call != nil && thread.call.makesThread()
	p := thread.Process
	if !sameProcess {
		p = &Process{ID: id, Parent: thread.Process}
	}
	child := t.add(id, p)
	child.held = early != nil
	if sameProcess {
		t.Continue(child)
		return t.goOn(thread)
	}
	return Event{Kind: Born, Thread: thread, Call: thread.call, Child: p}, true
}

// execed is a process that has become another program: its other threads are
// gone, and the one that made the call has the first one's id.
func (t *Tracer) execed(thread *Thread) (Event, bool) {
	p := thread.Process
	former := t.threads[eventMessage(thread.ID)]
	if former == nil {
		former = thread
	}
	call := former.call
	for _, other := range p.Threads {
		if other != thread {
			delete(t.threads, other.ID)
		}
	}
	thread.Note, thread.call, thread.restarts = former.Note, nil, false
	p.Threads = []*Thread{thread}
	if call != nil {
		call.Result = 0
	}
	return Event{Kind: Execed, Thread: thread, Call: call}, true
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
	thread.handles = thread.handles || thread.restarts && sig != 0
	ptrace(unix.PTRACE_SYSCALL, thread.ID, 0, uintptr(sig))
}

// ContinueBorn lets the new process of Born go on.
func (t *Tracer) ContinueBorn(p *Process) {
	for _, thread := range p.Threads {
		t.Continue(thread)
	}
}

// Fail makes the call at whose entry the thread is stopped not be made, and
// answers with errno in the kernel's place. Then comes Continue.
func (t *Tracer) Fail(thread *Thread, errno syscall.Errno) {
	if skipCall(thread.ID) == nil {
		thread.skip, thread.inject = skipFail, -int64(errno)
	}
}

// Again makes the call at whose entry the thread is stopped begin once more:
// what the thread has to do first (stop, as Ctrl-Z asks) it does in between.
// Then comes Continue, and later a second Entry of the same call.
func (t *Tracer) Again(thread *Thread) {
	if skipCall(thread.ID) == nil {
		thread.skip = skipAgain
	}
}

// Held reports whether the thread is stopped and waits for Continue.
func (t *Thread) Held() bool { return t.held }

// Detach lets go of a process. Its threads that run are stopped for that, for a
// moment; one that waits for Continue goes on when all others are let go.
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
	for _, thread := range p.Threads {
		t.detach(thread)
	}
	p.Threads = nil
}

func (t *Tracer) detach(thread *Thread) {
	ptrace(unix.PTRACE_DETACH, thread.ID, 0, uintptr(thread.signal))
	delete(t.threads, thread.ID)
}

// leave is a stop of a thread whose process is being let go.
func (t *Tracer) leave(thread *Thread, status syscall.WaitStatus) {
	p := thread.Process
	if sig, event := status.StopSignal(), int(status)>>16; event == 0 && sig != unix.SIGTRAP|0x80 {
		thread.signal = sig
	}
	if id := eventMessage(thread.ID); isBirth(status) && t.threads[id] == nil {
		t.add(id, p) // its first stop will be its last
	}
	t.detach(thread)
	p.Threads = slices.DeleteFunc(p.Threads, func(other *Thread) bool { return other == thread })
	t.detachHeld(p)
}

func isBirth(status syscall.WaitStatus) bool {
	event := int(status) >> 16
	return event == unix.PTRACE_EVENT_CLONE || event == unix.PTRACE_EVENT_FORK || event == unix.PTRACE_EVENT_VFORK
}
