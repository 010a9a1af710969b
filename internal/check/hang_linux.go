package check

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

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
	r.hangs, r.said = p.pid, len(r.output[1].soFar())
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
