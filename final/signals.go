//go:build linux

package main

import (
	"os"
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
// namespace gets no signal that it does not catch, so Ctrl-C alone may do nothing.
const patience = 2 * time.Second

// hostSide is what the host's side must know to end well, whatever happens: the
// process it started, and the signal that it was told to end with.
type hostSide struct {
	mu         sync.Mutex
	phase      phase
	process    *os.Process // the container's side, then the command; nil when there is none
	told       syscall.Signal
	interrupts []time.Time
}

type phase int

const (
	inTheMaking phase = iota // a signal ends what is being made
	inUse                    // the command runs: Ctrl-C is its own
	inRemoval                // signals wait until all is removed
)

var host hostSide

// takeSignals takes over the signals that would end us before we have removed
// what we make. What was ignored from the start (nohup) stays so.
func (h *hostSide) takeSignals() {
	signals := make(chan os.Signal, 8)
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE} {
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
	case sig == unix.SIGPIPE: // nobody reads what we say anymore, which is no reason to end
	case h.phase == inRemoval:
	case h.phase == inUse && (sig == unix.SIGINT || sig == unix.SIGQUIT):
		h.interrupt(sig)
	default:
		if h.process != nil {
			interject("%s: the container is killed.", unix.SignalName(sig))
		}
		h.end(sig)
	}
}

// interrupt is a Ctrl-C that belongs to the command.
func (h *hostSide) interrupt(sig syscall.Signal) {
	h.interrupts = append(h.interrupts, time.Now())
	n := len(h.interrupts)
	within := func(times int) bool {
		return n >= times && h.interrupts[n-1].Sub(h.interrupts[n-times]) <= patience
	}
	deaf := isDeaf(h.process.Pid, sig)
	switch {
	case within(3):
		interject("Ctrl-C for the third time within %v: the container is killed.", patience)
		h.end(sig)
	case within(2) && !deaf:
		interject("Ctrl-C belongs to the command. Once more within %v kills the container.", patience)
	case !within(2) && deaf:
		interject("%s Twice more within %v kills the container.", whyDeaf, patience)
	}
}

// whyDeaf says why Ctrl-C does nothing to a command.
const whyDeaf = "The command is number 1 of its PID namespace, and does not catch Ctrl-C: so it does not get it."

// isDeaf reports whether a signal from its own PID namespace's terminal never
// reaches a process: it is number 1 there, and does not catch it. See
// pid_namespaces(7).
func isDeaf(pid int, sig syscall.Signal) bool {
	status := proc.Read("/proc/" + strconv.Itoa(pid) + "/status")
	caught, err := strconv.ParseUint(proc.Field(status, "SigCgt"), 16, 64)
	return err == nil && strings.HasSuffix(proc.Field(status, "NSpid"), "\t1") && caught&(1<<(sig-1)) == 0
}

// end kills the container and remembers why. The host's side then goes on to
// remove what it made.
func (h *hostSide) end(sig syscall.Signal) {
	if h.told == 0 {
		h.told = sig
	}
	if h.process != nil {
		h.process.Kill()
	}
}

// started remembers the container's side, so that it ends when we do.
func (h *hostSide) started(pid int) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.process = process
	if h.told != 0 { // it came while we were in clone
		process.Kill()
	}
	return nil
}

// enter enters a phase.
func (h *hostSide) enter(p phase) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase = p
}

// wait waits for the end of the process that was started.
func (h *hostSide) wait() (syscall.WaitStatus, error) {
	state, err := h.process.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase, h.process = inRemoval, nil
	if err != nil {
		return 0, err
	}
	return state.Sys().(syscall.WaitStatus), nil
}

// kill ends the process that was started, if it is still there, so that what it
// used can be removed.
func (h *hostSide) kill() (status syscall.WaitStatus) {
	h.enter(inRemoval)
	if h.process != nil {
		h.process.Kill()
		status, _ = h.wait()
	}
	return status
}

// toldToEnd is the signal that has told us to end, 0 for none.
func (h *hostSide) toldToEnd() syscall.Signal {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told
}

// do does one step after the other, up to the first that fails, or until a signal
// tells us to end: after that it is no wonder that something fails.
func (h *hostSide) do(steps ...func() error) error {
	for _, step := range steps {
		err := step()
		if sig := h.toldToEnd(); sig != 0 {
			return told{sig}
		}
		if err != nil {
			return kernelError{err}
		}
	}
	return nil
}
