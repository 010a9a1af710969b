package lessontest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// SystemCall is one system call as strace -f -y recorded it.
type SystemCall struct {
	Thread  int    // who made it
	Process int    // the process that this thread belongs to
	Name    string // sethostname
	Args    string // "container", 9
	Ret     int    // -1 for an error
	Errno   string // "" for success, else a name as in errno(3)
	Done    bool   // it has returned; false when its process ended in it, or a signal made it start again
}

// String is the call as strace prints it.
func (c SystemCall) String() string {
	switch {
	case !c.Done:
		return fmt.Sprintf("%s(%s) = ?", c.Name, c.Args)
	case c.Errno != "":
		return fmt.Sprintf("%s(%s) = -1 %s", c.Name, c.Args, c.Errno)
	}
	return fmt.Sprintf("%s(%s) = %d", c.Name, c.Args, c.Ret)
}

// MakesProcess reports whether c is a clone that makes a process, not a thread.
func (c SystemCall) MakesProcess() bool {
	switch c.Name {
	case "clone", "clone3":
		return !strings.Contains(c.Args, "CLONE_THREAD")
	case "fork", "vfork":
		return true
	}
	return false
}

// Namespaces returns the CLONE_NEW… flags among the arguments of a call.
func Namespaces(args string) []string {
	return regexp.MustCompile(`CLONE_NEW[A-Z]+`).FindAllString(args, -1)
}

var (
	straceLine      = regexp.MustCompile(`^(\d+) +(.*)$`)
	straceCall      = regexp.MustCompile(`(?s)^(\w+)\((.*)\) += (.*)$`)
	straceResumed   = regexp.MustCompile(`^<\.\.\. \w+ resumed>(.*)$`)
	straceMoved     = regexp.MustCompile(`^(.*) <pid changed to (\d+) \.\.\.>$`)
	straceDirectory = regexp.MustCompile(`AT_FDCWD<[^>]*>`)
)

const straceUnfinished = " <unfinished ...>"

// ParseStrace reads what strace -f -y -o FILE wrote. The calls come in the
// order in which they began. A call that strace wrote in two parts, because
// another thread came between, is one call here.
func ParseStrace(text string) []SystemCall {
	var calls []SystemCall
	open := map[int]int{}     // thread → the call that it has not returned from
	begun := map[int]string{} // thread → what was written of that call
	begin := func(thread int, text string) {
		open[thread], begun[thread] = len(calls), text
		name, args, _ := strings.Cut(text, "(")
		calls = append(calls, SystemCall{Thread: thread, Name: name, Args: args})
	}
	for _, line := range strings.Split(text, "\n") {
		parts := straceLine.FindStringSubmatch(line)
		if parts == nil {
			continue
		}
		thread, _ := strconv.Atoi(parts[1])
		rest := parts[2]
		if strings.HasPrefix(rest, "+++") || strings.HasPrefix(rest, "---") {
			continue
		}
		if moved := straceMoved.FindStringSubmatch(rest); moved != nil {
			// execve in a thread that is not the first: it gets the first one's pid.
			thread, _ = strconv.Atoi(moved[2])
			begin(thread, moved[1])
			continue
		}
		if unfinished, ok := strings.CutSuffix(rest, straceUnfinished); ok {
			begin(thread, unfinished)
			continue
		}
		if resumed := straceResumed.FindStringSubmatch(rest); resumed != nil {
			rest = begun[thread] + resumed[1]
		} else {
			begin(thread, rest)
		}
		if i, ok := open[thread]; ok {
			calls[i].finish(rest)
			delete(open, thread)
		}
	}
	findProcesses(calls)
	return calls
}

// finish reads the whole text of a call.
func (c *SystemCall) finish(text string) {
	parts := straceCall.FindStringSubmatch(text)
	if parts == nil {
		return
	}
	c.Name = parts[1]
	c.Args = straceDirectory.ReplaceAllString(parts[2], "AT_FDCWD")
	result := strings.FieldsFunc(parts[3], func(r rune) bool { return r == ' ' || r == '<' })
	if len(result) == 0 || result[0] == "?" {
		return
	}
	c.Done = true
	ret, err := strconv.ParseInt(result[0], 0, 64)
	c.Ret = int(ret)
	if err == nil && ret == -1 && len(result) > 1 {
		c.Errno = result[1]
	}
}

// findProcesses fills in which process each thread belongs to. A thread's
// first call may be recorded before the clone that made it has returned.
func findProcesses(calls []SystemCall) {
	maker := map[int]int{} // thread → the thread that made it
	for _, c := range calls {
		if (c.Name == "clone" || c.Name == "clone3") && !c.MakesProcess() && c.Done && c.Errno == "" {
			maker[c.Ret] = c.Thread
		}
	}
	for i := range calls {
		process := calls[i].Thread
		for maker[process] != 0 {
			process = maker[process]
		}
		calls[i].Process = process
	}
}
