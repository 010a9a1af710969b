package lesson

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/narrate"
	"gonsrun/internal/proc"
)

// What Args has learned of the program and of what was typed.
var (
	manual   narrate.Manual
	lines    []string // of main.go
	settings = &narrate.Settings{}
)

// init keeps main on the process's first thread. What a parent-death signal is tied
// to is a thread: on the host's side the one that calls clone, on the container's
// side the first, which must be the one that calls execve. And inside a PID namespace
// with the host's /proc the narrator finds no other thread than the first.
func init() { runtime.LockOSThread() }

func isContainerSide() bool { return len(os.Args) > 1 && os.Args[1] == "child" }

// Args checks what was typed, and returns it from "run" or "child" on. source
// is the lesson's main.go, whose first comment is the manual. All flags must be
// defined before. Bad usage ends the program, and so does -h.
func Args(source string) []string {
	manual = narrate.ParseManual(source)
	lines = strings.Split(source, "\n")
	if isContainerSide() {
		becomeContainerSide()
		return os.Args[1:]
	}
	settings = narrate.Flags(flag.CommandLine)
	args := parse(flag.CommandLine, os.Args[1:])
	terminal.remember()
	go TakeSignals() // it takes a while, and is waited for where it matters
	return args
}

// parse returns what stands behind the flags: "run" and a command.
func parse(flags *flag.FlagSet, typed []string) []string {
	flags.Init(manual.Program, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	err := flags.Parse(typed)
	args := flags.Args()
	empty, swallowed := "", ""
	flags.Visit(func(f *flag.Flag) {
		switch f.Value.String() {
		case "":
			empty = f.Name
		case "run":
			swallowed = f.Name
		}
	})
	switch {
	case err == flag.ErrHelp || len(args) == 1 && args[0] == "help":
		printManual(flags)
		os.Exit(0)
	case err != nil:
		failUsage(err.Error())
	case empty != "":
		failUsage(fmt.Sprintf("-%s has an empty value", empty))
	case swallowed != "" && (len(args) == 0 || args[0] != "run"):
		name, _ := flag.UnquoteUsage(flags.Lookup(swallowed))
		failUsage(fmt.Sprintf(`-%s has taken the word "run" for its %s, which must stand between the two`, swallowed, name))
	case len(args) == 0:
		failUsage(`what shall it do? There is no "run" and no command`)
	case args[0] != "run":
		failUsage(fmt.Sprintf(`there is no %q here, only "run"`, args[0]))
	case len(args) == 1:
		failUsage(`"run" needs a command to run`)
	case strings.HasPrefix(args[1], "-"):
		failUsage(fmt.Sprintf(`%q stands where the command should: flags come before "run"`, args[1]))
	}
	if settings.To != "" {
		if err := writable(settings.To); err != nil {
			failUsage(fmt.Sprintf("-to %s: %v", settings.To, err))
		}
	}
	return args
}

// writable says why nothing can be written to a file, nil when it can.
func writable(path string) error {
	file, err := os.OpenFile(path, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND|unix.O_NONBLOCK|unix.O_NOCTTY, 0o666)
	if err != nil {
		return withoutPath(err)
	}
	return file.Close()
}

// failUsage ends the program for bad usage, with a line that works.
func failUsage(problem string) {
	say(problem, fmt.Sprintf("One line that works:\n  %s\nThe manual:\n  %s",
		typed("run", "/bin/sh"), proc.Typed(manual.Program, false, "-h")), nil, 0)
	os.Exit(statusFailed)
}

// typed is a line that starts this lesson, as it was started, with other
// arguments.
func typed(args ...string) string {
	return proc.Typed(manual.Program, needsRoot(), args...)
}

// needsRoot reports whether this lesson's line has sudo in it.
func needsRoot() bool { return strings.Contains(manual.Text, "-exec sudo") }

// printManual writes the manual, as -h shows it.
func printManual(flags *flag.FlagSet) {
	fmt.Printf("%s\n\nUsage:\n\n\t%s [flags] run COMMAND [ARG…]\n\nFlags:\n\n", manual.Text, manual.Program)
	flags.SetOutput(os.Stdout)
	flags.PrintDefaults()
	fmt.Print("\nExit status: the command's own; 128+n when signal n killed it; 125 when this program\n" +
		"failed, 126 when the command cannot be run, 127 when it is not found.\n")
}
