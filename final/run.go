//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/idmap"
	"gonsrun/final/internal/mounts"
	"gonsrun/final/internal/narrate"
	"gonsrun/final/internal/selfexe"
	"gonsrun/final/internal/terminal"
)

// What the container's side finds open, after stdin, stdout, stderr and the
// narrator's socket.
const (
	specFD    = 4 // a pipe with its description
	consoleFD = 5 // what becomes of its stdin, stdout and stderr, see console.go
	idsFD     = 6 // a pipe that says when its user ids are mapped
	lowerFD   = 7 // a socket on which the root file system is lent, see lendRoot
)

// run is a container's life as the host's side sees it: creating, created,
// running, stopped. What it makes is written down first, and removed at the
// end, however that comes.
func run(o *options) int {
	spec, note, err := o.spec()
	check(err)
	sweep()
	if note != "" {
		narrate.Note("%s", note)
	}
	forwarder, err := spec.Network.listen()
	check(err)
	c := create(spec, o)
	defer c.destroy()
	c.forwarder = forwarder
	check(c.openConsole(o))

	narrate.Chapter("namespaces")
	c.explainWithout()
	c.clone()
	c.writeDown()
	c.mapIDs()
	narrate.Chapter("limits")
	c.limit()
	narrate.Chapter("network")
	check(c.connect())
	c.become(created)

	c.describe()
	narrate.Begin(c.state.PID)
	return c.wait()
}

// clone starts this program again, as the container's side, in new namespaces.
func (c *container) clone() {
	var flags uintptr
	var names []string
	for _, ns := range namespaces {
		if c.spec.has(ns.name) {
			flags |= ns.bit
			names = append(names, ns.flag+"|")
		}
	}
	exe, err := selfexe.Open()
	check(err)
	defer unix.Close(exe)
	path := fmt.Sprintf("/proc/self/fd/%d", exe)
	args := []string{path, "child"}
	sys := &syscall.SysProcAttr{
		Cloneflags: flags,
		Pdeathsig:  unix.SIGKILL, // if we are killed, it must not live on
	}
	if c.spec.has("user") {
		c.ids, err = idmap.For(os.Getuid(), os.Getgid())
		check(err)
		if c.ids.NeedsHelper() {
			args = append(args, "unmapped")
		} else {
			c.ids.Attributes(sys)
		}
	}

	c.pipes.spec, c.pipes.specEnd = pipe()
	c.pipes.ids, c.pipes.idsEnd = pipe()
	lower, lowerEnd := socketPair()
	defer unix.Close(lower)
	c.state.PID = narrate.Started(c.explain(narrate.TryResult("A new process begins as a copy of this one, in new namespaces: the names and numbers in them are its own.",
		fmt.Sprintf("clone(…, flags=…%sSIGCHLD)", strings.Join(names, "")),
		func() (int, error) {
			return syscall.ForkExec(path, args, &syscall.ProcAttr{
				Env:   os.Environ(),
				Files: append(narrate.Files(), uintptr(c.pipes.specEnd), uintptr(c.console.containerEnd), uintptr(c.pipes.idsEnd), uintptr(lowerEnd)),
				Sys:   sys,
			})
		})))
	for _, fd := range []int{c.pipes.specEnd, c.pipes.idsEnd, c.console.containerEnd, lowerEnd} {
		unix.Close(fd)
	}
	for _, ns := range namespaces {
		if c.spec.has(ns.name) {
			narrate.Namespaces(c.state.PID, ns.name)
		}
	}
	narrate.NSpid(c.state.PID)
	c.lendRoot(lower)
	c.save()
}

// explain adds, to the error of a clone with a user namespace, why this machine
// may refuse that, and what to type.
func (c *container) explain(pid int, err error) (int, error) {
	if err != nil && c.spec.has("user") {
		if reason := idmap.Restricted(); reason != "" {
			err = &narrate.StatusError{Status: narrate.StatusFailed, Err: err, Hint: reason}
		}
	}
	return pid, err
}

// lendRoot hands the root file system to the container's side, when root there
// is nobody outside: walking to it, through the home of the host's root, is not
// theirs to do, and its files would belong to nobody. Lent is a mount of it, at
// no place yet, on which the container's root owns what root owns.
func (c *container) lendRoot(socket int) {
	if !c.spec.Root.Lent {
		return
	}
	tree, err := mounts.Clone(c.spec.Root.Path)
	check(err)
	defer unix.Close(tree)
	if err := mounts.MapIDs(tree, c.state.PID); err != nil {
		narrate.Note("Files of the root file system will be nobody's in there: %v.", err)
	}
	check(terminal.SendFile(socket, tree))
}

// namespaces in the order in which strace prints their flags. The cgroup
// namespace is made later: it shows as its root the cgroup that it was made in.
var namespaces = []struct {
	name, flag string
	bit        uintptr
}{
	{"mnt", "CLONE_NEWNS", unix.CLONE_NEWNS},
	{"uts", "CLONE_NEWUTS", unix.CLONE_NEWUTS},
	{"ipc", "CLONE_NEWIPC", unix.CLONE_NEWIPC},
	{"user", "CLONE_NEWUSER", unix.CLONE_NEWUSER},
	{"pid", "CLONE_NEWPID", unix.CLONE_NEWPID},
	{"net", "CLONE_NEWNET", unix.CLONE_NEWNET},
}

// explainWithout says what is left out, and what else that makes impossible.
func (c *container) explainWithout() {
	for _, primitive := range c.spec.Without {
		narrate.Note("Left out: %s. %s", primitive, consequences[primitive])
	}
}

// describe hands the description to the container's side, which reads it after
// the narrator's hello: it may be larger than what a pipe holds.
func (c *container) describe() {
	description, err := json.Marshal(c.spec)
	check(err)
	go func() {
		f := os.NewFile(uintptr(c.pipes.spec), "description")
		f.Write(description) // should it fail, the other side has died, or says what is missing
		f.Close()
	}()
}

// wait waits for the container's end, and says how it came.
func (c *container) wait() int {
	c.state.ExitStatus = c.await(c.state.PID, func() {
		c.become(running)
		if c.state.Detached {
			c.goQuiet()
		}
	})
	if c.group != nil {
		if kills := c.group.OOMKills(); kills > 0 {
			c.state.OOMKilled = true
			narrate.Evidence("oom_kill %d: the memory limit was reached, and the kernel killed a process for it", kills)
		}
	}
	if !narrate.Began() { // nobody has been told its id
		c.state.AutoRemove = true
	}
	c.state.Finished = time.Now().UTC()
	c.become(stopped)
	return c.state.ExitStatus
}

// await waits for the end of a process that is about to become its command, and
// returns its exit status. begun is called when the command runs.
func (c *container) await(pid int, begun func()) int {
	var info unix.Siginfo
	var broken error
	narrate.Wait("All is set up. Now wait until the command ends, and learn how it ended.",
		fmt.Sprintf("waitid(P_PID, %d, …, WEXITED, NULL)", pid),
		func() error {
			if narrate.Began() {
				if broken = c.startConsole(pid); broken != nil {
					unix.Kill(pid, unix.SIGKILL)
				}
				begun()
			}
			return unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED, nil)
		})
	c.finishConsole()
	check(broken)
	return narrate.Status(&info)
}

// become writes down the container's new status.
func (c *container) become(status string) {
	c.state.Status = status
	if status != stopped || !c.state.AutoRemove {
		c.save()
	}
}

// pipe returns a pipe's two ends, the one for us to write to first.
func pipe() (write, read int) {
	var ends [2]int
	check(os.NewSyscallError("pipe2", unix.Pipe2(ends[:], unix.O_CLOEXEC)))
	return ends[1], ends[0]
}

// socketPair returns a socket's two ends.
func socketPair() (host, container int) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(os.NewSyscallError("socketpair", err))
	return pair[0], pair[1]
}

// receiveSpec reads the description that the host's side sends.
func receiveSpec() (spec Spec) {
	unix.CloseOnExec(specFD)
	f := os.NewFile(specFD, "description")
	defer f.Close()
	if err := json.NewDecoder(f).Decode(&spec); err != nil {
		narrate.Fail(fmt.Errorf("read the description of the container: %w", err))
	}
	return spec
}

// check ends the program with what went wrong and what to do about it.
func check(err error) {
	if err != nil {
		narrate.Fail(err)
	}
}

// runCommand is the verb run.
func runCommand() command {
	var o options
	return command{
		name: "run", synopsis: "[flags] COMMAND [ARG…]", narrates: true,
		summary: "run a command in a new container",
		asRoot:  true,
		example: `final run -memory 64m -p 8080:80 -v "$PWD":/src /bin/sh`,
		define:  o.flags,
		prepare: func(config *narrate.Config) {
			o.terminal = o.terminal || o.both || onTerminal() && !o.detach
			config.OwnTerminal = o.terminal || o.detach
		},
		do: func(args []string) int {
			o.command = args
			if len(args) == 0 {
				narrate.FailUsage("\"run\" needs a command to run")
			}
			check(o.complete())
			if o.detach && !keeper {
				return detach()
			}
			return run(&o)
		},
	}
}

// commands are the verbs, in the order of the manual.
func commands() []command {
	return slices.Concat([]command{runCommand()}, lifeCommands())
}
