package check

import (
	"os/exec"
	"time"
)

// How long what is waited for may take, on a machine as most are.
var (
	patience     = 3 * time.Second        // without progress, then a program hangs
	longestRun   = 9 * time.Second        // with all its progress
	soon         = time.Second            // to end, when told to
	explaining   = time.Second            // to say where it is
	settled      = 4 * time.Millisecond   // nobody has made a call for so long
	settlingEnds = 500 * time.Millisecond // and is not waited for longer
	quietCommand = 400 * time.Millisecond // a command that says nothing is looked at, nevertheless
)

// longest is how long a whole check may take.
const longest = 40 * time.Second

const (
	usualStart = 5 * time.Millisecond // a shell needs less, on most machines
	slowest    = 8
)

// pace is how many times slower this machine is than most, at least 1: an emulated
// one runs programs at a tenth of their speed, and is no reason to accuse them.
func pace() time.Duration {
	fastest := slowest * usualStart
	for range 3 {
		began := time.Now()
		exec.Command("/bin/sh", "-c", ":").Run()
		fastest = min(fastest, time.Since(began))
	}
	return max(1, fastest/usualStart)
}

// slowDown has everything waited for at this machine's pace.
func slowDown() {
	pace := pace()
	for _, limit := range []*time.Duration{&patience, &longestRun, &soon, &explaining, &settled, &settlingEnds, &quietCommand} {
		*limit *= pace
	}
}
