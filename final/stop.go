//go:build linux

package main

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const maxSeconds = 1 << 30 // a generation

func stopCommand() command {
	var seconds int
	return command{
		name: "stop", synopsis: "[-t SECONDS] CONTAINER…", summary: "end containers: SIGTERM, and SIGKILL when that does not help",
		example: "final stop -t 2 web",
		define:  func(f *flag.FlagSet) { f.IntVar(&seconds, "t", 10, "`seconds` to wait before SIGKILL") },
		do: func(args []string) (int, error) {
			if seconds < 0 || seconds > maxSeconds {
				return 0, fmt.Errorf("-t %d: give a number of seconds from 0 to %d", seconds, maxSeconds)
			}
			deadline := time.Now().Add(time.Duration(seconds) * time.Second)
			// All are told first, so that they end side by side.
			for _, name := range args {
				if c, err := find(name); err == nil && c.alive() {
					c.kill(unix.SIGTERM)
				}
			}
			return each(args, func(c *container) error { return c.stopped(deadline) })
		},
	}
}

// stopped waits until the container's first process has ended, and kills it at
// the deadline.
func (c *container) stopped(deadline time.Time) error {
	if !c.alive() {
		c.awaitKeeper()
		return nil
	}
	if c.state.PID == 0 {
		return c.kill(unix.SIGTERM) // which says why not
	}
	process, err := unix.PidfdOpen(c.state.PID, 0)
	if err == unix.ESRCH {
		c.awaitKeeper()
		return nil
	}
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", c.state.PID, err)
	}
	defer unix.Close(process)
	if !waitFor(process, max(0, time.Until(deadline))) {
		unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0)
		waitFor(process, -1)
	}
	c.awaitKeeper()
	return nil
}

// waitFor waits until the process has ended, and reports whether it has.
// A negative patience has no end.
func waitFor(process int, patience time.Duration) bool {
	deadline := time.Now().Add(patience)
	for {
		timeout := -1
		if patience >= 0 {
			timeout = int(max(0, time.Until(deadline).Milliseconds()))
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, timeout)
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// awaitKeeper waits until whoever looks after the container has cleaned up.
func (c *container) awaitKeeper() {
	fd, err := unix.Open(c.dir.Path+"/lock", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return // removed already
	}
	defer unix.Close(fd)
	for unix.Flock(fd, unix.LOCK_EX) == unix.EINTR {
	}
}

func killCommand() command {
	var name string
	return command{
		name: "kill", synopsis: "[-s SIGNAL] CONTAINER…", summary: "send a signal to a container's first process",
		example: "final kill -s HUP web",
		define:  func(f *flag.FlagSet) { f.StringVar(&name, "s", "KILL", "the `signal`, by name or number") },
		do: func(args []string) (int, error) {
			sig, err := parseSignal(name)
			if err != nil {
				return 0, err
			}
			return each(args, func(c *container) error {
				if !c.alive() {
					return fmt.Errorf("container %s is not running", c.state.Name)
				}
				if err := c.kill(sig); err != nil {
					return err
				}
				if sig == unix.SIGKILL {
					c.awaitKeeper()
				}
				return nil
			})
		},
	}
}

// parseSignal reads TERM, SIGTERM or 15.
func parseSignal(name string) (syscall.Signal, error) {
	if number, err := strconv.Atoi(name); err == nil && number > 0 && number <= 64 {
		return syscall.Signal(number), nil
	}
	upper := strings.ToUpper(name)
	if sig := unix.SignalNum("SIG" + strings.TrimPrefix(upper, "SIG")); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("-s %s: there is no such signal. See which there are:\n  kill -l", name)
}
