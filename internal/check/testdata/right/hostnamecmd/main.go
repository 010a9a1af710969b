// lesson: step02-uts

// Hostnamecmd has another program set the hostname, in the new namespace.
package main

import (
	_ "embed"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lesson"
	"gonsrun/internal/narrate"
)

const hostname = "container"

//go:embed main.go
var source string

func main() {
	narrate.Watch(source) // narrates every call that follows; without this line the program is the same
	defer lesson.End()    // when a call has failed, this is the end
	switch args := lesson.Args(source); args[0] {
	case "run":
		os.Exit(run(args[1:]))
	case "child":
		child(args[1:])
	}
}

// run is the host's side: it starts this program again, as the container's side, and waits for its end.
func run(command []string) int {
	container := exec.Command("/proc/self/exe", append([]string{"child"}, command...)...)
	container.Stdin, container.Stdout, container.Stderr = os.Stdin, os.Stdout, os.Stderr
	container.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUTS,
		Pdeathsig:  unix.SIGKILL, // if we are killed, it must not live on
	}
	// A new process begins, in new namespaces: the names and numbers in them are its own.
	must(lesson.Start(container))

	// Wait until the command ends, and learn how it ended.
	return lesson.Status(container.Wait())
}

// child is the container's side: it prepares its world, then it becomes the command.
func child(command []string) {
	// The new UTS namespace has a hostname of its own: changing it does not touch the host's.
	must(exec.Command("hostname", hostname).Run())

	environment := lesson.Environment()
	path := lesson.Find(command[0], environment)
	// This process becomes the command: same pid, new program. When it works, execve does not return.
	must(unix.Exec(path, command, environment))
}

var must = lesson.Must
