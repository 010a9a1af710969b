package narrate

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
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
		example = commandLine("run", "/bin/sh")
	}
	if manual == "" {
		manual = "go run ./" + config.Program + " -h"
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

// Find returns the path of the command name as execve needs it: looked for in
// the PATH of environment, unless it holds a slash. When there is none it ends
// the program, with exit status 127, or 126 for one that cannot be run.
func Find(name string, environment []string) string {
	path, err := LookUp(name, environment)
	if err != nil {
		Fail(err)
	}
	return path
}

// LookUp is Find for a caller that wants the error, a *StatusError.
func LookUp(name string, environment []string) (string, error) {
	if name == "" {
		return "", &StatusError{Status: StatusNotFound, Err: errors.New("command not found: its name is empty"), Hint: hintNotFound}
	}
	candidates := []string{name}
	where := ""
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, variable := range environment {
			if list, ok := strings.CutPrefix(variable, "PATH="); ok {
				where = list
			}
		}
		for _, dir := range strings.Split(where, ":") {
			candidates = append(candidates, dir+"/"+name)
		}
	}
	var refused error
	for _, path := range candidates {
		err := executable(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			refused = fmt.Errorf("%s cannot be run: %s", path, errnoText(err))
		}
	}
	if refused != nil {
		return "", &StatusError{Status: StatusCannotRun, Err: refused, Hint: hintNotExecutable}
	}
	problem := fmt.Errorf("command not found: %s does not exist", name)
	if where != "" {
		problem = fmt.Errorf("command not found: %s is in none of the folders of PATH, %s", name, strings.ReplaceAll(where, ":", " "))
	}
	return "", &StatusError{Status: StatusNotFound, Err: problem, Hint: hintNotFound}
}

// executable says why path cannot be run, nil when it can.
func executable(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	return unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS)
}
