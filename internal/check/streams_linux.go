package check

import (
	"fmt"
	"strings"
)

// The command of a run prints ready, reads a line, prints it, complains and ends
// with status 7.

func (r *run) otherStatus() string {
	if r.status == 7 {
		return ""
	}
	cause := fmt.Sprintf("The command ended with status 7, and your program %s", endedHow(r.status))
	if r.unwaited {
		return cause + ": it has not waited for the command (waitid, or wait4), which would have told it the status."
	}
	return cause + "."
}

func (r *run) otherStreams() string {
	switch {
	case !strings.Contains(r.stdout, "ready"):
		return "What the command prints does not come out of your program's stdout."
	case !strings.Contains(r.stdout, "got go on"):
		return "The command does not get your program's stdin: it was sent a line, and read none."
	case !strings.Contains(r.stderr, "oops"):
		return "What the command prints on stderr does not come out of your program's stderr."
	}
	return ""
}
