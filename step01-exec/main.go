//go:build linux

// Step01-exec starts itself again, and the copy becomes the command.
//
//	go run ./step01-exec run /bin/sh
//
// Inside, try  echo $$ : the pid that the container's side had all along.
// Still wrong: nothing is isolated. A new hostname would be the host's.
package main

import (
	_ "embed"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/narrate"
)

// environment is what the command gets to know of the world.
var environment = []string{
	"PATH=/bin:/usr/bin:/sbin:/usr/sbin:/usr/local/bin",
	"HOME=" + os.Getenv("HOME"),
	"TERM=" + os.Getenv("TERM"),
	"PS1=container:$PWD# ",
}

//go:embed main.go
var manual string

func main() {
	narrate.Main(manual, run, child)
}

// run is the host's side: it starts this program again, as the container's
// side, and waits until that has ended.
func run(command []string) int {
	pid := narrate.Start("A new process begins, as a copy of this one.",
		"clone(…, flags=…|SIGCHLD)",
		func() (int, error) {
			return syscall.ForkExec("/proc/self/exe",
				append([]string{"/proc/self/exe", "child"}, command...),
				&syscall.ProcAttr{
					Env:   os.Environ(),
					Files: narrate.Files(),
					Sys: &syscall.SysProcAttr{
						Pdeathsig: unix.SIGKILL, // if we are killed, it must not live on
					},
				})
		})

	narrate.Begin(pid)

	var info unix.Siginfo
	narrate.Wait("All is set up. Now wait until the command ends, and learn how it ended.",
		fmt.Sprintf("waitid(P_PID, %d, …, WEXITED, NULL)", pid),
		func() error { return unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED, nil) })
	return narrate.Status(&info)
}

// child is the container's side: it prepares its world, then it becomes the
// command.
func child(command []string) {
	path := narrate.Find(command[0], environment)
	narrate.Become("This process becomes the command: same pid, new program. When it works, execve does not return.",
		fmt.Sprintf("execve(%s, %s, …)", narrate.Quote(path), narrate.Strings(command)),
		func() error { return unix.Exec(path, command, environment) })
}
