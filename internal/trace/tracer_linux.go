package trace

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
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

// Stop is what wait4 says of one thread.
type Stop = stop

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
// is somebody else's; ESRCH when it is gone. It is ErrOldKernel before Linux 5.3.
func Seize(pid int) (*Tracer, error) {
	t := &Tracer{threads: map[int]*Thread{}, stops: make(chan stop, 1), root: &Process{ID: pid}}
	left := map[int]bool{} // what we need not look at again
	for more := true; more; {
		more = false
		for _, id := range threadsOf(pid) {
			if left[id] || t.threads[id] != nil {
				continue
			}
			err := ptrace(unix.PTRACE_SEIZE, id, 0, options)
			if err != nil && (err == unix.ESRCH && id != pid || isOver(pid, id)) {
				left[id] = true // it has just ended, or a seized one has just made it
				continue
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
	for id := range t.threads {
		if !canAsk(id) {
			t.letGo()
			return nil, ErrOldKernel
		}
	}
	if len(t.threads) == 0 {
		return nil, fmt.Errorf("ptrace(PTRACE_SEIZE, %d): %w", pid, unix.ESRCH)
	}
	return t, nil
}

// canAsk reports whether this kernel has PTRACE_GET_SYSCALL_INFO, and no filter
// refuses it. Of a thread that runs, as most do here, an older kernel does not say
// that it lacks that: then its number does.
func canAsk(thread int) bool {
	if _, err := getSyscallInfo(thread); err != unix.ESRCH {
		return err == nil
	}
	var name unix.Utsname
	var major, minor int
	unix.Uname(&name)
	n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor)
	return n < 2 || major > 5 || major == 5 && minor >= 3
}

// isOver reports whether a thread that cannot be seized need not be: it has ended
// and only its entry is left, or it is traced by us since it was made. Where /proc
// does not say so, that is taken for granted of all threads but the first.
func isOver(pid, thread int) bool {
	if !proc.IsOurs() {
		return thread != pid
	}
	status := proc.Read(fmt.Sprintf("/proc/%d/task/%d/status", pid, thread))
	state, tracer := proc.Field(status, "State"), proc.Field(status, "TracerPid")
	over := state == "" || strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
	return over || tracer == strconv.Itoa(unix.Gettid())
}

// letGo undoes half a seizing: a thread must stop before it can be let go.
func (t *Tracer) letGo() {
	const ourThread = 0x20000000 // __WNOTHREAD: what this thread traces, and nobody else's children
	t.Detach(t.root)
	for len(t.threads) > 0 {
		var status syscall.WaitStatus
		id, err := syscall.Wait4(-1, &status, syscall.WALL|ourThread, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return
		}
		t.Event(stop{id, status})
	}
}

func threadsOf(pid int) []int {
	entries, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if len(entries) == 0 || !proc.IsOurs() {
		return probedThreads(pid)
	}
	ids := make([]int, len(entries))
	for i, entry := range entries {
		ids[i], _ = strconv.Atoi(entry.Name())
	}
	return ids
}

// probedThreads is threadsOf where /proc has another PID namespace's numbers: of each
// number that may be a thread of the process, tgkill(2) says whether it is, see
// processOf. The process itself is one, in any case.
func probedThreads(pid int) (ids []int) {
	const later = 1000 // so many numbers may have been given since ours
	first, last := pid, unix.Gettid()
	if last < first { // they have begun anew
		first, last = 1, first
	}
	for id := first; id < last+later; id++ {
		if id == pid || unix.Tgkill(pid, id, 0) != unix.ESRCH {
			ids = append(ids, id)
		}
	}
	return ids
}

// Root is the process that was seized.
func (t *Tracer) Root() *Process { return t.root }

// Wait waits for the next stop, of which Event makes an event. It reports false
// when nothing is traced anymore.
func (t *Tracer) Wait() (stop, bool) {
	if t.pending {
		s, ok := <-t.stops
		return s, ok
	}
	s, ok := waitForStop()
	if !ok && t.requests != nil {
		close(t.requests)
		t.requests = nil
	}
	return s, ok
}

// Stops is Wait for whoever has more to wait for: the channel delivers one stop,
// and is closed when nothing is traced anymore. Each stop needs a new call. It
// costs more than Wait, since another thread waits.
func (t *Tracer) Stops() <-chan stop {
	if t.requests == nil {
		t.requests = make(chan struct{}, 1)
		go t.collect(t.requests)
	}
	if !t.pending {
		t.pending = true
		t.requests <- struct{}{}
	}
	return t.stops
}

// collect waits for one stop for each request. A process's stops can be collected
// by any of its threads.
func (t *Tracer) collect(requests <-chan struct{}) {
	defer close(t.stops)
	for range requests {
		s, ok := waitForStop()
		if !ok {
			return
		}
		t.stops <- s
	}
}

func waitForStop() (stop, bool) {
	for {
		var status syscall.WaitStatus
		id, err := syscall.Wait4(-1, &status, syscall.WALL, nil)
		if err != syscall.EINTR {
			return stop{id, status}, err == nil
		}
	}
}

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

func (s stop) ended() bool { return s.status.Exited() || s.status.Signaled() }

// event is the PTRACE_EVENT_… of a stop, 0 for one that is a signal's.
func (s stop) event() int { return int(s.status) >> 16 }

func (s stop) isSystemCall() bool {
	return s.event() == 0 && s.status.StopSignal() == unix.SIGTRAP|0x80
}

func (s stop) isBirth() bool {
	event := s.event()
	return event == unix.PTRACE_EVENT_CLONE || event == unix.PTRACE_EVENT_FORK || event == unix.PTRACE_EVENT_VFORK
}

// isGroupStop reports whether a signal has stopped the whole process.
func (s stop) isGroupStop() bool {
	return s.event() == unix.PTRACE_EVENT_STOP && s.status.StopSignal() != unix.SIGTRAP
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

// systemCall is a stop at the entry or the exit of a call.
func (t *Tracer) systemCall(thread *Thread) (Event, bool) {
	info, err := getSyscallInfo(thread.ID)
	if err != nil {
		return t.goOn(thread) // it is gone
	}
	switch info.Op {
	case infoEntry:
		return t.asked(thread, info)
	case infoExit:
		return t.answered(thread, info)
	}
	return t.goOn(thread)
}

func (t *Tracer) asked(thread *Thread, info syscallInfo) (Event, bool) {
	thread.pointer = info.Pointer
	call := thread.resumed(info)
	if call != nil && call.skip == skipNot {
		thread.call = call
		return t.goOn(thread) // the same call, once more
	}
	if call == nil {
		call = &Call{Number: info.Number, Values: info.Args, thread: thread,
			arch: info.Arch, pointer: info.Pointer, stack: info.Stack}
	}
	call.skip = skipNot
	thread.call, thread.asks = call, true
	return Event{Kind: Entry, Thread: thread, Call: call}, true
}

// resumed returns the call that the kernel makes once more after a signal, nil
// when this is a new one. The calls of a signal's handler are new ones: they are
// made from elsewhere on the stack. A handler that never returns (longjmp) leaves
// its call behind, without an answer.
func (t *Thread) resumed(info syscallInfo) *Call {
	for i := len(t.interrupted) - 1; i >= 0; i-- {
		call := t.interrupted[i]
		if info.Arch != call.arch || info.Pointer != call.pointer || info.Stack != call.stack {
			continue
		}
		same := info.Number == call.Number && info.Args == call.Values
		if same || isRestart(info.Arch, info.Number) && i == len(t.interrupted)-1 {
			t.interrupted = t.interrupted[:i]
			return call
		}
	}
	return nil
}

// deepest bounds how many interrupted calls of a thread are remembered.
const deepest = 16

func (t *Thread) interrupt(call *Call) {
	if len(t.interrupted) == deepest {
		t.interrupted = t.interrupted[1:]
	}
	t.interrupted = append(t.interrupted, call)
}

func (t *Tracer) answered(thread *Thread, info syscallInfo) (Event, bool) {
	call, result := thread.call, int64(info.Number)
	thread.call = nil
	if call == nil {
		return t.goOn(thread) // it was in this call when it was seized
	}
	if call.skip == skipAgain {
		t.again(thread, call)
		return t.goOn(thread)
	}
	if call.skip == skipNot {
		switch -result {
		case errRestartSys, errRestartNoIntr, errRestartNoHand, errRestartRestart:
			thread.interrupt(call)
			return t.goOn(thread)
		}
		if isSigreturn(call.arch, call.Number) {
			if call = thread.returned(info); call == nil {
				return t.goOn(thread)
			}
		}
	}
	call.Result = result
	return Event{Kind: Exit, Thread: thread, Call: call}, true
}

// again is the exit of a call that is to begin once more. Whatever it was that
// made the thread wait may be over: PTRACE_INTERRUPT makes sure that the kernel
// looks for signals now, and begins the call again afterwards.
func (t *Tracer) again(thread *Thread, call *Call) {
	if setAgain(thread.ID, call.Number) == nil {
		ptrace(unix.PTRACE_INTERRUPT, thread.ID, 0, 0)
		thread.interrupt(call)
	}
}

// returned is the exit of rt_sigreturn(2), by which a handler ends. It returns the
// interrupted call whose caller goes on now, with EINTR for an answer; nil when
// there is none, or when the kernel makes it once more: then the instruction
// pointer stands before the call.
func (t *Thread) returned(info syscallInfo) *Call {
	for i := len(t.interrupted) - 1; i >= 0; i-- {
		call := t.interrupted[i]
		if info.Pointer == call.pointer && info.Stack == call.stack && int64(info.Number) == -int64(unix.EINTR) {
			t.interrupted = t.interrupted[:i]
			return call
		}
	}
	return nil
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

// errNoEntry is the error of Fail and Again.
var errNoEntry = errors.New("the thread is not stopped at the entry of a call")

// Fail makes the call at whose entry the thread is stopped not be made, and
// answers with errno in the kernel's place. Then comes Continue. A program whose
// system call filter kills it for a call that does not exist is killed for this
// one, too: the kernel sees the number -1, see seccomp(2).
func (t *Tracer) Fail(thread *Thread, errno syscall.Errno) error {
	return t.skip(thread, skipFail, -int64(errno))
}

// Again makes the call at whose entry the thread is stopped begin once more:
// what the thread has to do first (stop, as Ctrl-Z asks) it does in between.
// Then comes Continue, and later a second Entry of the same call.
func (t *Tracer) Again(thread *Thread) error {
	return t.skip(thread, skipAgain, -int64(unix.EINTR))
}

func (t *Tracer) skip(thread *Thread, how skip, result int64) error {
	if !thread.held || !thread.asks {
		return errNoEntry
	}
	if err := skipCall(thread.ID, result); err != nil {
		return err
	}
	thread.call.skip = how
	return nil
}

// Held reports whether the thread is stopped and waits for Continue.
func (t *Thread) Held() bool { return t.held }

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
