package check

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"gonsrun/internal/proc"
)

// trial is a run of the program that nobody traces: only how it ends counts.
type trial struct {
	pid    int
	stdin  *os.File
	output [2]*capture
	ended  map[int]int // the exit statuses of our children, by pid
}

// quiet is set for a program that was seen to have our narrator: what that does
// costs time, and is not what is checked.
var quiet bool

// knowsQuiet reports whether the program has our narrator's flag -quiet.
func knowsQuiet(program string) bool {
	_, t := tried(program, "-quiet", "run", "/bin/sh", "-c", "echo quiet")
	return t != nil && t.output[0].String() == "quiet\n"
}

// begin starts the program.
func begin(program string, args ...string) (*trial, error) {
	t := &trial{ended: map[int]int{}}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	t.stdin = write
	files := []*os.File{read, nil, nil}
	for i := range t.output {
		c, file, err := newCapture()
		if err != nil {
			return nil, err
		}
		defer file.Close()
		t.output[i], files[i+1] = c, file
	}
	if len(args) > 1 && quiet {
		args = append([]string{"-quiet"}, args...)
	}
	pid, letGo, err := start(program, args, files)
	if err != nil {
		return nil, err
	}
	t.pid = pid
	return t, letGo()
}

// wait waits for the program's end, and returns its exit status.
func (t *trial) wait() (status int, ended bool) {
	t.until(patience, func() bool { _, ended = t.ended[t.pid]; return ended })
	return t.ended[t.pid], ended
}

// soon waits like until, for what takes no time: on a machine with much to do it is
// waited for longer, as long as a process in the enclosure is about to do something.
func (t *trial) soon(is func() bool) bool {
	for end := time.Now().Add(patience); ; {
		switch {
		case t.until(soon, is):
			return true
		case !slices.ContainsFunc(allProcesses(), computes) || time.Now().After(end):
			return false
		}
	}
}

// until waits until is reports true, at most so long, and reports whether it did.
// Meanwhile it asks for all children that have ended.
func (t *trial) until(most time.Duration, is func() bool) bool {
	for end := time.Now().Add(most); ; time.Sleep(time.Millisecond) {
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
			t.ended[pid] = statusOf(status)
		}
		if is() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// saysReady waits until the command has written that it is ready. It returns why it
// has not, "" when it has.
func (t *trial) saysReady() string {
	said := func() bool { return strings.Contains(t.output[0].soFar(), ready) }
	t.until(longestRun, func() bool { _, over := t.ended[t.pid]; return said() || over })
	if said() {
		return ""
	}
	return "Started once more, your program did not run the command, and it did the first time."
}

func (c *capture) soFar() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// end ends what is left.
func (t *trial) end() {
	t.stdin.Close()
	killAll()
	t.until(soon, func() bool { return len(others()) == 0 })
}

// others lists the processes in the enclosure that live, without us.
func others() (living []string) {
	for _, pid := range allProcesses() {
		status := proc.Read(fmt.Sprintf("/proc/%d/status", pid))
		if state := proc.Field(status, "State"); pid != os.Getpid() && state != "" && !strings.HasPrefix(state, "Z") {
			living = append(living, proc.Field(status, "Name"))
		}
	}
	return living
}

// family is a command that tells when it runs and then sleeps; from lesson 3 on,
// when the kernel ends all processes of a PID namespace with its first, with a
// process in the background.
func family(lesson int) string {
	if lesson < 3 {
		return "echo ready; exec sleep 1000"
	}
	return "sleep 1000 & echo ready; sleep 1000; true"
}

// tried runs the program once, without stdin.
func tried(program string, args ...string) (status int, t *trial) {
	t, err := begin(program, args...)
	if err != nil {
		return 0, nil
	}
	t.stdin.Close()
	status, ended := t.wait()
	if !ended {
		status = stillRunning
	}
	t.end()
	return status, t
}

const stillRunning = 1 << 16
