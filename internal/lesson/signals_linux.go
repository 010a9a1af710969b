package lesson

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// Three times Ctrl-C within patience kills the container: number 1 of a PID
// namespace gets no default signal actions, so Ctrl-C alone may do nothing.
const patience = 2 * time.Second

// hostSide is what the host's side must know to end well, whatever happens: the
// process it started, and the signal that it was told to end with.
type hostSide struct {
	mu         sync.Mutex
	phase      phase
	container  *exec.Cmd      // the container's first process, as long as it has not been waited for
	told       syscall.Signal // the signal that ends us, 0 for none
	interrupts []time.Time
	signals    chan os.Signal
}

type phase int

const (
	building phase = iota // a signal ends what is being made
	running               // the container's process is there
	ending                // signals wait until all is removed
)

var host hostSide

// TakeSignals takes over the signals that would end us before we have removed
// what we make from here on, and on a terminal those of Ctrl-Z and fg. What was
// ignored from the start (nohup) stays so. It returns when that is done, however
// many call it. Start does; who makes something before that does so first.
func TakeSignals() { takeSignals() }

var takeSignals = sync.OnceFunc(host.takeSignals)

func (h *hostSide) takeSignals() {
	h.signals = make(chan os.Signal, 8)
	wanted := []syscall.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP}
	if terminal.ours {
		wanted = append(wanted, unix.SIGTSTP, unix.SIGCONT)
	}
	ignored := ignoredSignals()
	for _, sig := range wanted { // each costs a start some microseconds
		if !signal.Ignored(sig) && ignored&(1<<(sig-1)) == 0 {
			signal.Notify(h.signals, sig)
		}
	}
	go func() {
		var look <-chan time.Time
		for {
			select {
			case sig := <-h.signals:
				h.handle(sig.(syscall.Signal))
			case <-look:
				h.handle(lookAgain)
			}
			look = nil
			if h.inBackground() { // a shell that says fg to a job that runs need not tell the job
				look = time.After(lookEvery)
			}
		}
	}()
}

// lookAgain is no signal, but has us look whether we have got the terminal.
const (
	lookAgain = syscall.Signal(0)
	lookEvery = 300 * time.Millisecond
)

// inBackground reports whether the container could have the terminal, and has not.
func (h *hostSide) inBackground() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.container != nil && terminal.ours && !terminal.given
}

// ignoredSignals has a bit for each signal that this process ignores, see
// proc_pid_status(5).
func ignoredSignals() uint64 { return signalSet("self", "SigIgn") }

func signalSet(pid, field string) uint64 {
	set, _ := strconv.ParseUint(proc.StatusField(pid, field), 16, 64)
	return set
}

func (h *hostSide) handle(sig syscall.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.container != nil {
		terminal.give(h.container.Process.Pid)
	}
	switch {
	case sig == unix.SIGCONT, sig == lookAgain: // see give
	case sig == unix.SIGTSTP:
		terminal.stop()
	case h.phase == ending:
	case h.phase == running && (sig == unix.SIGINT || sig == unix.SIGQUIT) && !h.preparing():
		h.interrupt(sig)
	default:
		if h.container != nil {
			interject("%s: the container is killed.", unix.SignalName(sig))
		}
		h.end(sig)
	}
}

// preparing reports whether the container's process has not yet become the
// command: it still runs this program, as "/proc/self/exe child".
func (h *hostSide) preparing() bool {
	return proc.IsOurs() &&
		strings.HasPrefix(proc.Read("/proc/"+h.pid()+"/cmdline"), strings.Join(h.container.Args[:2], "\x00")+"\x00")
}

func (h *hostSide) pid() string { return strconv.Itoa(h.container.Process.Pid) }

// interrupt is a Ctrl-C that belongs to the command.
func (h *hostSide) interrupt(sig syscall.Signal) {
	now := time.Now()
	recent := h.interrupts[:0]
	for _, at := range h.interrupts {
		if now.Sub(at) <= patience {
			recent = append(recent, at)
		}
	}
	h.interrupts = append(recent, now)
	key := map[syscall.Signal]string{unix.SIGINT: "Ctrl-C", unix.SIGQUIT: `Ctrl-\`}[sig]
	switch n := len(h.interrupts); {
	case n >= 3:
		interject("%s for the third time within %v: the container is killed.", key, patience)
		h.end(sig)
	case n == 2:
		interject("%s belongs to the command.\nOnce more within %v kills the container.", key, patience)
	case h.deaf(sig):
		interject("%s does not reach number 1 of a PID namespace.\nThree times within %v kills the container.", key, patience)
	}
}

// deaf reports whether the command is number 1 of a PID namespace, and the
// signal is none that it catches: then it never gets it.
func (h *hostSide) deaf(sig syscall.Signal) bool {
	if !proc.IsOurs() {
		return false
	}
	status := proc.Read("/proc/" + h.pid() + "/status")
	pids := strings.Fields(proc.Field(status, "NSpid"))
	caught, err := strconv.ParseUint(proc.Field(status, "SigCgt"), 16, 64)
	return len(pids) > 1 && pids[len(pids)-1] == "1" && err == nil && caught&(1<<(sig-1)) == 0
}

// interject is a note in the middle of the command's output: on a terminal there
// may be half a line of it, or the ^C that was typed. A reader who stands still
// is not waited for: what was asked for must happen.
func interject(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := unix.IoctlGetTermios(2, unix.TCGETS); err == nil && !settings.Quiet && !settings.JSON {
			write("\n")
		}
		Note("%s", text)
	}()
	select {
	case <-done:
	case <-time.After(readerPatience):
	}
}

const readerPatience = time.Second

// end kills the container and remembers why. The host's side then goes on to
// remove what it made.
func (h *hostSide) end(sig syscall.Signal) {
	if h.told == 0 {
		h.told = sig
	}
	if h.container != nil {
		h.container.Process.Kill()
	}
}

// started remembers the container's process, and joins its process group where
// that has the terminal.
func (h *hostSide) started(container *exec.Cmd) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.container, h.phase = container, running
	terminal.join(container.Process.Pid)
	if terminal.ours && !terminal.given {
		h.signals <- lookAgain
	}
	if h.told != 0 { // it came while we were in clone
		container.Process.Kill()
	}
}

// over is called when the container's process has been waited for. It returns
// the signal that told us to end, 0 for none.
func (h *hostSide) over() syscall.Signal {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.container, h.phase = nil, ending
	terminal.restore()
	return h.told
}

// stopContainer kills the container's process, if there is one, and waits for
// its end, so that what it used can be removed.
func (h *hostSide) stopContainer() {
	h.mu.Lock()
	container := h.container
	h.mu.Unlock()
	if container != nil {
		container.Process.Kill()
		container.Wait()
	}
	h.over()
}

// toldWhileBuilding is the signal that has told us to end before the container's
// process was there, 0 for none.
func (h *hostSide) toldWhileBuilding() syscall.Signal {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.phase != building {
		return 0
	}
	return h.told
}
