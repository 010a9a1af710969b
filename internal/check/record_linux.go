package check

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"gonsrun/internal/trace"
)

// More processes than these make no container, but a loop.
const mostMade = 60

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
	asked   map[string]bool   // the calls that were asked for, with their pids
	hangs   int               // the pid of a process that hangs, and was asked where
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
	r := &recorder{run: &run{typed: typed, patience: patience, processes: map[int]*process{}}, program: program, at: map[*trace.Thread]*trace.Call{}, asked: map[string]bool{}}
	r.hostname[0], r.mounts[0] = hostname(), mountTable()
	groups := allGroups()
	if err := r.start(); err != nil {
		return nil, err
	}
	r.loop(ctx)
	r.stdout, r.stderr = r.output[0].String(), r.output[1].String()
	if p := r.processes[r.hangs]; p != nil {
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
			lastChance = time.After(2 * soon)
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
			if r.tooMany || r.over && lastChance == nil || r.hangs != 0 && r.processes[r.hangs].ended {
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
