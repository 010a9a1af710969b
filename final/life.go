//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// lifeCommands are the verbs for containers that are there.
func lifeCommands() []command {
	return []command{execCommand(), psCommand(), logsCommand(), stopCommand(), killCommand(), rmCommand(),
		inspectCommand(), statsCommand(), doctorCommand(), sweepCommand(), completionCommand()}
}

// theOne finds the container that is the only argument.
func theOne(args []string) (*container, error) {
	name, err := one(args, "container")
	if err != nil {
		return nil, err
	}
	return find(name)
}

func psCommand() command {
	var withStopped, onlyIDs, both, whole bool
	return command{
		name: "ps", synopsis: "[flags]", summary: "list the running containers", example: "final ps -a",
		manual: "To remove all of them:\n\n  final rm -f $(final ps -aq)",
		define: func(f *flag.FlagSet) {
			f.BoolVar(&withStopped, "a", false, "also those that have ended")
			f.BoolVar(&onlyIDs, "q", false, "only their ids")
			f.BoolVar(&both, "aq", false, "-a and -q")
			f.BoolVar(&both, "qa", false, "the same as -aq")
			f.BoolVar(&whole, "no-trunc", false, "shorten nothing, and show the pid and the address, too: as wide as it gets")
		},
		do: func(args []string) (int, error) {
			if err := noArguments(args); err != nil {
				return 0, err
			}
			sweep()
			list, err := all()
			if err != nil {
				return 0, err
			}
			list = slices.DeleteFunc(list, func(c *container) bool { return c.state.Status == stopped && !withStopped && !both })
			if onlyIDs || both {
				for _, c := range list {
					fmt.Println(c.state.ID)
				}
				return 0, nil
			}
			if whole {
				printWhole(list)
				return 0, nil
			}
			t := table{flexible: []flexible{{2, 8}, {4, 21}, {1, 12}, {4, 8}}}
			t.row("ID", "NAME", "COMMAND", "STATUS", "PORTS")
			for _, c := range list {
				t.row(c.state.ID, c.state.Name, shorten(c.commandLine(), 20), c.status(), c.ports())
			}
			t.print(columns())
			return 0, nil
		},
	}
}

// printWhole is ps -no-trunc, for scripts: one line for each container.
func printWhole(list []*container) {
	var t table
	t.row("ID", "NAME", "COMMAND", "STATUS", "PID", "ADDRESS", "PORTS")
	for _, c := range list {
		pid, address := fmt.Sprint(c.state.PID), c.spec.Network.Address
		if c.state.Status == stopped {
			pid, address = "", ""
		}
		t.row(c.state.ID, c.state.Name, printable(c.commandLine()), c.status(), pid, address, c.ports())
	}
	t.print(0)
}

func (c *container) commandLine() string { return strings.Join(words(c.spec.Process.Args), " ") }

// ports lead to the container while it runs.
func (c *container) ports() string {
	if c.state.Status == stopped {
		return ""
	}
	return strings.Join(c.spec.Network.Ports, " ")
}

// status is the container's, and since when.
func (c *container) status() string {
	if c.state.Status == stopped {
		return fmt.Sprintf("stopped (%d) %s ago", c.state.ExitStatus, since(c.state.Finished))
	}
	return c.state.Status + " " + since(c.state.Created)
}

// since is how long ago that was, as people say it.
func since(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// printable makes what would disturb a terminal visible.
func printable(text string) string {
	quoted := trace.Quote(text)
	return quoted[1 : len(quoted)-1]
}

// shorten cuts text to fit, and makes what would disturb a terminal visible.
func shorten(text string, longest int) string {
	runes := []rune(printable(text))
	if len(runes) > longest {
		runes = append(runes[:longest-1], '…')
	}
	return string(runes)
}

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

func rmCommand() command {
	var force bool
	return command{
		name: "rm", synopsis: "[-f] CONTAINER…", summary: "remove containers that have ended",
		example: "final rm -f web",
		define:  func(f *flag.FlagSet) { f.BoolVar(&force, "f", false, "end them first, with SIGKILL") },
		do: func(args []string) (int, error) {
			return each(args, func(c *container) error {
				if c.alive() {
					if !force {
						return fmt.Errorf("container %s is running. Stop it first, or type:\n  %s", c.state.Name, typed("rm", "-f", c.state.Name))
					}
					if err := c.kill(unix.SIGKILL); err != nil {
						return err
					}
				}
				c.awaitKeeper() // also of one that has only just ended
				sweep()
				if err := c.dir.Remove(); err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
				return nil
			})
		},
	}
}

// each does something to every container that is named, and prints those that
// it was done to.
func each(names []string, do func(*container) error) (status int, err error) {
	if len(names) == 0 {
		return 0, usage("name a container. See which there are:\n  %s", typed("ps", "-a"))
	}
	sweep()
	for _, name := range names {
		c, err := find(name)
		if err == nil {
			err = do(c)
		}
		if err != nil {
			complain(err)
			status = statusFailed
			continue
		}
		fmt.Println(name)
	}
	return status, nil
}

func sweepCommand() command {
	return command{
		name: "sweep", summary: "remove what killed containers left, as every command does", example: "final sweep",
		do: func(args []string) (int, error) {
			if err := noArguments(args); err != nil {
				return 0, err
			}
			for _, id := range sweep() {
				fmt.Println(id)
			}
			return 0, nil
		},
	}
}
