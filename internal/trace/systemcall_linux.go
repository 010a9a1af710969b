package trace

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// errRestart… are what the kernel answers itself when a signal interrupts a call
// that it will start again, see signal(7). No program ever sees them.
const (
	errRestartSys     = 512
	errRestartNoIntr  = 513
	errRestartNoHand  = 514
	errRestartRestart = 516
)

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
