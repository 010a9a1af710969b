//go:build linux

package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/narrate"
)

// reap is a container's init, which -init puts at pid 1: it starts the command,
// passes signals on to it, reaps the orphans that the kernel gives to pid 1, and
// ends when the command does. args are the command's path and its arguments.
func reap(args []string) {
	if len(args) < 2 {
		narrate.FailUsage("\"init\" is what -init puts at pid 1: nobody types it")
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	foreground := onTerminal()
	pid, err := syscall.ForkExec(args[0], args[1:], &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setpgid: true, Foreground: foreground},
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "execve(%q): %v\n", args[0], err)
		os.Exit(narrate.StatusCannotRun)
	}
	for sig := range signals {
		switch sig {
		case unix.SIGCHLD:
			reapAll(pid)
		case unix.SIGURG: // the Go runtime's own
		default:
			unix.Kill(-pid, sig.(syscall.Signal))
		}
	}
}

// reapAll reaps all that have ended. When the command is among them, so do we.
func reapAll(command int) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid == 0 {
			return
		}
		if pid == command {
			if status.Signaled() {
				os.Exit(128 + int(status.Signal()))
			}
			os.Exit(status.ExitStatus())
		}
	}
}
