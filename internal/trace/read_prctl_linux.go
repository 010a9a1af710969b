package trace

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// privilegeReaders are for what a process may do.
var privilegeReaders = map[string]reader{
	"prctl": (*Call).readPrctl,
}

func (c *Call) readPrctl(v [6]uint64) []string {
	option := choice(half(v[0]), prctlOptions)
	if half(v[0]) == unix.PR_SET_PDEATHSIG {
		return []string{option, signalName(syscall.Signal(v[1]))}
	}
	return []string{option, left}
}
