package narrate

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// watcher narrates one run of a program.
type watcher struct {
	tracer   *trace.Tracer
	settings Settings
	manual   Manual
	asRoot   string // the line to type as root
	program  *program
	print    *printer
	pause    *pause

	host      *trace.Process
	container *trace.Process
	pidInside int  // the container's pid, as it sees itself
	starter   view // what the kernel said of the host's side

	typed  chan os.Signal // Ctrl-C, Ctrl-Z: they reach us while we read keys
	queue  []*told        // calls that wait for the one that -pause waits before
	spoken *told          // the call whose lines were written last
	began  bool           // the container has become the command

	holding *trace.Thread // the container's side, until the host's waits
	asleep  []string      // what the host's threads looked like
	since   time.Time     // when the holding began
}

// told is a call that is narrated.
type told struct {
	thread  *trace.Thread
	call    *trace.Call
	speaker speaker
	reason  reason
	byGo    bool // made by Go's way to start a program
	command bool // the execve that makes the container the command
	born    bool // its answer has been told: a clone has made its process
	waits   bool // it waits for the container
}

// processes are the program's processes.
func (w *watcher) processes() []int {
	ids := []int{w.host.ID}
	if w.container != nil {
		ids = append(ids, w.container.ID)
	}
	return ids
}

// borrows reports whether the call is made by a new process that still has its
// maker's memory, see CLONE_VFORK in clone(2).
func (t *told) borrows() bool { return t.byGo && t.speaker.side == Container }

// become makes this process the narrator of the one that started it.
func become(source string) {
	// All requests of ptrace(2) must come from one thread.
	runtime.LockOSThread()
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU, unix.SIGHUP, unix.SIGPIPE)
	unix.CloseOnExec(leaveFD)
	args := os.Args[3:]
	settings, _ := typedSettings(args)
	w := &watcher{settings: settings, manual: ParseManual(source), asRoot: os.Args[2] + " " + proc.Words(args), program: newProgram(source)}

	retried(func() (int, error) { return unix.Read(leaveFD, make([]byte, 1)) })
	host := os.Getppid()
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
	}
	to := newOutput(narrateFD)
	colors(to.colored(settings))
	w.print = &printer{out: to, short: settings.Short}
	w.pause = newPause(settings.Pause, w.print)
	w.pause.processes = w.processes
	unix.Write(leaveFD, []byte{seized})
	unix.Close(leaveFD)
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
	for {
		var look <-chan time.Time
		if w.holding != nil {
			look = time.After(time.Millisecond)
		}
		select {
		case stop, ok := <-w.tracer.Stops():
			if !ok {
				w.end()
				return
			}
			w.asleep = nil
			if event, ok := w.tracer.Event(stop); ok && !w.handle(event) {
				return
			}
			for event, ok := w.tracer.Next(); ok; event, ok = w.tracer.Next() {
				if !w.handle(event) {
					return
				}
			}
		case key := <-w.pause.keys:
			w.pressed(key)
		case sig := <-w.typed:
			w.pass(sig.(syscall.Signal))
		case <-look:
			w.lookAsleep()
		}
	}
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
			w.pause.leave()
		}
		w.tracer.Continue(e.Thread)
	case trace.Stopped:
		w.stopped(e)
	case trace.Resumed:
		w.pause.again()
		w.tracer.Continue(e.Thread)
	case trace.Ending:
		if e.Thread.Process == w.host {
			w.end()
		}
		w.tracer.Continue(e.Thread)
	case trace.Ended:
		w.forget(e.Thread)
		return e.Thread != nil && !(e.Thread.Process == w.host && e.Thread.ID == w.host.ID)
	}
	return true
}

// end writes what is not written yet. The program waits for that in its last
// stop, but not for a reader that stands still.
func (w *watcher) end() {
	w.pause.leave()
	w.print.end()
}

// entry is a call that a thread is about to make.
func (w *watcher) entry(e trace.Event) {
	if t, ok := e.Thread.Note.(*told); ok && t != nil && t.call == e.Call {
		w.wait(t) // Ctrl-Z has stopped it while it waited for a key
		return
	}
	e.Thread.Note = nil
	if !mayBeTold(e.Call) {
		w.tracer.Continue(e.Thread)
		return
	}
	e.Call.Read()
	frames := w.program.frames(e.Thread)
	t := &told{thread: e.Thread, call: e.Call, byGo: forks(frames)}
	if !isTold(e.Call) || isOwnOfGo(e.Call.Name(), frames) || !w.belongs(t, frames) {
		w.tracer.Continue(e.Thread)
		return
	}
	t.speaker = w.speaker(e.Thread.Process, t.reason)
	again := false
	switch e.Call.Name() {
	case "execve", "execveat":
		again = w.isProgram(e.Thread.Process, e.Call.Path)
		t.command = !again && t.speaker.side == Container
	}
	t.waits = e.Call.Waits() && t.speaker.side == Host
	if t.reason.why == "" {
		t.reason.why = sentence(e.Call, again)
	}
	e.Thread.Note = t
	if w.pause.waitsFor != nil {
		w.queue = append(w.queue, t)
		return
	}
	w.announce(t)
}

// belongs reports whether a call belongs to the story: the host's side or the
// container's makes it. A process in no new namespaces is the container's side if
// a comment says why it is made, or if it starts this program once more; all
// others are helpers.
func (w *watcher) belongs(t *told, frames []frame) bool {
	p := t.thread.Process
	switch {
	case p == w.host:
		if t.call.Waits() && (w.container == nil || !t.call.WaitsFor(w.container.ID)) {
			return false
		}
		t.reason = w.program.reason(frames)
		return !t.call.MakesProcess() || len(namespaceKinds(t.call.CloneFlags())) > 0 || t.reason.commented
	case !w.isContainer(p):
		if t.call.Name() != "execve" || w.container != nil || p.Parent != w.host || !w.isProgram(p, t.call.Path) {
			return false
		}
		w.container, w.pidInside = p, p.ID
	}
	t.reason = w.program.reason(frames)
	return true
}

// isContainer reports whether p is a process of the container's side.
func (w *watcher) isContainer(p *trace.Process) bool {
	for ; p != nil && p != w.host; p = p.Parent {
		if p == w.container {
			return true
		}
	}
	return false
}

// mayBeTold is a quick look at a call, before anything is read.
func mayBeTold(c *trace.Call) bool {
	switch c.Name() {
	case "":
		return false
	case "prctl":
		return c.Values[0] == unix.PR_SET_PDEATHSIG
	case "clone", "clone3":
		return c.MakesProcess()
	case "unlinkat":
		return c.Values[2]&unix.AT_REMOVEDIR != 0
	case "waitid":
		return c.Values[3]&unix.WNOHANG == 0
	case "wait4":
		return c.Values[2]&unix.WNOHANG == 0
	}
	return true
}

// isTold reports whether a call, now that it is read, belongs to the story: of
// folders and files only cgroups do.
func isTold(c *trace.Call) bool {
	switch c.Name() {
	case "write", "mkdir", "mkdirat", "rmdir", "unlinkat":
		_, ok := treeOf(c.Path)
		return ok
	}
	return true
}

// speaker is who makes a call.
func (w *watcher) speaker(p *trace.Process, r reason) speaker {
	s := speaker{side: Host, pid: p.ID, where: r.String()}
	if p == w.host {
		return s
	}
	s.side = Container
	if !proc.IsOurs() {
		if p == w.container {
			s.pid = w.pidInside
		}
		return s
	}
	pids := strings.Fields(proc.StatusField(strconv.Itoa(p.ID), "NSpid"))
	if len(pids) > 0 {
		s.pid, _ = strconv.Atoi(pids[len(pids)-1])
	}
	return s
}

// isProgram reports whether path, as process sees it, is the program itself.
func (w *watcher) isProgram(p *trace.Process, path string) bool {
	if path == "/proc/self/exe" {
		return true
	}
	return proc.IsOurs() && proc.SameFile("/proc/self/exe", w.outside(p, path))
}

// outside is a path of a process as we can open it.
func (w *watcher) outside(p *trace.Process, path string) string {
	dir := "/proc/" + strconv.Itoa(p.ID)
	if filepath.IsAbs(path) {
		return dir + "/root" + path
	}
	return dir + "/cwd/" + path
}

// announce says why a call is made and what the kernel is asked, before it is.
// The board stands before the command.
func (w *watcher) announce(t *told) {
	if !w.settings.JSON {
		w.tell(t)
		if t.command && proc.IsOurs() {
			w.print.board(t.speaker, board(w.starter, look(t.thread.Process.ID), w.outside(t.thread.Process, t.call.Path)))
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
	if t.command {
		// Whoever traces without CAP_SYS_PTRACE takes from a set-user-ID program
		// what it would get: it is let go before.
		if proc.IsOurs() && grants(w.outside(t.thread.Process, t.call.Path)) && !mayTrace() {
			w.remark(t, "The narrator lets go now: traced by an ordinary user, a set-user-ID program would get no rights.")
			w.letGo(t.thread.Process)
			return
		}
		w.pause.leave()
	}
	w.tracer.Continue(t.thread)
	if t.waits {
		w.release()
	}
}

func (w *watcher) letGo(p *trace.Process) {
	if w.isContainer(p) {
		w.began, w.print.foreign = true, true
	}
	w.tracer.Detach(p)
}

// mayTrace reports whether we have CAP_SYS_PTRACE.
func mayTrace() bool {
	sets, err := capabilities(proc.Read("/proc/self/status"))
	return err == nil && sets.effective&(1<<unix.CAP_SYS_PTRACE) != 0
}

// exit is a call that has been answered.
func (w *watcher) exit(e trace.Event) {
	t, _ := e.Thread.Note.(*told)
	e.Thread.Note = nil
	if t != nil && !t.born {
		e.Call.ReadAnswer()
		w.answer(t, nil)
	}
	w.tracer.Continue(e.Thread)
}

// born is a clone that has made a process. It is told now: where the new one
// borrows the memory (CLONE_VFORK), the call returns later.
func (w *watcher) born(e trace.Event) {
	t, _ := e.Thread.Note.(*told)
	if t != nil && t.call == e.Call {
		if e.Thread.Process == w.host {
			w.container, w.pidInside = e.Child, e.Child.ID
			if e.Call.CloneFlags()&unix.CLONE_NEWPID != 0 {
				w.pidInside = 1
			}
		}
		e.Call.Result = int64(e.Child.ID)
		w.answer(t, e.Child)
		t.born = true
	}
	w.tracer.ContinueBorn(e.Child)
	w.tracer.Continue(e.Thread)
}

// execed is a process that has become another program: the container's side of
// ours is held until the host's waits, the command is let go.
func (w *watcher) execed(e trace.Event) {
	t, _ := e.Thread.Note.(*told)
	e.Thread.Note = nil
	w.program.loaded(e.Thread.Process)
	w.pause.hurry = false
	if t != nil {
		w.answer(t, nil)
	}
	switch p := e.Thread.Process; {
	case p == w.host:
		w.tracer.Continue(e.Thread)
	case !w.runsProgram(p, t):
		w.letGo(p)
	case p == w.container && w.holding == nil && !w.began:
		w.holding, w.since = e.Thread, time.Now()
	default:
		w.tracer.Continue(e.Thread)
	}
}

// runsProgram reports whether a process runs the narrated program.
func (w *watcher) runsProgram(p *trace.Process, t *told) bool {
	if proc.IsOurs() {
		return proc.SameFile("/proc/self/exe", "/proc/"+strconv.Itoa(p.ID)+"/exe")
	}
	return t != nil && !t.command
}

// holdPatience ends the holding of the container's side, whatever the host's does.
const holdPatience = 2 * time.Second

// lookAsleep lets the container's side go on when the host's side does nothing
// anymore: all its threads sleep, and have done so since the last look.
func (w *watcher) lookAsleep() {
	if w.holding == nil {
		return
	}
	var now []string
	for _, thread := range w.host.Threads {
		status := proc.Read(fmt.Sprintf("/proc/%d/task/%d/status", w.host.ID, thread.ID))
		if !strings.HasPrefix(proc.Field(status, "State"), "S") {
			now = nil
			break
		}
		now = append(now, proc.Field(status, "voluntary_ctxt_switches")+" "+proc.Field(status, "nonvoluntary_ctxt_switches"))
	}
	same := now != nil && strings.Join(now, ",") == strings.Join(w.asleep, ",")
	w.asleep = now
	if same || len(w.host.Threads) == 0 || time.Since(w.since) > holdPatience && w.pause.waitsFor == nil {
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

// stopped is a process that a signal stops: a thread that waits for a key in it
// must stop, too, and asks the kernel again later.
func (w *watcher) stopped(e trace.Event) {
	w.pause.leave()
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

// forget is a thread that has ended, perhaps in the middle of a call.
func (w *watcher) forget(thread *trace.Thread) {
	if w.holding == thread {
		w.holding = nil
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

// pressed does what a key says.
func (w *watcher) pressed(key byte) {
	t := w.pause.waitsFor
	if t == nil {
		return
	}
	switch key {
	case '\n', '\r':
	case 'c':
		w.pause.skip = t.speaker.side
	case 'g':
		w.pause.off = true
	case 'q':
		// The host's side cleans up, as for any SIGTERM.
		w.pause.off = true
		unix.Kill(w.host.ID, unix.SIGTERM)
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
	if group, err := unix.Getpgid(w.host.ID); err == nil && group != unix.Getpgrp() {
		unix.Kill(w.host.ID, sig)
	}
}

// goOnWithoutPause: a signal ends the run, and the host's side shall not wait for
// a key before it can do that.
func (w *watcher) goOnWithoutPause() {
	if t := w.pause.waitsFor; t != nil && t.thread.Process == w.host {
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
