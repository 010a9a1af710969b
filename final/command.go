//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"gonsrun/internal/narrate"
	"gonsrun/internal/proc"
)

// command is one verb of the command line.
type command struct {
	name     string
	synopsis string // what follows the verb
	summary  string
	manual   string // more than the summary, "" for nothing
	example  string
	asRoot   bool // the example needs root
	define   func(*flag.FlagSet)
	narrates bool
	do       func(args []string) (status int, err error)
}

// execute reads the command line, does what it says, and returns the exit status.
func execute(args []string) int {
	rootLine = proc.Typed("final", true, args...)
	c, status, err := perform(args)
	if err != nil {
		var wrong usageError
		if errors.As(err, &wrong) {
			err = &statusError{statusFailed, c.usage(), err}
		}
		complain(err)
		return exitStatus(err)
	}
	return status
}

// perform does what the command line says. c is the verb, nil if there is none.
func perform(args []string) (c *command, status int, err error) {
	name, before, after, err := splitVerb(args)
	if err != nil {
		return nil, 0, err
	}
	commands := commands()
	switch {
	case name == "" && hasHelp(before), name == "help" && len(after) == 0:
		printOverview(commands)
		return nil, 0, nil
	case name == "":
		return nil, 0, usage(`what shall it do? There is no "run" and no command`)
	case name == "help":
		name, after = after[0], []string{"-h"}
	}
	if c = findCommand(commands, name); c == nil {
		return nil, 0, usage("there is no command %q. See which there are:\n  %s", name, typed("help"))
	}
	f, given := c.flags()
	for _, part := range [][]string{before, after} {
		switch err := f.Parse(part); {
		case err == flag.ErrHelp:
			c.print(f)
			return c, 0, nil
		case err != nil:
			return c, 0, usage("%v", err)
		}
	}
	settings = given
	status, err = c.do(f.Args())
	return c, status, err
}

// flags are the command's, with the narrator's where it narrates.
func (c *command) flags() (*flag.FlagSet, *narrate.Settings) {
	f := flag.NewFlagSet("final "+c.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	given := &narrate.Settings{Quiet: true}
	if c.narrates {
		given = narrate.Flags(f)
	}
	if c.define != nil {
		c.define(f)
	}
	return f, given
}

// usage shows a line that works, and one for the manual. Those of the whole
// program stand where no command was named.
func (c *command) usage() string {
	example, manual := proc.Typed("final", true, "run", "/bin/sh"), typed("-h")
	if c != nil {
		manual = typed(c.name, "-h")
		if c.name != "run" {
			example = c.exampleTyped()
		}
	}
	return fmt.Sprintf("One line that works:\n  %s\nThe manual:\n  %s", example, manual)
}

// narrateFromHere has this process and all that it starts narrated: as
// Watch does in a lesson. A keeper is watched already.
func narrateFromHere(program string, explains bool) {
	if !keeper {
		narrate.Beside(narrate.Story{Program: program, Settings: *settings, AsRoot: rootLine, Explains: explains})
	}
}

// splitVerb finds the verb: the first argument that is neither a flag nor a
// flag's value. Only flags of run and of the narrator take values there.
func splitVerb(args []string) (name string, before, after []string, err error) {
	run := runCommand()
	f, _ := run.flags()
	if err := f.Parse(args); err != nil && err != flag.ErrHelp {
		return "", nil, nil, usage("%v", err)
	}
	rest := f.Args()
	before = args[:len(args)-len(rest)]
	if len(rest) == 0 || hasHelp(before) {
		return "", before, nil, nil
	}
	return rest[0], before, rest[1:], nil
}

func hasHelp(args []string) bool {
	for _, arg := range args {
		if arg == "-h" || arg == "-help" || arg == "--help" {
			return true
		}
	}
	return false
}

func findCommand(commands []command, name string) *command {
	for i := range commands {
		if commands[i].name == name {
			return &commands[i]
		}
	}
	return nil
}

// typed is the line that starts final with other arguments, as the reader
// started it.
func typed(args ...string) string { return proc.Typed("final", false, args...) }

// exampleTyped is the example as the reader types it.
func (c *command) exampleTyped() string {
	return strings.Replace(c.example, "final", proc.Typed("final", c.asRoot), 1)
}

// print writes a command's manual on stdout.
func (c *command) print(f *flag.FlagSet) {
	fmt.Printf("final %s: %s\n", c.name, c.summary)
	if c.manual != "" {
		fmt.Printf("\n%s\n", strings.ReplaceAll(c.manual, "final ", typed()+" "))
	}
	fmt.Printf("\nUsage:\n\n  %s\n\nExample:\n\n  %s\n", strings.TrimSpace(typed(c.name)+" "+c.synopsis), c.exampleTyped())
	if c.define != nil || c.narrates {
		fmt.Print("\nFlags:\n\n")
		printFlags(f)
	}
	if c.narrates {
		fmt.Print("\n" + exitStatuses)
	}
}

// printFlags is as flag.PrintDefaults is, but no line is wider than 80 columns.
func printFlags(f *flag.FlagSet) {
	const indent = 8
	f.VisitAll(func(one *flag.Flag) {
		value, usage := flag.UnquoteUsage(one)
		usage = strings.ReplaceAll(usage, "\n", " ")
		if one.DefValue != "" && one.DefValue != "false" && one.DefValue != "0" {
			usage += " (default " + one.DefValue + ")"
		}
		lead := strings.TrimRight("  -"+one.Name+" "+value, " ")
		if len(lead)+2 > indent {
			fmt.Println(lead)
			lead = ""
		}
		for _, line := range wrapped(usage, 80-indent) {
			fmt.Printf("%-*s%s\n", indent, lead, line)
			lead = ""
		}
	})
}

const exitStatuses = "Exit status: the command's own; 128+n when signal n killed it; 125 when final\n" +
	"itself failed, 126 when the command cannot be run, 127 when it is not found.\n"

// printOverview writes the manual of the whole program.
func printOverview(commands []command) {
	text := strings.ReplaceAll(narrate.ParseManual(manual).Text, "\t", "  ")
	fmt.Print(strings.ReplaceAll(text, "go run -exec sudo ./final", proc.Typed("final", true)), "\n\nCommands:\n\n")
	for _, c := range commands {
		fmt.Printf("  %-11s %s\n", c.name, c.summary)
	}
	fmt.Printf("\nEach has its manual:\n\n  %s\n\n%s", typed("run", "-h"), exitStatuses)
}

// noArguments is for a command that takes none.
func noArguments(args []string) error {
	if len(args) > 0 {
		return usage("%q: this command takes no argument", args[0])
	}
	return nil
}

// one returns the only argument.
func one(args []string, what string) (string, error) {
	if len(args) != 1 {
		return "", usage("give one %s, not %d", what, len(args))
	}
	return args[0], nil
}

// commands are the verbs, in the order of the manual.
func commands() []command {
	return slices.Concat([]command{runCommand()}, lifeCommands(), []command{explainCommand()})
}
