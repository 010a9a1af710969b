//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/capability"
	"gonsrun/final/internal/enter"
	"gonsrun/final/internal/selfexe"
)

// execOptions are what the reader typed after exec.
type execOptions struct {
	input, terminal, both bool
	env                   list
	workdir, user         string
}

// execCommand is the verb exec.
func execCommand() command {
	var o execOptions
	return command{
		name: "exec", synopsis: "[flags] CONTAINER COMMAND [ARG…]", narrates: true,
		summary: "run one more command in a running container",
		example: "final exec -it web /bin/sh",
		define: func(f *flag.FlagSet) {
			f.BoolVar(&o.input, "i", false, "pass stdin on (it always is)")
			f.BoolVar(&o.terminal, "t", false, "a terminal of the container's own (default on a terminal)")
			f.BoolVar(&o.both, "it", false, "-i and -t")
			f.BoolVar(&o.both, "ti", false, "the same as -it")
			alias(f, &o.env, "e", "env", "set an environment variable: `NAME=VALUE`")
			f.StringVar(&o.workdir, "w", "", "start the command in `DIR`")
			f.StringVar(&o.user, "user", "", "run the command as `UID[:GID] or NAME` of the container")
			f.StringVar(&o.user, "u", "", "the same as -user")
		},
		do: func(args []string) (int, error) {
			if len(args) < 2 {
				return 0, usage(`"exec" needs a container and a command`)
			}
			o.terminal = o.terminal || o.both || onTerminal()
			host.takeSignals()
			sweep()
			c, err := find(args[0])
			if err != nil {
				return 0, err
			}
			return runInside(c, &o, args[1:])
		},
	}
}

// runInside runs one more command in c: a new process joins the container's
// namespaces, and gives up what the first one gave up.
func runInside(c *container, o *execOptions, args []string) (status int, err error) {
	if err := c.mustRun(); err != nil {
		return 0, err
	}
	spec, err := o.spec(c, args)
	if err != nil {
		return 0, err
	}
	narrateFromHere("final", false)
	x := &container{spec: spec, state: c.state, dir: c.dir, group: c.group}
	x.state.Detached = false
	defer host.kill()
	err = host.do(
		func() error { return x.openConsole(false) },
		x.enter,
		func() error {
			if x.group == nil {
				return nil
			}
			return x.group.Add(host.process.Pid, false)
		},
		x.describe,
		x.awaitCommand,
	)
	if err != nil {
		return 0, x.cause(err)
	}
	return x.await(func() error { return nil })
}

// mustRun is an error unless the container's first process is there.
func (c *container) mustRun() error {
	if c.state.Status == running && c.alive() {
		return nil
	}
	return fmt.Errorf("container %s is not running. See which are:\n  %s", c.state.Name, typed("ps"))
}

// enter starts this program again in the namespaces of the container.
func (c *container) enter() error {
	exe, err := selfexe.Open()
	if err != nil {
		return err
	}
	defer unix.Close(exe)
	ours, theirs, err := openPipes()
	if err != nil {
		return err
	}
	c.ours = ours
	pid, err := enter.Start(enter.Command{
		PID: c.state.PID, Namespaces: c.spec.Linux.Namespaces, Chroot: c.spec.without("mnt") || c.spec.without("pivot"),
		Program: exe, Args: []string{"final", "join"}, Env: os.Environ(),
		Files: theirs.files(c.console.containerEnd)[:idsFD],
	})
	theirs.close()
	unix.Close(c.console.containerEnd)
	if err != nil {
		if ended := c.mustRun(); ended != nil { // while we were at its door
			return ended
		}
		return err
	}
	return host.started(pid)
}

// spec is the container's description with another process in it.
func (o *execOptions) spec(c *container, args []string) (Spec, error) {
	spec := c.spec
	p := &spec.Process
	p.Args, p.Terminal, p.Logged, p.Init = arguments(args), o.terminal, false, false
	env := words(p.Env)
	if o.terminal {
		env = setVariable(env, "TERM="+os.Getenv("TERM"))
	}
	for _, variable := range o.env {
		if !strings.Contains(variable, "=") || strings.HasPrefix(variable, "=") {
			return spec, fmt.Errorf("-e %q: give NAME=VALUE", variable)
		}
		env = setVariable(env, variable)
	}
	p.Env = arguments(env)
	if o.workdir != "" {
		if !filepath.IsAbs(o.workdir) {
			return spec, fmt.Errorf("-w %s: give an absolute path in the container", o.workdir)
		}
		p.Cwd = o.workdir
	}
	if o.user != "" {
		user, home, err := lookUpUser(fmt.Sprintf("/proc/%d/root", c.state.PID), o.user)
		if err != nil {
			return spec, err
		}
		p.User = user
		p.Env = arguments(setVariable(words(p.Env), "HOME="+home))
	}
	return spec, nil
}

// join is the container's side of exec: it is in the container already, gives
// up what the container's first process gave up, and becomes the command.
func join(spec Spec) error {
	sets, err := capability.Read(0)
	if err != nil {
		return err
	}
	// Until this process has given up what it must not keep, no process in the
	// container may look into it. The execve that began it has forgotten that.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_DUMPABLE", err)
	}
	if err := os.Chdir(spec.Process.Cwd); err != nil {
		return err
	}
	if err := giveUp(spec, sets); err != nil {
		return err
	}
	return becomeCommand(spec)
}

// onTerminal reports whether stdin, stdout and stderr are terminals.
func onTerminal() bool {
	for fd := 0; fd <= 2; fd++ {
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
			return false
		}
	}
	return true
}
