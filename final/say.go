//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/narrate"
	"gonsrun/internal/proc"
)

// Exit statuses, as docker-run(1) has them.
const (
	statusFailed    = 125 // this program failed
	statusCannotRun = 126 // the command cannot be run
	statusNotFound  = 127 // the command is not found
)

// settings are how this program speaks, and how it is narrated: nothing is said
// but errors until the command line is read.
var settings = &narrate.Settings{Quiet: true}

// statusError is an error that knows its exit status and what to do about it.
// Another type can have an ExitStatus method, too.
type statusError struct {
	status int
	hint   string // what the reader can type next, "" for nothing
	err    error
}

func (e *statusError) Error() string   { return e.err.Error() }
func (e *statusError) ExitStatus() int { return e.status }
func (e *statusError) Unwrap() error   { return e.err }

// usageError is bad input: the reader is shown a line that works.
type usageError struct{ problem string }

func (e usageError) Error() string { return e.problem }

func usage(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// kernelError is an error of a step that asks something of the kernel: there may
// be advice for it.
type kernelError struct{ error }

func (e kernelError) Unwrap() error { return e.error }

// told is no error to speak of: a signal has told us to end.
type told struct{ signal syscall.Signal }

func (e told) Error() string   { return unix.SignalName(e.signal) }
func (e told) ExitStatus() int { return 128 + int(e.signal) }

// exitStatus is the exit status that stands for an error.
func exitStatus(err error) int {
	var status interface{ ExitStatus() int }
	switch {
	case errors.As(err, &status):
		return status.ExitStatus()
	case errors.Is(err, proc.ErrNotFound):
		return statusNotFound
	case errors.Is(err, proc.ErrNotExecutable):
		return statusCannotRun
	}
	return statusFailed
}

// hintFor says what the reader can do about an error, "" when there is nothing to say.
func hintFor(err error) string {
	var failed *failure
	var kernel kernelError
	hint := ownHint(err)
	switch {
	case hint != "":
		return hint
	case errors.As(err, &failed):
		return narrate.Hint(failed.Call, failed.Errno, failed.Process, rootLine)
	case errors.As(err, &kernel):
		call, errno := callOf(err)
		return narrate.Hint(call, errno, proc.Read("/proc/self/status"), rootLine)
	}
	return ""
}

// ownHint is what the error itself knows to do about it.
func ownHint(err error) string {
	var known *statusError
	var failed *failure
	switch {
	case errors.As(err, &known) && known.hint != "":
		return known.hint
	case errors.As(err, &failed):
		return failed.Hint
	case errors.Is(err, proc.ErrNotFound):
		return narrate.HintNotFound
	case errors.Is(err, proc.ErrNotExecutable):
		return narrate.HintNotExecutable
	}
	return ""
}

// rootLine is the line to type that does the same as root.
var rootLine string

// callOf returns the system call that failed with an error, and its errno.
func callOf(err error) (call string, errno syscall.Errno) {
	var one *os.SyscallError
	var path *os.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &one):
		call = one.Syscall
	case errors.As(err, &path):
		call = path.Op
	case errors.As(err, &link):
		call = link.Op
	}
	errors.As(err, &errno)
	call, _, _ = strings.Cut(call, " ")
	return call, errno
}

// note says one thing that is no error: nothing with -quiet, and nothing among
// the objects of -json.
func note(format string, args ...any) {
	if !settings.Quiet && !settings.JSON {
		write("final: " + narrate.Safe(fmt.Sprintf(format, args...)) + "\n")
	}
}

// interject is a note in the middle of the command's output: on a terminal there
// may be half a line of it, or the ^C that was typed. A raw one needs a carriage
// return to begin a line.
func interject(format string, args ...any) {
	if settings.Quiet || settings.JSON {
		return
	}
	text := "final: " + narrate.Safe(fmt.Sprintf(format, args...)) + "\n"
	if mode, err := unix.IoctlGetTermios(2, unix.TCGETS); err == nil {
		text = "\n" + text
		if mode.Oflag&unix.OPOST == 0 {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
	}
	write(text)
}

// complain says what went wrong, with the errno's name, and what to do about it.
// -quiet does not silence it; -json makes it an object like all others, without a call.
func complain(err error) {
	var signal told
	if errors.As(err, &signal) {
		return
	}
	text, hint := narrate.Safe(err.Error()), narrate.Safe(hintFor(err))
	side, pid := "host", os.Getpid()
	_, errno := callOf(err)
	var failed *failure
	if errors.As(err, &failed) {
		side, pid, errno = "container", failed.PID, failed.Errno
	}
	name := unix.ErrnoName(errno)
	if errno != 0 && !strings.Contains(text, name) {
		text = strings.Replace(text, errno.Error(), errno.Error()+" ("+name+")", 1)
	}
	if settings.JSON && !settings.Quiet {
		complainJSON(side, pid, name, strings.TrimSpace(text+"\n"+hint))
		return
	}
	if hint != "" {
		hint += "\n"
	}
	write("final: " + text + "\n" + hint)
}

func complainJSON(side string, pid int, errno, text string) {
	record := struct {
		Lesson string `json:"lesson"`
		Side   string `json:"side"`
		PID    int    `json:"pid"`
		Call   string `json:"call"`
		Args   string `json:"args"`
		Ret    int    `json:"ret"`
		Errno  string `json:"errno"`
		Why    string `json:"why"`
		Man    string `json:"man"`
		File   string `json:"file"`
		Line   int    `json:"line"`
	}{Lesson: "final", Side: side, PID: pid, Ret: -1, Errno: errno, Why: text}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(record) == nil {
		write(b.String())
	}
}

// write writes to stderr. That nobody reads it anymore is no reason to end.
func write(text string) {
	for b := []byte(text); len(b) > 0; {
		n, err := unix.Write(2, b)
		if err != nil && err != unix.EINTR {
			return
		}
		b = b[max(n, 0):]
	}
}
