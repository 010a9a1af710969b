//go:build linux

package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// reap is a container's init, which -init puts at pid 1: it starts the command,
// passes signals on to it, reaps the orphans that the kernel gives to pid 1, and
// ends when the command does. args are the command's path and its arguments.
func reap(args []string) int {
	if len(args) < 2 {
		complain(usage(`"init" is what -init puts at pid 1: nobody types it`))
		return statusFailed
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	foreground := onTerminal()
	pid, err := syscall.ForkExec(args[0], args[1:], &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setpgid: true, Foreground: foreground},
	})
	if err != nil {
		err = kernelError{cannotExecute(args[0], err)}
		complain(err)
		return exitStatus(err)
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
	return 0
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
