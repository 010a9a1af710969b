package trace

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"syscall"
)

// readSiginfo reads the siginfo_t of waitid: si_signo, si_errno, si_code, then at
// 16 si_pid, si_uid, si_status. See sigaction(2).
func (c *Call) readSiginfo() {
	info, err := c.memory().Bytes(c.Values[2], 128)
	if err != nil {
		return
	}
	field := func(at int) int { return int(int32(binary.LittleEndian.Uint32(info[at:]))) }
	if field(0) == 0 {
		c.Arguments[2] = "{}"
		return // WNOHANG, and nobody has ended
	}
	w := &Waited{Code: field(8), PID: field(16), UID: field(20), Status: field(24)}
	c.Arguments[2] = fmt.Sprintf("{si_signo=SIGCHLD, si_code=%s, si_pid=%d, si_uid=%d, si_status=%s, …}",
		w.CodeName(), w.PID, w.UID, w.StatusText())
	if w.Code <= cldDumped { // others are stopped, or go on
		c.Wait = w
	}
}

// readStatus reads the status word of wait4, see wait(2).
func (c *Call) readStatus() {
	word, err := c.memory().Bytes(c.Values[1], 4)
	if err != nil {
		return
	}
	status := syscall.WaitStatus(binary.LittleEndian.Uint32(word))
	c.Wait = &Waited{PID: int(c.Result)}
	switch {
	case status.Exited():
		c.Wait.Code, c.Wait.Status = cldExited, status.ExitStatus()
		c.Arguments[1] = fmt.Sprintf("[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", status.ExitStatus())
	case status.Signaled():
		c.Wait.Code, c.Wait.Status = cldKilled, int(status.Signal())
		core := ""
		if status.CoreDump() {
			c.Wait.Code, core = cldDumped, " && WCOREDUMP(s)"
		}
		c.Arguments[1] = fmt.Sprintf("[{WIFSIGNALED(s) && WTERMSIG(s) == %s%s}]", signalName(status.Signal()), core)
	case status.Stopped():
		c.Wait = nil
		c.Arguments[1] = fmt.Sprintf("[{WIFSTOPPED(s) && WSTOPSIG(s) == %s}]", signalName(status.StopSignal()))
	case status.Continued():
		c.Wait = nil
		c.Arguments[1] = "[{WIFCONTINUED(s)}]"
	default:
		c.Wait = nil
	}
}

// Values of si_code for SIGCHLD, see sigaction(2).
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

var childCodes = []constant{{cldExited, "CLD_EXITED"}, {cldKilled, "CLD_KILLED"}, {cldDumped, "CLD_DUMPED"},
	{4, "CLD_TRAPPED"}, {5, "CLD_STOPPED"}, {6, "CLD_CONTINUED"}}

// Exited reports whether the process ended itself, and was not killed.
func (w *Waited) Exited() bool { return w.Code == cldExited }

// CodeName is the name of the code.
func (w *Waited) CodeName() string {
	return choice(uint64(w.Code), childCodes)
}

// StatusText is the exit status, or the name of the signal.
func (w *Waited) StatusText() string {
	if w.Exited() {
		return strconv.Itoa(w.Status)
	}
	return signalName(syscall.Signal(w.Status))
}

// waitedFor is the id that a waitid waits for.
func (c *Call) waitedFor() string {
	if c.Values[0] == pPIDFD {
		return c.descriptor(c.Values[1])
	}
	return strconv.Itoa(int(int32(c.Values[1])))
}
