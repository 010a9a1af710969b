//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// The two sides speak through two pipes, each in one direction.
//
//	host → container   the description. It comes when the host's side has made all
//	                   that it makes: the container's side need not wait for more.
//	container → host   messages. The end after ready means that execve has closed
//	                   the pipe: the command runs. Any other end is a failure.
//
// If a side dies, the kernel closes its end: nobody waits for ever.

// message is what the container's side tells the host's.
type message struct {
	Note    argument `json:"note,omitempty"`  // what a user should know
	Ready   bool     `json:"ready,omitempty"` // the next call is execve
	Failure *failure `json:"failure,omitempty"`
}

// failure is why the container's side has ended before it became the command.
type failure struct {
	Text    argument      `json:"text"`
	Hint    string        `json:"hint,omitempty"` // what the reader can type next
	Status  int           `json:"status"`         // the exit status
	Call    string        `json:"call,omitempty"` // the system call that failed
	Errno   syscall.Errno `json:"errno,omitempty"`
	PID     int           `json:"pid"`     // as the container's side sees itself
	Process string        `json:"process"` // the /proc/PID/status that it began with
}

func (f *failure) Error() string   { return string(f.Text) }
func (f *failure) ExitStatus() int { return f.Status }

// containerSide is the container's side of run and exec: it does first at once, and
// do with the description. Neither returns when all goes well.
func containerSide(first func() error, do func(Spec) error) {
	if !isPipe(specFD) || !isPipe(reportFD) {
		complain(usage("%q is the container's side, and nobody types it", os.Args[1]))
		os.Exit(statusFailed)
	}
	process := proc.Read("/proc/self/status") // while /proc is the host's
	var err error
	if first != nil {
		err = first()
	}
	var spec Spec
	if err == nil {
		spec, err = receiveSpec()
	}
	if err == nil {
		err = do(spec)
	}
	call, errno := callOf(err)
	f := failure{argument(err.Error()), ownHint(err), exitStatus(err), call, errno, os.Getpid(), process}
	tellHost(message{Failure: &f})
	os.Exit(f.Status)
}

// tellHost sends a message. When nobody reads it, the host's side has died.
func tellHost(m message) error {
	text, err := json.Marshal(m)
	for err == nil && len(text) > 0 {
		var n int
		if n, err = unix.Write(reportFD, text); err == unix.EINTR {
			err = nil
		}
		text = text[max(n, 0):]
	}
	return err
}

// noteToHost has the host's side say something that a user should know.
func noteToHost(format string, args ...any) {
	tellHost(message{Note: argument(fmt.Sprintf(format, args...))})
}

// awaitCommand says what the container's side has to say, and returns when it has
// become the command, or with the reason why not.
func (c *container) awaitCommand() error {
	report := os.NewFile(uintptr(c.ours.report), "report")
	c.ours.report = 0
	defer report.Close()
	messages := json.NewDecoder(report)
	ready := false
	for {
		var m message
		switch err := messages.Decode(&m); {
		case err == io.EOF && ready:
			return nil
		case err != nil:
			return c.diedEarly()
		case m.Failure != nil:
			return m.Failure
		case m.Note != "":
			note("%s", string(m.Note))
		}
		ready = ready || m.Ready
	}
}

// cause is why the container's side has ended, if it has; else it is err, with which
// the host's side has failed. What fails for want of the other side is not the cause.
func (c *container) cause(err error) error {
	var signal told
	if c.ours.report == 0 || errors.As(err, &signal) {
		return err
	}
	patience := 0
	if errors.Is(err, unix.ESRCH) { // a process that is just ending has no namespaces, and still its descriptors
		patience = 1000 // ms
	}
	report := []unix.PollFd{{Fd: int32(c.ours.report)}}
	if unix.Poll(report, patience); report[0].Revents&unix.POLLHUP == 0 {
		return err
	}
	if theirs := c.awaitCommand(); theirs != nil {
		return theirs
	}
	return err
}

// diedEarly is the error for a container's side that has ended without a word.
func (c *container) diedEarly() error {
	status := host.kill()
	err := fmt.Errorf("the container's side has ended before it became the command: exit status %d", status.ExitStatus())
	if status.Signaled() {
		err = &statusError{128 + int(status.Signal()), "",
			fmt.Errorf("%s has ended the container's side before it became the command", unix.SignalName(status.Signal()))}
	}
	return err
}

func isPipe(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}
