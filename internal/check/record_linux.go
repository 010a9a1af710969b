package check

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

const (
	patience     = 3 * time.Second      // without progress, then a program hangs
	longestRun   = 9 * time.Second      // with all its progress
	explaining   = time.Second          // a program may take so long to say where it is
	settled      = 4 * time.Millisecond // nobody has made a call for so long
	settlingEnds = 500 * time.Millisecond
	quietCommand = 400 * time.Millisecond // a command that says nothing is looked at, nevertheless
	mostMade     = 60                     // more processes make no container, but a loop
)

// ready is what the command writes when it runs.
const ready = "ready\n"

// recorder makes one run of the program, under the tracer.
type recorder struct {
	*run
	program string
	tracer  *trace.Tracer
	stdin   *os.File
	output  [2]*capture

	exact   bool          // it got just the arguments that were typed
	readyAt time.Time     // the command has written that it is ready
	ranAt   time.Time     // it has begun
	last    time.Time     // the last call of anybody
	moved   time.Time     // the last one that brought the container further
	held    *trace.Thread // the command, which waits until it is looked at
	looked  bool
	at      map[*trace.Thread]*trace.Call
	asked   int               // the pid of a process that hangs, and was asked where
	said    int               // how much was on stderr then
	groups  map[string]string // in which the program was started
	over    bool
}

// capture keeps what a descriptor prints, up to a limit.
type capture struct {
	mu   sync.Mutex
	text bytes.Buffer
	done chan struct{}
}

func newCapture() (*capture, *os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	c := &capture{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer read.Close()
		part := make([]byte, 4096)
		for {
			n, err := read.Read(part)
			c.mu.Lock()
			if c.text.Len() < 64<<10 {
				c.text.Write(part[:n])
			}
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return c, write, nil
}

func (c *capture) String() string {
	select {
	case <-c.done:
	case <-time.After(100 * time.Millisecond):
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// record runs the program with these arguments, and writes down what happens.
func record(ctx context.Context, program string, typed ...string) (*run, error) {
	// All requests of ptrace(2) must come from one thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := &recorder{run: &run{typed: typed, processes: map[int]*process{}}, program: program, at: map[*trace.Thread]*trace.Call{}}
	r.hostname[0], r.mounts[0] = hostname(), mountTable()
	groups := allGroups()
	if err := r.start(); err != nil {
		return nil, err
	}
	r.loop(ctx)
	r.stdout, r.stderr = r.output[0].String(), r.output[1].String()
	if p := r.processes[r.asked]; p != nil {
		p.doing = placeIn(r.stderr[r.said:]).waits(p.doing)
		r.stderr = r.stderr[:r.said]
	}
	r.hostname[1], r.mounts[2] = hostname(), mountTable()
	if r.mounts[1] == "" {
		r.mounts[1] = r.mounts[2]
	}
	r.left = slices.DeleteFunc(allGroups(), func(g string) bool { return slices.Contains(groups, g) })
	return r.run, ctx.Err()
}

// start starts the program and seizes it before its first call.
func (r *recorder) start() error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	r.stdin = write
	files := []*os.File{read, nil, nil}
	for i := range r.output {
		c, file, err := newCapture()
		if err != nil {
			return err
		}
		defer file.Close()
		r.output[i], files[i+1] = c, file
	}
	pid, letGo, err := start(r.program, r.typed, files)
	if err != nil {
		return err
	}
	r.first, r.processes[pid] = pid, &process{pid: pid}
	r.groups = groupsOf(strconv.Itoa(pid))
	if r.tracer, err = trace.Seize(pid); err != nil {
		return fmt.Errorf("your program cannot be watched: %w", err)
	}
	return letGo()
}

// loop handles one event after the other, until all processes have ended.
func (r *recorder) loop(ctx context.Context) {
	defer r.stdin.Close()
	r.moved = time.Now()
	deadline, end := time.After(patience), r.moved.Add(longestRun)
	var explained, lastChance <-chan time.Time
	stop := func() {
		if lastChance == nil {
			r.giveUp()
			lastChance = time.After(2 * time.Second)
		}
	}
	for {
		var tick <-chan time.Time
		if !r.looked && !r.ranAt.IsZero() {
			tick = time.After(time.Millisecond)
		}
		select {
		case s, ok := <-r.tracer.Stops():
			if !ok {
				return
			}
			if e, ok := r.tracer.Event(s); ok {
				r.handle(e)
			}
			for e, ok := r.tracer.Next(); ok; e, ok = r.tracer.Next() {
				r.handle(e)
			}
			if r.tooMany || r.over && lastChance == nil || r.asked != 0 && r.processes[r.asked].ended {
				stop() // what lives on after the program's end does not live on
			}
		case <-tick:
			r.maybeLook()
		case now := <-deadline:
			if rest := patience - now.Sub(r.moved); rest > 0 && now.Before(end) {
				deadline = time.After(rest) // a slow machine
				continue
			}
			r.hung = true
			if !r.ask() {
				stop()
			}
			explained = time.After(explaining)
		case <-explained:
			stop()
		case <-ctx.Done():
			stop()
			ctx = context.Background()
		case <-lastChance:
			return
		}
	}
}

// ask notes what all are in the middle of, and asks the one that matters for the
// line: a Go program tells it when SIGABRT ends it. It reports whether there is an
// answer to wait for.
func (r *recorder) ask() bool {
	for _, p := range r.processes {
		p.doing, p.busy = r.doingOf(p.pid)
	}
	p := r.hanging()
	if p == nil {
		return false
	}
	caught, err := strconv.ParseUint(proc.StatusField(strconv.Itoa(p.pid), "SigCgt"), 16, 64)
	if err != nil || caught&(1<<(unix.SIGABRT-1)) == 0 {
		return false
	}
	r.asked, r.said = p.pid, len(r.output[1].soFar())
	return unix.Tgkill(p.pid, p.busy, unix.SIGABRT) == nil
}

// giveUp ends all that is in the enclosure but us.
func (r *recorder) giveUp() {
	killAll()
	if r.held != nil {
		r.tracer.Continue(r.held)
		r.held = nil
	}
}

// doingOf says what a process is in the middle of, and with which thread: one that
// computes counts more than one that waits, and the first thread more than others.
func (r *recorder) doingOf(pid int) (words string, busy int) {
	busy = pid
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	calls := map[int]*trace.Call{}
	for thread, c := range r.at {
		calls[thread.ID] = c
	}
	for _, entry := range entries {
		id, _ := strconv.Atoi(entry.Name())
		state := proc.Field(proc.Read(fmt.Sprintf("/proc/%d/task/%d/status", pid, id)), "State")
		switch c := calls[id]; {
		case strings.HasPrefix(state, "R") && (c == nil || c.Number == unix.SYS_RT_SIGRETURN):
			return "it computes, and makes no system call", id
		case c != nil && (words == "" || c.Number != unix.SYS_FUTEX && strings.Contains(words, "futex")):
			words, busy = doing(c), id
		}
	}
	return words, busy
}

func (r *recorder) handle(e trace.Event) {
	r.last = time.Now()
	p := r.processes[e.Thread.Process.ID]
	switch e.Kind {
	case trace.Entry:
		r.entry(e)
	case trace.Exit:
		delete(r.at, e.Thread)
		r.answer(e)
		if c, _ := e.Call.Note.(*call); c != nil && c.data == ready && c.pid == r.command && !r.looked {
			r.readyAt, r.held = time.Now(), e.Thread
			return
		}
	case trace.Born:
		r.born(e)
		r.tracer.ContinueBorn(e.Child)
	case trace.Execed:
		delete(r.at, e.Thread)
		r.answer(e)
		r.execed(e)
	case trace.Ending:
		if p != nil && p.pid == r.first && !r.hung && !r.tooMany {
			r.early, r.unwaited = r.livesOn(), r.isZombie(r.command)
		}
	case trace.Ended:
		delete(r.at, e.Thread)
		if len(e.Thread.Process.Threads) == 0 && p != nil {
			p.ended, p.status = true, statusOf(e.Status)
			if p.pid == r.first {
				r.run.status, r.over = p.status, true
			}
		}
		return
	}
	r.tracer.Continue(e.Thread)
}

// livesOn reports whether the command, or a process that could still become it,
// has not ended.
func (r *recorder) livesOn() bool {
	if command := r.processes[r.command]; command != nil {
		return !command.ended
	}
	for _, p := range r.processes {
		if p.parent == r.first && !p.tracer && !p.ended {
			return true
		}
	}
	return false
}

// isZombie reports whether a child of the program has ended, and nobody has waited
// for it.
func (r *recorder) isZombie(pid int) bool {
	status := proc.Read(fmt.Sprintf("/proc/%d/status", pid))
	return strings.HasPrefix(proc.Field(status, "State"), "Z") && proc.Field(status, "PPid") == strconv.Itoa(r.first)
}

// statusOf is the exit status, or -n for signal n.
func statusOf(status syscall.WaitStatus) int {
	if status.Signaled() {
		return -int(status.Signal())
	}
	return status.ExitStatus()
}

// entry is a call that is about to be made.
func (r *recorder) entry(e trace.Event) {
	r.at[e.Thread] = e.Call
	if c := r.read(e); c != nil && e.Call.Note == nil {
		e.Call.Note = c
		r.calls = append(r.calls, c)
		if c.name != "rmdir" && c.name != "unlinkat" {
			r.moved = r.last
		}
	}
}

// read writes down a call of the kinds that containers are made of, nil for
// another one.
func (r *recorder) read(e trace.Event) *call {
	asked, pid := e.Call, e.Thread.Process.ID
	c := &call{pid: pid, thread: e.Thread.ID, name: asked.Name()}
	v := asked.Values
	switch {
	case asked.Number == unix.SYS_PTRACE && v[0] == unix.PTRACE_SEIZE:
		r.processes[pid].tracer = true
		return nil
	case asked.Number == unix.SYS_OPENAT && c.name == "":
		file, _ := e.Thread.Memory().String(v[1])
		if !isGroupFile(file) || v[2]&unix.O_ACCMODE == unix.O_RDONLY {
			return nil
		}
		c.name, c.path = "openat", file
		c.text = fmt.Sprintf("openat(%s)", trace.Quote(file))
		return c
	}
	switch c.name {
	case "write":
		if pid != r.command {
			file, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", e.Thread.ID, int32(v[0])))
			if err != nil || !isGroupFile(file) {
				return nil
			}
		} else if !r.readyAt.IsZero() || v[2] > 64 {
			return nil
		}
	case "", "waitid", "wait4", "prctl":
		return nil
	case "clone", "clone3":
		if asked.CloneFlags()&unix.CLONE_THREAD != 0 {
			return nil
		}
	}
	asked.Read()
	c.text, c.path, c.data, c.list = asked.Text(), asked.Path, string(asked.Data), asked.List
	switch c.name {
	case "clone", "clone3":
		c.flags = asked.CloneFlags()
	case "unshare":
		c.flags = v[0]
	case "setns":
		c.flags = v[1]
	case "mount":
		c.flags = v[3]
		c.source, c.kind = unquote(asked.Arguments[0]), unquote(asked.Arguments[2])
	case "pivot_root":
		c.path = unquote(asked.Arguments[0])
	}
	return c
}

func unquote(text string) string {
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	return ""
}

func isGroupFile(path string) bool {
	return strings.HasPrefix(path, "/sys/fs/cgroup") && strings.Contains(path, ".") || strings.HasPrefix(path, "/sys/fs/cgroup/") && strings.Count(path, "/") > 4
}

func (r *recorder) answer(e trace.Event) {
	if e.Call == nil {
		return
	}
	c, _ := e.Call.Note.(*call)
	if c == nil || c.answered && c.child != 0 {
		return
	}
	c.answered = true
	if errno := e.Call.Errno(); errno != 0 {
		c.errno = unix.ErrnoName(errno)
	}
}

// born is a new process.
func (r *recorder) born(e trace.Event) {
	p := &process{pid: e.Child.ID, parent: e.Thread.Process.ID}
	if e.Call != nil {
		if c, _ := e.Call.Note.(*call); c != nil {
			c.child, c.answered, p.made = p.pid, true, c
		}
	}
	p.own, p.number = ownNamespaces(p.pid), innerNumber(p.pid)
	r.processes[p.pid] = p
	r.tooMany = r.tooMany || len(r.processes) > mostMade
}

// execed is a process that has become another program.
func (r *recorder) execed(e trace.Event) {
	p := r.processes[e.Thread.Process.ID]
	if p == nil || e.Call == nil {
		return
	}
	c, _ := e.Call.Note.(*call)
	if c == nil {
		return
	}
	p.became = c.list
	switch {
	case r.isCommand(c) && (r.command == 0 || !r.exact):
		r.command, r.ranAt = p.pid, time.Now()
		r.exact = slices.Equal(c.list[1:], r.typed[2:])
	case r.command != 0:
	case path.Base(c.path) == path.Base(r.typed[1]):
		r.stdin.Close() // a shell that got no arguments reads commands from there
	}
}

// isCommand reports whether an execve starts what was typed: the last argument
// is ours alone.
func (r *recorder) isCommand(c *call) bool {
	want := r.typed[1:]
	return len(c.list) > 0 && path.Base(c.path) == path.Base(r.typed[1]) && c.list[len(c.list)-1] == want[len(want)-1] && !slices.Contains(c.list, "run") && !r.isProgram(c.path)
}

func (r *recorder) isProgram(path string) bool {
	return path == "/proc/self/exe" || path == r.program || proc.SameFile(path, r.program)
}

// maybeLook looks at the command when nobody does anything anymore.
func (r *recorder) maybeLook() {
	now := time.Now()
	quiet := now.Sub(r.last) > settled && !r.computes()
	switch {
	case r.held != nil && (quiet || now.Sub(r.readyAt) > settlingEnds):
	case r.held == nil && now.Sub(r.ranAt) > quietCommand && quiet:
	default:
		return
	}
	r.looked, r.run.looked = true, len(r.calls)
	r.look = lookAt(r.command, r.groups)
	r.mounts[1] = mountTable()
	if r.held != nil {
		r.tracer.Continue(r.held)
		r.held = nil
	}
	r.stdin.WriteString("go on\n")
}

// computes reports whether one of the processes is about to do something.
func (r *recorder) computes() bool {
	for _, p := range r.processes {
		if !p.ended && computes(p.pid) {
			return true
		}
	}
	return false
}

// computes reports whether a process, which is not ours, has a thread that is about
// to do something.
func computes(pid int) bool {
	if pid == os.Getpid() {
		return false
	}
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return slices.ContainsFunc(threads, func(thread os.DirEntry) bool {
		status := proc.Read(fmt.Sprintf("/proc/%d/task/%s/status", pid, thread.Name()))
		return strings.HasPrefix(proc.Field(status, "State"), "R")
	})
}

// killAll ends all processes in the enclosure but us, who are number 1.
func killAll() {
	if os.Getpid() == 1 {
		thaw()
		unix.Kill(-1, unix.SIGKILL)
	}
}
