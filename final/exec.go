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
	"gonsrun/final/internal/narrate"
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
		prepare: func(config *narrate.Config) {
			o.terminal = o.terminal || o.both || onTerminal()
			config.OwnTerminal = o.terminal
		},
		do: func(args []string) int {
			if len(args) < 2 {
				narrate.FailUsage("\"exec\" needs a container and a command")
			}
			sweep()
			return runInside(existing(args[0]), &o, args[1:])
		},
	}
}

// runInside runs one more command in c: a new process joins the container's
// namespaces, and gives up what the first one gave up.
func runInside(c *container, o *execOptions, args []string) int {
	running := func() error {
		if c.state.Status == running && c.alive() {
			return nil
		}
		return fmt.Errorf("container %s is not running. See which are:\n  %s", c.state.Name, typed("ps"))
	}
	check(running())
	spec, err := o.spec(c, args)
	check(err)
	x := &container{spec: spec, state: State{PID: c.state.PID}, dir: c.dir}
	check(x.openConsole(&options{}))
	exe, err := selfexe.Open()
	check(err)

	narrate.Chapter("namespaces")
	x.pipes.spec, x.pipes.specEnd = pipe()
	pid, err := enter.Start(enter.Command{
		PID: c.state.PID, Namespaces: spec.Linux.Namespaces, Chroot: spec.without("mnt") || spec.without("pivot"),
		Program: exe, Args: []string{"final", "join"}, Env: os.Environ(),
		Files: append(narrate.Files(), uintptr(x.pipes.specEnd), uintptr(x.console.containerEnd)),
	})
	if err != nil {
		check(running()) // it has ended while we were at its door
	}
	narrate.Started(pid, err)
	unix.Close(exe)
	unix.Close(x.pipes.specEnd)
	unix.Close(x.console.containerEnd)
	if c.group != nil {
		check(c.group.Add(pid, false))
	}
	x.describe()
	narrate.Begin(pid)

	return x.await(pid, func() {})
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
func join(spec Spec) {
	sets, err := capability.Read(0)
	check(err)
	narrate.Chapter("privileges")
	check(narrate.Try("Until this process has given up what it must not keep, no process in the container may look into it.",
		"prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE)",
		func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }))
	check(os.Chdir(spec.Process.Cwd))
	check(giveUp(spec, sets))
	narrate.Chapter("the command")
	becomeCommand(spec)
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
