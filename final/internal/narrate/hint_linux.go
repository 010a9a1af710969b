package narrate

import (
	"errors"
	"strings"
	"syscall"

	catalog "gonsrun/internal/narrate"
	"gonsrun/internal/proc"
)

// HintFor says what the reader can do about err, "" when there is nothing to say.
func HintFor(err error) string {
	var status *StatusError
	if errors.As(err, &status) && status.Hint != "" {
		return status.Hint
	}
	var call *CallError
	var errno syscall.Errno
	if !errors.As(err, &call) || !errors.As(err, &errno) {
		return ""
	}
	name, _, _ := strings.Cut(call.Call, "(")
	return catalog.Hint(name, errno, proc.Read("/proc/self/status"), config.AsRoot)
}
