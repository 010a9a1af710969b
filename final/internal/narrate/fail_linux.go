package narrate

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	catalog "gonsrun/internal/narrate"
	"gonsrun/internal/proc"
)

// Exit statuses, as docker-run(1) has them.
const (
	StatusFailed    = 125 // this program failed
	StatusCannotRun = 126 // the command cannot be run
	StatusNotFound  = 127 // the command is not found
)

// StatusError is an error that knows its exit status and what to do about it.
// Another type can have an ExitStatus method too.
type StatusError struct {
	Status int
	Hint   string // what the reader can type next, "" for nothing
	Err    error
}

// Error is the error's text, without the hint.
func (e *StatusError) Error() string { return e.Err.Error() }

// ExitStatus is the exit status that stands for the error.
func (e *StatusError) ExitStatus() int { return e.Status }

// Unwrap returns the error inside.
func (e *StatusError) Unwrap() error { return e.Err }

// Fail ends this side with what went wrong and what to do about it. Deferred
// functions of the host's side run first: they remove what was made. After a
// signal has killed the container it is no wonder that something fails.
func Fail(err error) {
	stopIfInterrupted()
	Report(err)
	end(ExitStatus(err))
}

// FailUsage ends the program for bad input, with a line that works.
func FailUsage(problem string) {
	example, manual := config.Example, config.Manual
	if example == "" {
		example = proc.Typed(config.Program, true, "run", "/bin/sh")
	}
	if manual == "" {
		manual = proc.Typed(config.Program, false, "-h")
	}
	Fail(&StatusError{Status: StatusFailed, Err: errors.New(problem),
		Hint: fmt.Sprintf("One line that works:\n  %s\nThe manual:\n  %s", example, manual)})
}

// ExitStatus is the exit status that stands for err.
func ExitStatus(err error) int {
	var status interface{ ExitStatus() int }
	var call *CallError
	switch {
	case errors.As(err, &status):
		return status.ExitStatus()
	case errors.As(err, &call) && strings.HasPrefix(call.Call, "execve("):
		if errors.Is(err, unix.ENOENT) {
			return StatusNotFound
		}
		return StatusCannotRun
	}
	return StatusFailed
}

// Report prints what went wrong and what to do about it. -quiet does not
// silence it.
func Report(err error) {
	hint := HintFor(err)
	if config.JSON {
		r := newRecord(strings.TrimSpace(err.Error()+"\n"+hint), "")
		r.Ret, r.Errno = -1, errnoName(err)
		r.print()
		return
	}
	var b block
	if !narrated(err) {
		b.text(badStyle, err.Error())
	}
	if hint != "" {
		b.text(plainStyle, hint)
	}
	if b.lines != nil {
		b.print()
	}
}

// lastAnswer is the call whose answer stands in the narration last.
var lastAnswer *CallError

// narrated reports whether the narration has just shown err.
func narrated(err error) bool {
	var call *CallError
	return errors.As(err, &call) && call == lastAnswer && !config.Quiet && err.Error() == call.Error()
}

// LookUp is proc.LookUp with an error that knows its exit status: 127 for a
// command that is not there, 126 for one that cannot be run.
func LookUp(name string, environment []string) (string, error) {
	path, err := proc.LookUp(name, environment)
	switch {
	case errors.Is(err, proc.ErrNotFound):
		err = &StatusError{Status: StatusNotFound, Err: err, Hint: catalog.HintNotFound}
	case errors.Is(err, proc.ErrNotExecutable):
		err = &StatusError{Status: StatusCannotRun, Err: err, Hint: catalog.HintNotExecutable}
	}
	return path, err
}
