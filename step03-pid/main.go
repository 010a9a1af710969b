//go:build linux

// Step03-pid gives the container a PID namespace: it counts its own processes,
// and the command is number 1.
//
//	go run -exec sudo ./step03-pid run /bin/sh
//
// Inside, try  echo $$ . The host has another number for the same process.
// Still wrong:  ps  lists the host's processes, for /proc is the host's.
package main

import (
	_ "embed"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/narrate"
)

const hostname = "container"

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
	pid := narrate.Start("A new process begins as a copy of this one, in new namespaces: the names and numbers in them are its own.",
		"clone(…, flags=…|CLONE_NEWUTS|CLONE_NEWPID|SIGCHLD)",
		func() (int, error) {
			return syscall.ForkExec("/proc/self/exe",
				append([]string{"/proc/self/exe", "child"}, command...),
				&syscall.ProcAttr{
					Env:   os.Environ(),
					Files: narrate.Files(),
					Sys: &syscall.SysProcAttr{
						Cloneflags: unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
						Pdeathsig:  unix.SIGKILL, // if we are killed, it must not live on
					},
				})
		})
	narrate.Namespaces(pid, "uts", "pid")
	narrate.NSpid(pid)

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
	narrate.Call("The new UTS namespace has a hostname of its own: changing it does not touch the host's.",
		fmt.Sprintf("sethostname(%s, %d)", narrate.Quote(hostname), len(hostname)),
		func() error { return unix.Sethostname([]byte(hostname)) })

	path := narrate.Find(command[0], environment)
	narrate.Become("This process becomes the command: same pid, new program. When it works, execve does not return.",
		fmt.Sprintf("execve(%s, %s, …)", narrate.Quote(path), narrate.Strings(command)),
		func() error { return unix.Exec(path, command, environment) })
}
