package narrate

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// init keeps main on the process's first thread. What a parent-death signal is
// tied to is a thread: on the host's side the one that calls clone, on the
// container's side the first, which must be the one that calls execve.
func init() { runtime.LockOSThread() }

// containerSide is what the container's side knows of the host's.
type containerSide struct{ ownGroup bool }

var container containerSide

// Main is what every lesson's main calls. source is the lesson's main.go,
// whose first comment is the manual. run is the host's side of the lesson, and
// returns the exit status; child is the container's side, in the process that
// run starts as "/proc/self/exe child ARG…".
func Main(source string, run func(command []string) int, child func(args []string)) {
	manual := parseManual(source)
	config.Program = manual.program
	config.Args = os.Args[1:]
	config.NeedsRoot = strings.Contains(manual.text, "-exec sudo")
	if len(os.Args) > 1 && os.Args[1] == "child" {
		ContainerSide()
		child(os.Args[2:])
		return
	}
	command := parseFlags(manual)
	os.Exit(HostSide(config, func() int { return run(command) }))
}

// HostSide runs the host's side of a program, and returns its exit status.
// When a call fails or a signal ends it, the deferred functions of run are
// called, and the terminal is left as it was found.
func HostSide(c Config, run func() int) (status int) {
	Speak(c)
	terminal.remember()
	host.watchSignals()
	return unwinding(run)
}

// Errand is HostSide for what makes no container: a signal ends it at once.
func Errand(c Config, run func() int) (status int) {
	Speak(c)
	return unwinding(run)
}

// unwinding calls run, and the functions that it has deferred also when it ends
// in the middle.
func unwinding(run func() int) (status int) {
	host.unwinds = true
	defer func() {
		if reason := recover(); reason != nil {
			stop, ok := reason.(stopped)
			if !ok {
				panic(reason)
			}
			status = stop.status
		}
		terminal.restore()
	}()
	return run()
}

// ContainerSide waits until the host's side lets this one begin, and tells how
// it came here: between clone and its first line, the new process started this
// program again. earlier are calls that this process made before that one.
func ContainerSide(earlier ...string) {
	container.listen()
	const why = "clone returned in a new process, whose first act is to start this program again, as the container's side. This is its first line."
	for _, call := range append(earlier, fmt.Sprintf("execve(%s, %s, …)", Quote(os.Args[0]), Strings(os.Args))) {
		announce(why, call, true)
		answer(why, call, 0, nil)
	}
}

// Joined is ContainerSide for a process that was brought into a container: the
// host's side has told already how.
func Joined() {
	container.listen()
}

// parseFlags returns the command to run. Bad input ends the program.
func parseFlags(m manual) []string {
	flags := flag.CommandLine
	flags.Init(m.program, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&config.Pause, "pause", false, "wait for Enter before each call")
	flags.BoolVar(&config.Quiet, "quiet", false, "narrate nothing")
	flags.BoolVar(&config.JSON, "json", false, "narrate in JSON, one object a line")
	err := flags.Parse(os.Args[1:])
	args := flags.Args()
	switch {
	case err == flag.ErrHelp || len(args) == 1 && args[0] == "help":
		m.print(flags)
		os.Exit(0)
	case err != nil:
		FailUsage(err.Error())
	case len(args) == 0:
		FailUsage("what shall it do? There is no \"run\" and no command")
	case args[0] != "run":
		FailUsage(fmt.Sprintf("there is no %q here, only \"run\"", args[0]))
	case len(args) == 1:
		FailUsage("\"run\" needs a command to run")
	case strings.HasPrefix(args[1], "-"):
		FailUsage(fmt.Sprintf("%q stands where the command should: flags come before \"run\"", args[1]))
	}
	return args[1:]
}

// print writes the manual, as -h shows it.
func (m manual) print(flags *flag.FlagSet) {
	fmt.Printf("%s\n\nUsage:\n\n\t%s [flags] run COMMAND [ARG…]\n\nFlags:\n\n", m.text, m.program)
	flags.SetOutput(os.Stdout)
	flags.PrintDefaults()
	fmt.Print("\nExit status: the command's own; 128+n when signal n killed it; 125 when this program\n" +
		"failed, 126 when the command cannot be run, 127 when it is not found.\n")
}

// Manual is what the first comment of source, a program's main.go, says.
func Manual(source string) string { return parseManual(source).text }

// Made says what was made to be used, if anything was, and returns it. An
// error ends the program, with what to do about it.
func Made(thing, note string, err error) string {
	if err != nil {
		Fail(err)
	}
	if note != "" {
		Note("%s", note)
	}
	return thing
}
