//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
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
