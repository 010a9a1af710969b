package trace

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// Each call of each thread has one entry and one answer, and all threads are
// the same process.
func TestThreads(t *testing.T) {
	tracer := start(t, "threads").seize(t)
	asked, answered, threads := map[string]int{}, map[string]int{}, map[int]bool{}
	var ended []int
	endings := 0
	follow(tracer, func(e Event) {
		if name := marked(e); name != "" && e.Kind == Entry {
			asked[name]++
			threads[e.Thread.ID] = true
		} else if name != "" && e.Kind == Exit {
			answered[name]++
			if e.Call.Errno() != unix.ENOENT || e.Call.Return() != -1 {
				t.Errorf("%s was answered with %v", name, e.Call.Errno())
			}
		}
		switch e.Kind {
		case Born:
			t.Errorf("thread %d is taken for a process", e.Child.ID)
		case Ending:
			endings++
		case Ended:
			ended = append(ended, e.Thread.ID)
		}
		if e.Thread.Process != tracer.Root() {
			t.Errorf("thread %d belongs to process %d", e.Thread.ID, e.Thread.Process.ID)
		}
		carryOn(tracer, e)
	})
	if len(asked) != 160 || len(answered) != 160 || len(threads) < 8 {
		t.Errorf("%d calls asked, %d answered, by %d threads; expected 160, 160, and 8 or more", len(asked), len(answered), len(threads))
	}
	for name, n := range asked {
		if n != 1 || answered[name] != 1 {
			t.Errorf("%s was asked %d times and answered %d times", name, n, answered[name])
		}
	}
	if endings != 1 || len(ended) < 8 || ended[len(ended)-1] != tracer.Root().ID {
		t.Errorf("%d times the process's end, %v have ended, the process is %d", endings, ended, tracer.Root().ID)
	}
	if len(tracer.threads) != 0 || len(tracer.Root().Threads) != 0 {
		t.Errorf("left behind: %+v", tracer.threads)
	}
}

// An execve by another thread gives it the first one's number, and ends the others.
func TestExecveByAnotherThread(t *testing.T) {
	tracer := start(t, "exec").seize(t)
	var asked, execed *Thread
	var said []string
	follow(tracer, func(e Event) {
		switch {
		case e.Kind == Entry && e.Call.Name() == "execve":
			asked = e.Thread
			if e.Thread.ID == e.Thread.Process.ID {
				t.Error("the first thread makes the execve")
			}
		case e.Kind == Execed && e.Call == nil: // the helper's own, which may end while it is seized
		case e.Kind == Execed:
			execed = e.Thread
			if e.Call == nil || e.Call.Name() != "execve" || e.Call.Result != 0 {
				t.Errorf("the execve is %v", e.Call)
			}
			if len(e.Thread.Process.Threads) != 1 || e.Thread.ID != tracer.Root().ID || !e.Thread.Held() {
				t.Errorf("after the execve the threads are %v", e.Thread.Process.Threads)
			}
			said = append(said, "execed")
		case e.Kind == Ending:
			said = append(said, "ending")
		case e.Kind == Ended && e.Thread.ID == tracer.Root().ID && e.Thread.Process == tracer.Root():
			said = append(said, "ended")
		case e.Kind == Entry && marked(e) != "":
			said = append(said, marked(e))
		}
		carryOn(tracer, e)
	})
	if asked == nil || asked != execed {
		t.Errorf("thread %v asks, %v has become another program", asked, execed)
	}
	if want := []string{"execed", "ended", "new program", "ending", "ended"}; !slices.Equal(said, want) {
		t.Errorf("in turn: %q, expected %q (the former first thread, then the process)", said, want)
	}
}

// A process whose first thread has ended is alive: its calls can be read, and it
// can be seized.
func TestFirstThreadEndsFirst(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("seized after it: %v", late), func(t *testing.T) {
			h := start(t, "leader")
			if late {
				h.begin()
				for begin := time.Now(); !strings.HasPrefix(proc.StatusField(strconv.Itoa(h.pid), "State"), "Z"); {
					if time.Since(begin) > patience {
						t.Fatal("the first thread does not end")
					}
				}
			}
			tracer := h.seize(t)
			found, endings := false, 0
			var status unix.WaitStatus
			follow(tracer, func(e Event) {
				switch e.Kind {
				case Entry:
					found = found || marked(e) == "without the first thread"
				case Ending:
					endings++
					if !found {
						t.Error("the process is ending, with a thread that runs")
					}
				case Ended:
					if e.Thread.ID == h.pid {
						status = unix.WaitStatus(e.Status)
					}
				}
				carryOn(tracer, e)
			})
			if !found || endings != 1 {
				t.Errorf("the other thread's call was found: %v; %d ends", found, endings)
			}
			if !late && status.ExitStatus() != 3 {
				t.Errorf("it exits with %d", status.ExitStatus())
			}
		})
	}
}

// A call that a signal interrupts is asked once and answered once, whatever the
// kernel does with it; what the handler calls is a call of its own.
func TestInterrupted(t *testing.T) {
	for _, test := range []struct{ call, how, want string }{
		{"read", "handler", "asked handler answered EINTR"},
		{"read", "restart", "asked handler handler handler answered"},
		{"read", "ignored", "asked answered"},
		{"read", "stop", "asked answered"},
		{"sleep", "handler", "asked handler answered EINTR"},
		{"sleep", "restart", "asked handler answered EINTR"}, // see signal(7): never restarted after a handler
		{"sleep", "ignored", "asked answered"},
		{"sleep", "stop", "asked answered"}, // by restart_syscall(2)
	} {
		t.Run(test.call+" "+test.how, func(t *testing.T) {
			h := start(t, "signal", test.call, test.how)
			tracer := h.seize(t)
			var said []string
			over := false
			follow(tracer, func(e Event) {
				switch name := marked(e); {
				case e.Kind == Stopped && e.Thread.ID == h.pid:
					time.AfterFunc(50*time.Millisecond, func() { unix.Kill(h.pid, unix.SIGCONT) })
				case strings.HasPrefix(name, "then"):
					over = true
				case over:
				case name == "handler" && e.Kind == Entry:
					said = append(said, name)
				case e.Call == nil || !isTheCall(e.Call):
				case e.Kind == Entry:
					said = append(said, "asked")
				case e.Kind == Exit:
					said = append(said, "answered")
					if e.Call.Errno() != 0 {
						said = append(said, unix.ErrnoName(e.Call.Errno()))
					}
				}
				carryOn(tracer, e)
			})
			if got := strings.Join(said, " "); got != test.want {
				t.Errorf("seen: %s; expected: %s", got, test.want)
			}
		})
	}
}

// isTheCall reports whether a call is the one that helperSignal makes.
func isTheCall(c *Call) bool {
	return c.Number == unix.SYS_READ && c.Values[0] == signalPipe || c.Number == unix.SYS_CLOCK_NANOSLEEP && c.Values[0] == signalClock
}

// A process killed with SIGKILL ends, in whatever state it is.
func TestKill(t *testing.T) {
	kill := func(e Event) { unix.Kill(e.Thread.Process.ID, unix.SIGKILL) }
	for _, test := range []struct {
		state  string
		helper []string
		at     func(e Event) bool
		before bool // the kill comes before Continue
	}{
		{"at an entry", []string{"threads"}, func(e Event) bool { return e.Kind == Entry && marked(e) != "" }, true},
		{"in a call", []string{"threads"}, func(e Event) bool { return e.Kind == Entry && marked(e) != "" }, false},
		{"at an answer", []string{"threads"}, func(e Event) bool { return marked(e) != "" && e.Kind == Exit }, true},
		{"before a signal", []string{"signal", "read", "restart"}, func(e Event) bool { return e.Kind == Signal && e.Signal == unix.SIGUSR1 }, true},
		{"stopping", []string{"signal", "read", "stop"}, func(e Event) bool { return e.Kind == Stopped }, true},
		{"stopped", []string{"signal", "read", "stop"}, func(e Event) bool { return e.Kind == Stopped }, false},
		{"after a clone", []string{"forks", "1", "2"}, func(e Event) bool { return e.Kind == Born }, true},
		{"at an execve", []string{"exec"}, func(e Event) bool { return e.Kind == Execed && e.Call != nil }, true},
		{"at its end", []string{"threads"}, func(e Event) bool { return e.Kind == Ending }, true},
	} {
		t.Run(test.state, func(t *testing.T) {
			h := start(t, test.helper[0], test.helper[1:]...)
			tracer := h.seize(t)
			killed, ended := false, false
			follow(tracer, func(e Event) {
				now := !killed && test.at(e)
				killed = killed || now
				if now && test.before {
					kill(e)
					time.Sleep(10 * time.Millisecond)
				}
				carryOn(tracer, e)
				if now && !test.before {
					time.Sleep(10 * time.Millisecond)
					kill(e)
				}
				ended = ended || e.Kind == Ended && e.Thread.ID == h.pid && len(e.Thread.Process.Threads) == 0
			})
			if !killed || !ended {
				t.Errorf("killed: %v; the process's end is reported: %v", killed, ended)
			}
			if len(tracer.threads) != 0 {
				t.Errorf("left behind: %+v", tracer.threads)
			}
		})
	}
}

// twoStops collects the stops of a clone in a program that forks: the maker's
// and the new process's, which come in any order.
func twoStops(t *testing.T, tracer *Tracer, h *helper) (maker, child stop) {
	for s, ok := tracer.Wait(); ok; s, ok = tracer.Wait() {
		switch {
		case s.event() == unix.PTRACE_EVENT_FORK: // others are threads
			maker = s
		case tracer.threads[s.thread] == nil && unix.Tgkill(s.thread, s.thread, 0) == nil:
			child = s
		default:
			feed(tracer, s, func(e Event) { carryOn(tracer, e) })
		}
		if maker.thread != 0 && child.thread != 0 {
			return maker, child
		}
	}
	t.Fatal("no process is made")
	return
}

// A new process's first stop may come before its maker's event.
func TestBornEarly(t *testing.T) {
	for _, test := range []string{"nobody is killed", "the new process is killed", "its maker is killed", "both are killed", "its maker is let go"} {
		t.Run(test, func(t *testing.T) {
			h := start(t, "forks", "1")
			tracer := h.seize(t)
			maker, child := twoStops(t, tracer, h)
			var said []string
			handle := func(e Event) {
				switch {
				case e.Kind == Born && e.Child.ID == child.thread && e.Child.Parent == tracer.Root():
					said = append(said, "born")
				case e.Kind == Ended && e.Thread.ID == child.thread:
					said = append(said, "ended")
				case e.Kind == Ended && e.Thread.ID == h.pid:
					said = append(said, "maker ended")
				}
				carryOn(tracer, e)
			}
			feed(tracer, child, handle)
			if strings.HasPrefix(test, "both") || strings.HasPrefix(test, "the new") {
				unix.Kill(child.thread, unix.SIGKILL)
				for s, ok := tracer.Wait(); ok; s, ok = tracer.Wait() { // its last stop, or its end
					feed(tracer, s, handle)
					if s.thread == child.thread {
						break
					}
				}
			}
			if strings.HasPrefix(test, "both") || strings.HasPrefix(test, "its maker is killed") {
				unix.Kill(h.pid, unix.SIGKILL)
				time.Sleep(20 * time.Millisecond) // the event's message is gone with it
			}
			if strings.HasPrefix(test, "its maker is let go") {
				tracer.Detach(tracer.Root())
			}
			feed(tracer, maker, handle)
			follow(tracer, handle)
			want := map[string]string{"nobody": "born ended maker ended", "the new": "born ended maker ended",
				"its maker is let go": ""}
			for prefix, text := range want {
				if got := strings.Join(said, " "); strings.HasPrefix(test, prefix) && got != text {
					t.Errorf("seen: %q, expected %q", got, text)
				}
			}
			if strings.HasPrefix(test, "its maker is killed") && !slices.Contains(said, "born") {
				t.Errorf("the process that its maker has left behind is not reported: %q", said)
			}
			for id, thread := range tracer.threads {
				t.Errorf("left behind: %d %+v %+v; maker %+v child %+v", id, thread, thread.Process, maker, child)
			}
			if len(tracer.threads) != 0 {
				t.Errorf("left behind: %+v", tracer.threads)
			}
		})
	}
}

// Fail answers in the kernel's place, and the call is not made.
func TestFail(t *testing.T) {
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")}
	h := start(t, "fail", paths...)
	tracer := h.seize(t)
	answers := make(chan string)
	go func() {
		var all []string
		for lines := bufio.NewScanner(h.stdout); lines.Scan(); {
			all = append(all, lines.Text())
		}
		answers <- strings.Join(all, ", ")
	}()
	follow(tracer, func(e Event) {
		if e.Kind == Entry && (e.Call.Name() == "mkdir" || e.Call.Name() == "mkdirat") {
			e.Call.Read()
			if e.Call.Path != paths[1] {
				if err := tracer.Fail(e.Thread, unix.EDQUOT); err != nil {
					t.Error(err)
				}
			}
		}
		if e.Kind == Exit && e.Call.Path == paths[0] && e.Call.Errno() != unix.EDQUOT {
			t.Errorf("the event says %v", e.Call.Errno())
		}
		if e.Kind == Exit {
			if tracer.Fail(e.Thread, unix.EIO) == nil {
				t.Error("Fail at the exit of a call gives no error")
			}
		}
		carryOn(tracer, e)
	})
	if got, want := <-answers, fmt.Sprintf("%v, <nil>, %[1]v", unix.EDQUOT); got != want {
		t.Errorf("the program is told %q, expected %q", got, want)
	}
	made, _ := filepath.Glob(dir + "/*")
	if !slices.Equal(made, paths[1:2]) {
		t.Errorf("made: %q", made)
	}
}

// Again lets a call begin once more, also when there is no signal that the thread
// has to see to, and when it is let go in between.
func TestAgain(t *testing.T) {
	for _, test := range []string{"once", "and Detach at once", "and Detach before the answer", "Fail and Detach"} {
		t.Run(test, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "folder")
			h := start(t, "fail", path)
			tracer := h.seize(t)
			var said []string
			follow(tracer, func(e Event) {
				if e.Call == nil || e.Call.Name() != "mkdir" && e.Call.Name() != "mkdirat" {
					carryOn(tracer, e)
					return
				}
				if e.Kind == Exit {
					said = append(said, fmt.Sprint("answered ", e.Call.Result))
					carryOn(tracer, e)
					return
				}
				said = append(said, "asked")
				switch {
				case test == "Fail and Detach":
					tracer.Fail(e.Thread, unix.EDQUOT)
					tracer.Detach(tracer.Root())
				case len(said) > 1:
					carryOn(tracer, e)
				case test == "once":
					tracer.Again(e.Thread)
					tracer.Continue(e.Thread)
				case test == "and Detach at once":
					tracer.Again(e.Thread)
					tracer.Detach(tracer.Root())
				default:
					tracer.Again(e.Thread)
					tracer.Continue(e.Thread)
					tracer.Detach(tracer.Root())
				}
			})
			want, answer := "asked", "<nil>\n"
			if test == "once" {
				want = "asked asked answered 0"
			}
			if test == "Fail and Detach" {
				answer = unix.EDQUOT.Error() + "\n"
			}
			if got := strings.Join(said, " "); got != want {
				t.Errorf("seen: %s; expected: %s", got, want)
			}
			if got, _ := bufio.NewReader(h.stdout).ReadString('\n'); got != answer {
				t.Errorf("the program is told %q, expected %q", got, answer)
			}
		})
	}
}

// Detach lets go of all threads, of a process that runs and of one that is stopped.
func TestDetach(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		t.Run(fmt.Sprintf("stopped: %v", stopped), func(t *testing.T) {
			h := start(t, "busy")
			tracer := h.seize(t)
			output := bufio.NewReader(h.stdout)
			writers, over := map[int]bool{}, false
			ready := func(e Event) bool {
				if e.Kind == Entry && e.Call.Number == unix.SYS_WRITE && e.Call.Values[0] == 1 {
					writers[e.Thread.ID] = true
				}
				return len(writers) == 6 && !over
			}
			for len(tracer.threads) > 0 {
				feed(tracer, <-tracer.Stops(), func(e Event) {
					if over {
						t.Errorf("an event after Detach: %v", e.Kind)
					}
					now := ready(e)
					carryOn(tracer, e)
					if stopped && now && e.Kind == Entry {
						unix.Kill(h.pid, unix.SIGSTOP)
					}
					if now && stopped == (e.Kind == Stopped) {
						tracer.Detach(tracer.Root())
						over = true
					}
				})
			}
			tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", h.pid))
			if len(tasks) < 6 {
				t.Errorf("it has %d threads", len(tasks))
			}
			for _, task := range tasks {
				status := proc.Read(fmt.Sprintf("/proc/%d/task/%s/status", h.pid, task.Name()))
				state := proc.Field(status, "State")[:1]
				for begin := time.Now(); stopped && state != "T" && time.Since(begin) < time.Second; { // on its way
					status = proc.Read(fmt.Sprintf("/proc/%d/task/%s/status", h.pid, task.Name()))
					state = proc.Field(status, "State")[:1]
				}
				if proc.Field(status, "TracerPid") != "0" || stopped != (state == "T") || state == "t" {
					t.Errorf("thread %s: state %s, tracer %s", task.Name(), state, proc.Field(status, "TracerPid"))
				}
			}
			unix.Kill(h.pid, unix.SIGCONT)
			if _, err := output.Discard(output.Buffered() + 20); err != nil {
				t.Errorf("it does not go on: %v", err)
			}
			unix.Kill(h.pid, unix.SIGKILL)
			for _, ok := tracer.Wait(); ok; _, ok = tracer.Wait() { // it is our child, too
			}
			if len(tracer.threads) != 0 {
				t.Errorf("left behind: %+v", tracer.threads)
			}
		})
	}
}

// A process that ends, or makes threads, while it is seized is no error but ESRCH.
func TestSeizeWhileItEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	for i := range 30 {
		h := start(t, "spawn")
		h.begin()
		time.Sleep(time.Duration(i) * time.Millisecond)
		runtime.LockOSThread()
		tracer, err := Seize(h.pid)
		if err != nil {
			if !strings.HasSuffix(err.Error(), unix.ESRCH.Error()) {
				t.Error(err)
			}
			unix.Wait4(h.pid, nil, 0, nil)
			runtime.UnlockOSThread()
			continue
		}
		follow(tracer, func(e Event) { carryOn(tracer, e) })
		if len(tracer.threads) != 0 {
			t.Errorf("left behind: %+v", tracer.threads)
		}
		runtime.UnlockOSThread()
	}
	time.Sleep(10 * time.Millisecond)
	if now := runtime.NumGoroutine(); now > before+2 {
		t.Errorf("%d goroutines before, %d now", before, now)
	}
}

// A 32-bit program's numbers mean other calls: they are not read as ours, and can
// be failed all the same.
func TestProgramOf32Bits(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("this test's 32-bit program is one of amd64")
	}
	// mkdir(path, 0700), whose number is here getpid's; 56, which here is clone's;
	// fork(), and in both processes exit(-mkdir's result).
	const base, entry = 0x10000, 0x54
	code := []byte("\xb8\x27\x00\x00\x00\xbb\x84\x00\x01\x00\xb9\xc0\x01\x00\x00\xcd\x80" + // mov $39, eax; mov path, ebx; mov $0700, ecx; int $0x80
		"\x89\xc6\xf7\xde\xb8\x38\x00\x00\x00\xcd\x80" + // mov eax, esi; neg esi; mov $56, eax; int $0x80
		"\xb8\x02\x00\x00\x00\xcd\x80\x89\xf3\xb8\x01\x00\x00\x00\xcd\x80") // mov $2, eax; int $0x80; mov esi, ebx; mov $1, eax; int $0x80
	dir := filepath.Join(t.TempDir(), "made")
	image := slices.Concat([]byte("\x7fELF\x01\x01\x01"), make([]byte, 9), []byte{2, 0, 3, 0, 1, 0, 0, 0},
		binary.LittleEndian.AppendUint32(nil, base+entry), []byte{0x34, 0, 0, 0}, make([]byte, 8), []byte{0x34, 0, 0x20, 0, 1, 0, 0, 0, 0, 0, 0, 0})
	for _, word := range []uint32{1, 0, base, base, 0x1000, 0x1000, 5, 0x1000} { // PT_LOAD, readable and executable
		image = binary.LittleEndian.AppendUint32(image, word)
	}
	image = append(append(image, code...), make([]byte, 0x84-entry-len(code))...)
	image = append(append(image, dir...), make([]byte, 0x1000-0x84-len(dir))...)
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, image, 0o755); err != nil {
		t.Fatal(err)
	}
	tracer := start(t, "become", file).seize(t)
	var said []string
	inside := false
	follow(tracer, func(e Event) {
		switch {
		case e.Kind == Execed:
			inside = e.Call != nil // not the helper's own, which may end while it is seized
		case e.Kind == Born && e.Child.Parent == tracer.Root():
			said = append(said, "born")
		case inside && e.Kind == Entry:
			e.Call.Read()
			said = append(said, fmt.Sprint(e.Call.Number, e.Call.Name()))
			if e.Call.Number == 39 {
				if err := tracer.Fail(e.Thread, unix.EDQUOT); err != nil {
					t.Error(err)
				}
			}
		case e.Kind == Ended:
			said = append(said, fmt.Sprint("exit ", e.Status.ExitStatus()))
		}
		carryOn(tracer, e)
	})
	if !inside {
		missing(t, "this kernel does not run 32-bit programs")
	}
	quota := fmt.Sprint("exit ", int(unix.EDQUOT))
	slices.Sort(said)
	if want := []string{"1", "1", "2", "39", "56", "born", quota, quota}; !slices.Equal(slices.DeleteFunc(said, func(s string) bool { return s == "exit -1" || s == "exit 0" }), want) {
		t.Errorf("seen: %q, expected %q", said, want)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the failed call was made")
	}
}

// What the kernel writes for a request of ptrace(2) arrives, also when the stack of
// whoever asks has to grow for the request itself, and moves.
func TestRequestsWhileTheStackMoves(t *testing.T) {
	for range 20 {
		t.Run("", func(t *testing.T) { // on a new stack each time
			tracer := start(t, "mark", "registers").seize(t)
			follow(tracer, func(e Event) {
				if e.Kind == Entry && marked(e) != "" {
					deeper(t, e.Thread, 5000)
				}
				carryOn(tracer, e)
			})
		})
	}
}

//go:noinline
func deeper(t *testing.T, thread *Thread, more int) {
	if r, err := registers(thread.ID); err != nil || r.PC() != thread.pointer {
		t.Fatalf("%d deep the registers are %+v, %v", more, r, err)
	}
	if more > 0 {
		deeper(t, thread, more-1)
	}
}

// Without a /proc of ours the same threads are found.
func TestProbedThreads(t *testing.T) {
	h := start(t, "busy")
	h.begin()
	var listed, probed []int
	for range 100 { // until no thread has begun in between
		time.Sleep(10 * time.Millisecond)
		listed, probed = threadsOf(h.pid), probedThreads(h.pid)
		if slices.Equal(listed, probed) && len(listed) > 6 {
			return
		}
	}
	t.Errorf("found %v, /proc has %v", probed, listed)
}

// Who is traced already cannot be seized, and goes on.
func TestSeizeTwice(t *testing.T) {
	h := start(t, "mark", "seized twice")
	runtime.LockOSThread()
	if _, err := Seize(1 << 22); err == nil || !strings.HasSuffix(err.Error(), unix.ESRCH.Error()) {
		t.Errorf("nobody: %v", err)
	}
	tracer := h.seize(t)
	refused := make(chan error)
	go func() {
		runtime.LockOSThread()
		_, err := Seize(h.pid)
		refused <- err
	}()
	if err := <-refused; err == nil || !strings.HasSuffix(err.Error(), unix.EPERM.Error()) {
		t.Errorf("seized twice: %v", err)
	}
	follow(tracer, func(e Event) { carryOn(tracer, e) })
}
