package narrate

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// Three times Ctrl-C within patience kills the container: number 1 of a PID
// namespace gets no signal that it does not catch, so Ctrl-C alone may do nothing.
const patience = 2 * time.Second

// hostSide is what the host's side must know to end well, whatever happens:
// the process it started, and the signal that it was told to end with.
type hostSide struct {
	mu          sync.Mutex
	unwinds     bool // HostSide is there to catch stopped
	ready       bool // the container's side has said all
	began       bool // and has become the command
	phase       phase
	pid         int // the container's first process, 0 before it is there and after it has ended
	signal      syscall.Signal
	interrupts  []time.Time
	interrupted chan struct{} // closed with the first signal that ends us
}

type phase int

const (
	building phase = iota // a signal ends what is being made
	running               // Ctrl-C is the command's
	ending                // signals wait until all is removed
)

var host = hostSide{interrupted: make(chan struct{})}

// Started takes what came of the calls that started the container's side: an
// error ends the program. From here on the new process ends when we do,
// whatever happens.
func Started(pid int, err error) int {
	if err != nil {
		Fail(err)
	}
	host.mu.Lock()
	defer host.mu.Unlock()
	host.pid = pid
	if host.signal != 0 { // it came while we were in clone
		unix.Kill(pid, unix.SIGKILL)
	}
	return pid
}

// watchSignals takes over the signals that would end us before we have
// removed what we made. What was ignored from the start (nohup) stays so.
func (h *hostSide) watchSignals() {
	signals := make(chan os.Signal, 8)
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGTSTP, unix.SIGPIPE} {
		if !signal.Ignored(sig) {
			signal.Notify(signals, sig)
		}
	}
	go func() {
		for sig := range signals {
			h.handle(sig.(syscall.Signal))
		}
	}()
}

func (h *hostSide) handle(sig syscall.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case sig == unix.SIGPIPE: // the reader of our narration is gone, which is no reason to end
	case sig == unix.SIGTSTP:
		terminal.stop(h.pid)
		if h.phase == building {
			promptAgain()
		}
	case h.phase == ending:
	case h.phase == running && (sig == unix.SIGINT || sig == unix.SIGQUIT):
		h.interrupts = append(h.interrupts, time.Now())
		n := len(h.interrupts)
		within := func(times int) bool {
			return n >= times && h.interrupts[n-1].Sub(h.interrupts[n-times]) <= patience
		}
		deaf := Deaf(h.pid, sig)
		switch {
		case within(3):
			Interject("Ctrl-C for the third time within %v: the container is killed.", patience)
			h.end(sig)
		case within(2) && !deaf:
			Interject("Ctrl-C belongs to the command. Once more within %v kills the container.", patience)
		case !within(2) && deaf:
			Interject("%s Twice more within %v kills the container.", DeafWhy, patience)
		}
	default:
		if h.pid != 0 {
			Interject("%s: the container is killed.", unix.SignalName(sig))
		}
		h.end(sig)
	}
}

// DeafWhy says why Ctrl-C does nothing to a command.
const DeafWhy = "The command is number 1 of its PID namespace, and does not catch Ctrl-C: so it does not get it."

// Deaf reports whether a signal from its own PID namespace's terminal never
// reaches a process: it is number 1 there, and does not catch it. See
// pid_namespaces(7).
func Deaf(pid int, sig syscall.Signal) bool {
	status := proc.Read("/proc/" + strconv.Itoa(pid) + "/status")
	caught, err := strconv.ParseUint(proc.Field(status, "SigCgt"), 16, 64)
	return err == nil && strings.HasSuffix(proc.Field(status, "NSpid"), "\t1") && caught&(1<<(sig-1)) == 0
}

// Interject is Note in the middle of the command's output: on a terminal there
// may be half a line of it, or the ^C that was typed. A raw one needs a carriage
// return to begin a line.
func Interject(format string, args ...any) {
	if mode, err := unix.IoctlGetTermios(2, unix.TCGETS); err == nil && !config.Quiet && !config.JSON {
		heldText += "\n"
		if mode.Oflag&unix.OPOST == 0 {
			newline = "\r\n"
			defer func() { newline = "\n" }()
		}
	}
	Note(format, args...)
}

// end kills the container and remembers why. The host's side then goes on to
// remove what it made.
func (h *hostSide) end(sig syscall.Signal) {
	if h.signal == 0 {
		h.signal = sig
		close(h.interrupted)
	}
	if h.pid != 0 {
		unix.Kill(h.pid, unix.SIGKILL)
	}
}

// running returns the pid of the process that is about to become the command.
func (h *hostSide) running() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase = running
	return h.pid
}

// told is the signal that has told us to end, 0 for none.
func (h *hostSide) told() syscall.Signal {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.signal
}

func (h *hostSide) ended() {
	h.mu.Lock()
	h.phase, h.pid = ending, 0
	h.mu.Unlock()
}

// stopIfInterrupted ends the program before the next call, when a signal has
// asked for that while the container was being made.
func stopIfInterrupted() {
	host.mu.Lock()
	sig := host.signal
	if host.phase != building {
		sig = 0
	}
	host.mu.Unlock()
	if sig != 0 {
		end(128 + int(sig))
	}
}

// stopped is the panic value with which the host's side unwinds: deferred
// functions remove what was made, then the program exits with the status.
type stopped struct{ status int }

// end ends this side. On the host the container's first process is killed and
// reaped first, so that what it used can be removed.
func end(status int) {
	if !host.unwinds {
		os.Exit(status)
	}
	host.mu.Lock()
	pid := host.pid
	host.pid, host.phase = 0, ending
	host.mu.Unlock()
	if pid != 0 {
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, nil, 0, nil)
	}
	panic(stopped{status})
}

// Status reads from the answer of waitid how the command ended, and returns
// the exit status to pass on: the command's own, or 128 plus the number of the
// signal that killed it, or that told us to kill it.
func Status(info *unix.Siginfo) int {
	// x/sys/unix keeps the fields that follow si_code to itself. For SIGCHLD
	// they are si_pid, si_uid and si_status, see sigaction(2).
	child := (*struct {
		signo, errno, code, _ int32
		pid                   int32
		uid                   uint32
		status                int32
	})(unsafe.Pointer(info))
	status := int(child.status)
	const exited, killed, dumped = 1, 2, 3 // CLD_EXITED, CLD_KILLED, CLD_DUMPED
	switch info.Code {
	case exited:
		whose := "the command's own exit status"
		if !host.began {
			whose = "the container's side has failed, and has said why"
		}
		Evidence("si_code=CLD_EXITED si_status=%d: %s", status, whose)
	case killed, dumped:
		Evidence("si_code=%s si_status=%s: a signal ended the command",
			map[int32]string{killed: "CLD_KILLED", dumped: "CLD_DUMPED"}[info.Code],
			unix.SignalName(syscall.Signal(status)))
		status += 128
	}
	if sig := host.told(); sig != 0 {
		return 128 + int(sig)
	}
	return status
}
