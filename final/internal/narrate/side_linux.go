package narrate

import (
	"fmt"
	"os"
	"runtime"
)

// init keeps main on the process's first thread. What a parent-death signal is
// tied to is a thread: on the host's side the one that calls clone, on the
// container's side the first, which must be the one that calls execve.
func init() { runtime.LockOSThread() }

// containerSide is what the container's side knows of the host's.
type containerSide struct{ ownGroup bool }

var container containerSide

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
