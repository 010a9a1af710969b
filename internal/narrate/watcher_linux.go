package narrate

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// watcher narrates one run of a program.
type watcher struct {
	tracer *trace.Tracer
	brief
	programs programs
	print    *printer
	pause    *pause

	host      *trace.Process
	container *trace.Process
	pidInside int  // the container's pid, as it sees itself
	starter   view // what the kernel said of the host's side

	quit  *told            // a call of the container's side that q keeps from being made
	quits <-chan time.Time // until then

	typed  chan os.Signal // Ctrl-C, Ctrl-Z: they reach us while we read keys
	queue  []*told        // calls that wait for the one that -pause waits before
	spoken *told          // the call whose lines were written last
	began  bool           // the container has become the command, or has started it
	hands  bool           // the execve of a whole program's command is made: the terminal is the command's from here on

	commands map[*trace.Process][]string // what the container's side has become or started, with its pids

	interrupted *told // a signal has ended the call, which Go makes again: it is told once

	borrower *trace.Process // a new process that has its maker's memory until its execve
	late     []trace.Event  // what its maker does meanwhile: that comes after the execve
	stops    bool           // Ctrl-Z is to stop it, after its execve
	passed   bool           // meanwhile Ctrl-Z has been passed to the host's side

	chapters map[Side]string // the last one that was told of each side
	headings map[Side]string // and the last one that stands over its calls
	fold     fold
	requests []request
	known    map[*trace.Process]bool // who has made a call that was told
	unseen   bool                    // somebody was let go who is not the command

	holding *trace.Thread // the container's side, until the host's waits
	asleep  []string      // what the host's threads looked like
	since   time.Time     // when the holding began
	used    time.Duration // the processor time that the host's side had had by then
	halted  bool          // Ctrl-Z has stopped the host's side
}

// told is a call that is narrated.
type told struct {
	thread   *trace.Thread
	call     *trace.Call
	speaker  speaker
	entry    entry
	reason   reason
	chapter  string
	behind   string // what a path through /proc/self/fd leads to, in words
	missing  bool   // an execve of a file that is not there
	hidden   bool   // a step that only carries the story on: the text leaves it out, if it works
	folded   bool   // told in one block with the calls before it
	traces   bool   // it is a ptrace, which only one tracer can make
	receives bool   // it may bring the answer to a netlink message
	byGo     bool   // made by Go's way to start a program
	command  bool   // the execve that makes the container the command
	born     bool   // its answer has been told: a clone has made its process
	waits    bool   // it waits for the container
	late     string // the call, if it is told with its answer
}

// become makes this process the narrator of the one that started it.
func become(source string) {
	// All requests of ptrace(2) must come from one thread.
	runtime.LockOSThread()
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU, unix.SIGHUP, unix.SIGPIPE)
	unix.CloseOnExec(leaveFD)
	b, err := receiveBrief(leaveFD)
	if err != nil {
		return
	}
	w := &watcher{brief: b, programs: newPrograms(source), commands: map[*trace.Process][]string{},
		chapters: map[Side]string{}, headings: map[Side]string{}, known: map[*trace.Process]bool{}}
	// Not os.Getppid: that is another process's as soon as the program has ended.
	program, err := unix.GetsockoptUcred(leaveFD, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return
	}
	host := int(program.Pid)
	tracer, err := trace.Seize(host)
	if err != nil {
		unix.Write(leaveFD, []byte(whyNot(host, err)))
		return
	}
	w.tracer, w.host = tracer, tracer.Root()
	w.typed = make(chan os.Signal, 8)
	signal.Notify(w.typed, unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP)
	if proc.IsOurs() {
		w.starter = look(host)
	} else if !w.Lesson {
		unix.Write(leaveFD, []byte("this /proc shows another PID namespace, so that nothing can be learned of the processes here"))
		return
	}
	if _, err := unix.Write(leaveFD, []byte{seized}); err != nil {
		return // it has waited for too long, and has said that nobody watches
	}
	unix.Close(leaveFD)
	to := newOutput(narrateFD)
	colors(to.colored(b.Settings))
	w.print = &printer{out: to, short: b.Settings.Short, label: labelWidth}
	if !w.Lesson {
		w.print.label = narrowLabel
	}
	group, _ := unix.Getpgid(host)
	w.pause = newPause(b.Settings.Pause, group, w.print)
	w.pause.processes = w.processes
	if !w.Lesson {
		w.pause.prompts = wholePrompts
	}
	w.loop()
}

// whyNot says why a process cannot be traced.
func whyNot(pid int, err error) string {
	tracer := proc.StatusField(strconv.Itoa(pid), "TracerPid")
	scope := proc.Read("/proc/sys/kernel/yama/ptrace_scope")
	switch {
	case tracer != "" && tracer != "0":
		return fmt.Sprintf("process %s (%s) traces this program already", tracer, trace.Quote(proc.Read("/proc/"+tracer+"/comm")))
	case errors.Is(err, unix.EPERM) && (scope == "2" || scope == "3"):
		return fmt.Sprintf("/proc/sys/kernel/yama/ptrace_scope is %s, which forbids tracing", scope)
	case errors.Is(err, trace.ErrOldKernel):
		return err.Error()
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS):
		return fmt.Sprintf("%v (a system call filter around us, as in a container without --privileged?)", err)
	}
	return err.Error()
}

// loop handles one event after the other, until the host's side has ended.
func (w *watcher) loop() {
	var look, again <-chan time.Time // they go on over many stops
	for {
		if w.holding != nil && look == nil {
			look = time.After(time.Millisecond)
		}
		if w.pause.waitsFor != nil && w.pause.modes == nil && again == nil { // others have the terminal
			again = time.After(50 * time.Millisecond)
		}
		if w.holding == nil && w.pause.waitsFor == nil && w.quit == nil { // nothing else to wait for
			look, again = nil, nil
			if !w.stop(w.tracer.Wait()) {
				return
			}
			continue
		}
		select {
		case stop, ok := <-w.tracer.Stops():
			if !w.stop(stop, ok) {
				return
			}
		case key := <-w.pause.keys:
			w.pressed(key)
		case reading := <-w.pause.lost:
			w.pause.loses(reading)
		case <-again:
			again = nil
			w.pause.again()
		case <-w.quits:
			w.make(w.quit)
			w.quit, w.quits = nil, nil
		case sig := <-w.typed:
			w.pass(sig.(syscall.Signal))
		case <-look:
			look = nil
			w.lookAsleep()
			w.pause.again()
		}
	}
}

// stop handles a stop of a thread. It reports false when all has been told.
func (w *watcher) stop(stop trace.Stop, ok bool) bool {
	if !ok {
		w.end()
		return false
	}
	w.asleep = nil
	if event, ok := w.tracer.Event(stop); ok && !w.handle(event) {
		return false
	}
	for event, ok := w.tracer.Next(); ok; event, ok = w.tracer.Next() {
		if !w.handle(event) {
			return false
		}
	}
	return true
}

// handle narrates an event and lets its thread go on. It reports false when the
// host's side has ended: what lives on is let go when we end, too.
func (w *watcher) handle(e trace.Event) bool {
	switch e.Kind {
	case trace.Entry:
		w.entry(e)
	case trace.Exit:
		w.exit(e)
	case trace.Born:
		w.born(e)
	case trace.Execed:
		w.execed(e)
	case trace.Signal:
		switch e.Signal {
		case unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP:
			if e.Thread.Process == w.host {
				w.goOnWithoutPause()
			}
		case unix.SIGTSTP:
			if e.Thread.Process == w.host {
				w.pause.stops()
			} else {
				w.stopTyped(e)
			}
		}
		w.tracer.Continue(e.Thread)
	case trace.Stopped:
		w.stopped(e)
	case trace.Resumed:
		if e.Thread.Process == w.host {
			w.halted = false
			w.beginPatience()
		}
		w.pause.resumes()
		w.tracer.Continue(e.Thread)
	case trace.Ending:
		if e.Thread.Process == w.host && !w.watchesOn() {
			w.end()
		}
		w.returned(e.Thread.Process)
		w.tracer.Continue(e.Thread)
	case trace.Ended:
		w.forget(e.Thread)
		if len(e.Thread.Process.Threads) == 0 {
			w.returned(e.Thread.Process) // killed, and never Ending
		}
	}
	if len(w.host.Threads) > 0 || w.watchesOn() {
		return true
	}
	w.end()
	return false
}

// end writes what is not written yet. The program waits for that in its last
// stop, but not for a reader that stands still.
func (w *watcher) end() {
	w.notAgain()
	w.unfold()
	w.noCommand()
	w.pause.leave()
	w.print.end()
}

// noted is what entry has noted of the call that an event is about, nil for nothing.
func noted(e trace.Event) *told {
	if e.Call == nil {
		return nil
	}
	t, _ := e.Call.Note.(*told)
	return t
}

// entry is a call that a thread is about to make.
func (w *watcher) entry(e trace.Event) {
	if t := noted(e); t != nil {
		w.wait(t) // Ctrl-Z has stopped it while it waited for a key
		return
	}
	if w.takeSource(e.Thread, e.Call) {
		w.tracer.Continue(e.Thread)
		return
	}
	if w.receives(e.Thread, e.Call) {
		e.Call.Read()
		e.Call.Note = &told{thread: e.Thread, call: e.Call, receives: true}
		w.tracer.Continue(e.Thread)
		return
	}
	if w.cannotTell(e.Thread, e.Call) {
		w.tracer.Continue(e.Thread)
		return
	}
	if !mayBeTold(e.Call, w.Lesson) {
		w.tracer.Continue(e.Thread)
		return
	}
	if w.borrower != nil && e.Thread.Process == w.borrower.Parent {
		// Its clone has returned, so the execve has been made, and we hear of that next.
		w.late = append(w.late, e)
		return
	}
	e.Call.Read()
	if t := w.interrupted; t != nil && t.thread.Process == e.Thread.Process && t.call.Text() == e.Call.Text() {
		w.interrupted = nil
		t.thread, t.call, e.Call.Note = e.Thread, e.Call, t
		w.tracer.Continue(e.Thread)
		return
	}
	frames := w.programs.frames(e.Thread)
	t := &told{thread: e.Thread, call: e.Call, byGo: forks(frames)}
	if !isTold(e.Call, e.Thread, w.Lesson) || isOwnOfGo(e.Call.Name(), frames) || !w.belongs(t, frames) {
		w.tracer.Continue(e.Thread)
		return
	}
	w.notAgain()
	w.cast(t)
	e.Call.Note = t
	if w.pause.waitsFor != nil {
		w.queue = append(w.queue, t)
		return
	}
	w.announce(t)
}

// cast finds out who makes a call, and what it means.
func (w *watcher) cast(t *told) {
	again := false
	switch {
	case w.Lesson:
		t.speaker = w.speaker(t.thread.Process, t.reason)
		if t.isExecve() {
			again = isProgram(t.thread, t.call.Path)
			t.command = !again && t.speaker.side == Container
		}
	default:
		t.speaker = w.speakerOf(t.thread, t.reason)
		if t.isExecve() {
			again, t.command = w.executes(t)
		}
		w.known[t.thread.Process] = true
	}
	t.waits = t.call.Waits() && t.speaker.side == Host
	if !w.Lesson {
		t.resolve()
	}
	if t.entry = lookUp(t.call, again, w.Lesson); t.missing {
		t.entry = lookUpMissing(t.call.Path)
	}
	if t.reason.why == "" {
		t.reason.why = t.entry.why
	}
	if !w.Lesson {
		w.place(t)
		t.hidden = !w.JSON() && w.isHelpers(t)
	}
}

// announce says why a call is made and what the kernel is asked, before it is.
// The board stands before the command.
func (w *watcher) announce(t *told) {
	if !w.Lesson && (t.hidden || w.fold.takes(t)) {
		t.folded = !t.hidden
		w.make(t)
		return
	}
	w.unfold()
	if !w.Lesson && t.waits && w.hands && !w.JSON() {
		t.late = shownCall(t.call, t.byGo)
		w.make(t)
		return
	}
	if !w.JSON() {
		w.fold.begin(t)
		w.tell(t)
		if t.command && proc.IsOurs() {
			// The thread's: what it has of its own the process gets with the execve.
			theirs, granted := look(t.thread.ID), ""
			t.file(func(file string) { granted = theirs.granted(file) })
			w.print.board(t.speaker, board(w.starter, theirs, granted))
		}
	}
	w.wait(t)
}

// wait waits for a key, with -pause, and then lets the call be made.
func (w *watcher) wait(t *told) {
	if !w.pause.before(t) {
		w.make(t)
	}
}

// make lets a call be made.
func (w *watcher) make(t *told) {
	if t.command || !w.Lesson && t.isExecve() {
		// Whoever traces without CAP_SYS_PTRACE takes from a set-user-ID program
		// what it would get: it is let go before.
		granted := false
		t.file(func(file string) { granted = grants(file) })
		if granted && !mayTrace() {
			w.remark(t, "The narrator lets go now: traced by an ordinary user, a set-user-ID program would get no rights.")
			if t.command {
				w.letGo(t.thread.Process)
			} else {
				w.unseen = true
				w.tracer.Detach(t.thread.Process)
			}
			return
		}
	}
	if t.command {
		w.pause.leave()
		w.hands = true
	}
	w.tracer.Continue(t.thread)
	if t.waits {
		w.release()
	}
}

// exit is a call that has been answered.
func (w *watcher) exit(e trace.Event) {
	t := noted(e)
	if t != nil && t.receives {
		e.Call.ReadAnswer()
		w.answered(t)
		t = nil
	}
	if t != nil && t.traces {
		w.triedToTrace(t)
		t = nil
	}
	if t != nil && !t.born {
		e.Call.ReadAnswer()
		if e.Call.Errno() == unix.EINTR && w.interrupted == nil {
			w.interrupted = t
		} else {
			w.answer(t, nil)
		}
	}
	w.tracer.Continue(e.Thread)
}

// notAgain tells the answer of a call that a signal has ended, and that was not
// made again.
func (w *watcher) notAgain() {
	if t := w.interrupted; t != nil {
		w.interrupted = nil
		w.answer(t, nil)
	}
}

// born is a clone that has made a process. It is told now: where the new one
// borrows the memory (CLONE_VFORK), the call returns later.
func (w *watcher) born(e trace.Event) {
	t := noted(e)
	if t != nil {
		if w.Lesson && e.Thread.Process == w.host {
			w.container, w.pidInside = e.Child, e.Child.ID
			if e.Call.CloneFlags()&unix.CLONE_NEWPID != 0 {
				w.pidInside = 1
			}
		}
		e.Call.Result = int64(e.Child.ID)
		if !w.Lesson {
			e.Call.Result = numberSeen(e.Thread.Process, e.Child)
		}
		w.answer(t, e.Child)
		t.born = true
		if w.Lesson && e.Call.CloneFlags()&unix.CLONE_VFORK != 0 {
			w.borrower = e.Child
		}
	}
	w.tracer.ContinueBorn(e.Child)
	w.tracer.Continue(e.Thread)
}

// execed is a process that has become another program: the container's side of
// ours is held until the host's waits, the command is let go.
func (w *watcher) execed(e trace.Event) {
	t := noted(e)
	w.programs.forget(e.Thread.Process)
	w.pause.hurry = false
	if t != nil {
		w.answer(t, nil)
	}
	p := e.Thread.Process
	switch {
	case !w.Lesson && t != nil && t.command:
		w.letGo(p)
	case !w.Lesson || p == w.host:
		w.tracer.Continue(e.Thread)
	case !w.runsProgram(p, t):
		w.letGo(p)
	case p == w.container && w.holding == nil && !w.began:
		w.holding = e.Thread
		w.beginPatience()
	default:
		w.tracer.Continue(e.Thread)
	}
	if w.borrower == p && w.stops && w.holding != e.Thread {
		unix.Kill(p.ID, unix.SIGTSTP)
	}
	w.returned(p)
}

// forget is a thread that has ended, perhaps in the middle of a call.
func (w *watcher) forget(thread *trace.Thread) {
	if w.holding == thread {
		w.holding = nil
	}
	if w.quit != nil && w.quit.thread == thread {
		w.quit, w.quits = nil, nil
	}
	for i, t := range w.queue {
		if t.thread == thread {
			w.queue = append(w.queue[:i], w.queue[i+1:]...)
			break
		}
	}
	if w.pause.waitsFor != nil && w.pause.waitsFor.thread == thread {
		w.pause.done()
		w.next()
	}
}
