package narrate

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// The holding of the container's side ends, whatever the host's does, when that has had
// so much processor time meanwhile, and not slept; or after so long a time, which must be
// longer: a busy machine lets the host's side run late.
const (
	holdWork     = 2 * time.Second
	holdPatience = 10 * time.Second
)

func (w *watcher) beginPatience() { w.since, w.used = time.Now(), proc.Used(w.host.ID) }

func (w *watcher) patienceEnds() bool {
	if !proc.IsOurs() {
		return time.Since(w.since) > holdWork
	}
	return proc.Used(w.host.ID)-w.used > holdWork || time.Since(w.since) > holdPatience
}

// lookAsleep lets the container's side go on when the host's side does nothing
// anymore: all its threads sleep, and have done so since the last look. While Ctrl-Z
// has stopped the host's side, it stays held.
func (w *watcher) lookAsleep() {
	if w.holding == nil || w.halted && len(w.host.Threads) > 0 {
		return
	}
	var now []string
	for _, thread := range w.host.Threads {
		if !proc.IsOurs() {
			break // /proc/PID is a stranger
		}
		status := proc.Read(fmt.Sprintf("/proc/%d/task/%d/status", w.host.ID, thread.ID))
		if !strings.HasPrefix(proc.Field(status, "State"), "S") {
			now = nil
			break
		}
		now = append(now, proc.Field(status, "voluntary_ctxt_switches")+" "+proc.Field(status, "nonvoluntary_ctxt_switches"))
	}
	same := now != nil && strings.Join(now, ",") == strings.Join(w.asleep, ",")
	w.asleep = now
	if same || len(w.host.Threads) == 0 || w.pause.waitsFor == nil && w.patienceEnds() {
		w.release()
	}
}

// release lets the container's side go on.
func (w *watcher) release() {
	if thread := w.holding; thread != nil {
		w.holding = nil
		w.tracer.Continue(thread)
	}
}

// returned handles what the maker of a process did before we heard that it got
// its memory back.
func (w *watcher) returned(p *trace.Process) {
	if w.borrower != p {
		return
	}
	late := w.late
	w.borrower, w.late, w.stops, w.passed = nil, nil, false, false
	for _, e := range late {
		w.entry(e)
	}
}

func (w *watcher) letGo(p *trace.Process) {
	if !w.Lesson || w.isContainer(p) {
		w.began, w.print.foreign = true, true
		w.commands[p] = pidsOf(p)
	}
	w.tracer.Detach(p)
}

// mayTrace reports whether we have CAP_SYS_PTRACE.
func mayTrace() bool {
	sets, err := capabilities(proc.Read("/proc/self/status"))
	return err == nil && sets.effective&(1<<unix.CAP_SYS_PTRACE) != 0
}
