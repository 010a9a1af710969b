package trace

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Stop is what wait4 says of one thread.
type Stop = stop

type stop struct {
	thread int
	status syscall.WaitStatus
}

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
