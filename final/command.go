//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"gonsrun/final/internal/narrate"
	catalog "gonsrun/internal/narrate"
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
	prepare  func(*narrate.Config) // what the flags mean for the narration
	do       func(args []string) int
}

// global are the flags that stand before or after the verb.
func global(f *flag.FlagSet, config *narrate.Config) {
	f.BoolVar(&config.Pause, "pause", false, "wait for Enter before each call")
	f.BoolVar(&config.Quiet, "quiet", false, "narrate nothing")
	f.BoolVar(&config.JSON, "json", false, "narrate in JSON, one object a line")
}

// execute reads the command line and does what it says.
func execute(args []string) int {
	config := narrate.Config{Program: "final", Side: narrate.Host, Compact: true, AsRoot: proc.Typed("final", true, args...)}
	narrate.Speak(silent(config)) // until we know how to speak

	name, before, after := splitVerb(args)
	commands := commands()
	c := findCommand(commands, name)
	switch {
	case name == "" && hasHelp(before), name == "help" && len(after) == 0:
		printOverview(commands)
		return 0
	case name == "help":
		name, after = after[0], []string{"-h"}
		c = findCommand(commands, name)
	case name == "":
		narrate.FailUsage("what shall it do? There is no \"run\" and no command")
	}
	if c == nil {
		narrate.FailUsage(fmt.Sprintf("there is no command %q. See which there are:\n  %s", name, typed("help")))
	}

	config.Manual = typed(c.name, "-h")
	if c.name != "run" {
		config.Example = c.exampleTyped()
	}
	narrate.Speak(silent(config))
	f := flag.NewFlagSet("final "+c.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	if c.narrates {
		global(f, &config)
	}
	if c.define != nil {
		c.define(f)
	}
	for _, part := range [][]string{before, after} {
		switch err := f.Parse(part); {
		case err == flag.ErrHelp:
			c.print(f)
			return 0
		case err != nil:
			narrate.FailUsage(err.Error())
		}
	}
	if !c.narrates {
		config.Quiet = true
	}
	if c.prepare != nil {
		c.prepare(&config)
	}
	if !c.narrates {
		return narrate.Errand(config, func() int { return c.do(f.Args()) })
	}
	return narrate.HostSide(config, func() int { return c.do(f.Args()) })
}

// silent is config before the flags are read: only errors are said.
func silent(config narrate.Config) narrate.Config {
	config.Quiet = true
	return config
}

// splitVerb finds the verb: the first argument that is neither a flag nor a
// flag's value. Only run's flags take values there.
func splitVerb(args []string) (name string, before, after []string) {
	var o options
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	o.flags(f)
	global(f, &narrate.Config{})
	if err := f.Parse(args); err != nil && err != flag.ErrHelp {
		narrate.FailUsage(err.Error())
	}
	rest := f.Args()
	before = args[:len(args)-len(rest)]
	if len(rest) == 0 || hasHelp(before) {
		return "", before, nil
	}
	return rest[0], before, rest[1:]
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
	text := strings.ReplaceAll(catalog.ParseManual(manual).Text, "\t", "  ")
	fmt.Print(strings.ReplaceAll(text, "go run -exec sudo ./final", proc.Typed("final", true)), "\n\nCommands:\n\n")
	for _, c := range commands {
		fmt.Printf("  %-11s %s\n", c.name, c.summary)
	}
	fmt.Printf("\nEach has its manual:\n\n  %s\n\n%s", typed("run", "-h"), exitStatuses)
}

// noArguments ends the program when there are any.
func noArguments(args []string) {
	if len(args) > 0 {
		narrate.FailUsage(fmt.Sprintf("%q: this command takes no argument", args[0]))
	}
}

// one returns the only argument, or ends the program.
func one(args []string, what string) string {
	if len(args) != 1 {
		narrate.FailUsage(fmt.Sprintf("give one %s, not %d", what, len(args)))
	}
	return args[0]
}
