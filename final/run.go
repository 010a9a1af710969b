//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/idmap"
	"gonsrun/final/internal/mounts"
	"gonsrun/final/internal/selfexe"
	"gonsrun/final/internal/terminal"
)

// run is a container's life as the host's side sees it: creating, created,
// running, stopped. What it makes is written down first, and removed at the
// end, however that comes.
func run(o *options) (status int, err error) {
	spec, made, err := o.spec()
	if err != nil {
		return 0, err
	}
	sweep()
	if made != "" {
		note("%s", made)
	}
	forwarder, err := spec.Network.listen()
	if err != nil {
		return 0, err
	}
	narrateFromHere("final", false)
	c, err := create(spec, o)
	if err != nil {
		return 0, err
	}
	defer c.destroy()
	defer host.kill()
	c.forwarder = forwarder
	c.noteLeftOut()

	err = host.do(
		func() error { return c.openConsole(o.detach) },
		c.clone,
		c.lendRoot,
		c.writeDown,
		c.mapIDs,
		c.limit,
		c.connect,
		func() error { return c.become(created) },
		c.describe,
		c.awaitCommand,
	)
	if err != nil {
		return 0, c.cause(err)
	}
	return c.watchOver()
}

// clone starts this program again, as the container's side, in new namespaces.
func (c *container) clone() error {
	flags, names := c.cloneFlags()
	sys := &syscall.SysProcAttr{
		Cloneflags: flags,
		Pdeathsig:  unix.SIGKILL, // if we are killed, it must not live on
	}
	role := []string{"child"}
	if c.spec.has("user") {
		var err error
		if c.ids, err = idmap.For(os.Getuid(), os.Getgid()); err != nil {
			return err
		}
		if c.ids.NeedsHelper() {
			role = append(role, "unmapped")
		} else {
			c.ids.Attributes(sys)
		}
	}
	exe, err := selfexe.Open()
	if err != nil {
		return err
	}
	defer unix.Close(exe)
	var theirs pipes
	if c.ours, theirs, err = openPipes(); err != nil {
		return err
	}
	path := fmt.Sprintf("/proc/self/fd/%d", exe)
	pid, err := syscall.ForkExec(path, append([]string{path}, role...), &syscall.ProcAttr{
		Env: os.Environ(), Files: theirs.files(c.console.containerEnd), Sys: sys,
	})
	theirs.close()
	unix.Close(c.console.containerEnd)
	if err != nil {
		return c.explainClone(os.NewSyscallError("clone "+names, err))
	}
	c.state.PID = pid
	return host.started(pid)
}

// cloneFlags are the namespaces to make, as flags of clone(2) and by their names.
func (c *container) cloneFlags() (flags uintptr, names string) {
	var list []string
	for _, ns := range namespaces {
		if c.spec.has(ns.name) {
			flags |= ns.bit
			list = append(list, ns.flag)
		}
	}
	return flags, strings.Join(list, "|")
}

// explainClone adds, to the error of a clone with a user namespace, why this
// machine may refuse that, and what to type.
func (c *container) explainClone(err error) error {
	if reason := idmap.Restricted(); reason != "" && c.spec.has("user") {
		return &statusError{statusFailed, reason, err}
	}
	return err
}

// lendRoot hands the root file system to the container's side, when root there
// is nobody outside: walking to it, through the home of the host's root, is not
// theirs to do, and its files would belong to nobody. Lent is a mount of it, at
// no place yet, on which the container's root owns what root owns.
func (c *container) lendRoot() error {
	defer unix.Close(c.ours.lower)
	if !c.spec.Root.Lent {
		return nil
	}
	tree, err := mounts.Clone(c.spec.Root.Path)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := mounts.MapIDs(tree, c.state.PID); err != nil {
		note("Files of the root file system will be nobody's in there: %v.", err)
	}
	return terminal.SendFile(c.ours.lower, tree)
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

// noteLeftOut says what is left out, and what else that makes impossible.
func (c *container) noteLeftOut() {
	for _, primitive := range c.spec.Without {
		note("Left out: %s. %s", primitive, consequence(primitive))
	}
}

// watchOver waits for the container's end, and writes down how it came.
func (c *container) watchOver() (status int, err error) {
	status, err = c.await(func() error {
		if err := c.become(running); err != nil || !c.state.Detached {
			return err
		}
		return c.goQuiet()
	})
	if err != nil {
		return 0, err
	}
	if c.group != nil {
		if kills := c.group.OOMKills(); kills > 0 {
			c.state.OOMKilled = true
			note("oom_kill %d: the memory limit was reached, and the kernel killed a process for it.", kills)
		}
	}
	c.state.ExitStatus, c.state.Finished = status, time.Now().UTC()
	return status, c.become(stopped)
}

// await connects the console of the command that has begun, calls begun, waits for
// the command's end, and returns its exit status.
func (c *container) await(begun func() error) (int, error) {
	host.enter(inUse)
	broken := c.startConsole()
	if broken == nil {
		broken = begun()
	}
	if broken != nil {
		host.kill()
		c.finishConsole()
		return 0, broken
	}
	ended, err := host.wait()
	c.finishConsole()
	switch sig := host.toldToEnd(); {
	case err != nil:
		return 0, err
	case sig != 0:
		return told{sig}.ExitStatus(), nil
	case ended.Signaled():
		return 128 + int(ended.Signal()), nil
	}
	return ended.ExitStatus(), nil
}

// become writes down the container's new status.
func (c *container) become(status string) error {
	c.state.Status = status
	if status == stopped && c.state.AutoRemove {
		return nil
	}
	return c.save()
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
		do: func(args []string) (int, error) {
			o.command = args
			if len(args) == 0 {
				return 0, usage(`"run" needs a command to run`)
			}
			if err := o.complete(); err != nil {
				return 0, err
			}
			host.takeSignals()
			if o.detach && !keeper {
				return detach()
			}
			return run(&o)
		},
	}
}
