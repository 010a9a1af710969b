// lesson: step03-pid

// Doublefork has three halves: the first waits and gets the signals, the second one
// makes the PID namespace with unshare, for a child that it has then, and the
// third becomes the command.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread()
	args := os.Args[1:]
	if len(args) == 1 && (args[0] == "-h" || args[0] == "help") {
		fmt.Println("doublefork run COMMAND [ARG...]")
		return
	}
	if len(args) < 2 {
		fail(125, "doublefork run COMMAND [ARG...]")
	}
	switch args[0] {
	case "run":
		os.Exit(first(args[1:]))
	case "second":
		os.Exit(second(args[1:]))
	case "third":
		third(args[1:])
	default:
		fail(125, "doublefork run COMMAND [ARG...]")
	}
}

func first(command []string) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	pid := start("second", command)
	told := make(chan int, 8)
	go func() {
		for s := range signals {
			if s != unix.SIGINT {
				told <- 128 + int(s.(syscall.Signal))
				unix.Kill(pid, unix.SIGKILL) // and its child has a parent-death signal
			}
		}
	}()
	status := wait(pid)
	if len(told) > 0 {
		return <-told
	}
	return status
}

func second(command []string) int {
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT)
	if err := unix.Unshare(unix.CLONE_NEWPID | unix.CLONE_NEWUTS); err != nil {
		fail(125, fmt.Sprint("unshare: ", err))
	}
	return wait(start("third", command))
}

func third(command []string) {
	if err := unix.Sethostname([]byte("container")); err != nil {
		fail(125, fmt.Sprint("sethostname: ", err))
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if unix.Access(command[0], unix.F_OK) == nil {
			os.Exit(126)
		}
		os.Exit(127)
	}
	err = unix.Exec(path, command, os.Environ())
	fail(126, fmt.Sprint(path, ": ", err))
}

func start(half string, command []string) int {
	pid, err := syscall.ForkExec("/proc/self/exe", append([]string{"doublefork", half}, command...), &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL},
	})
	if err != nil {
		fail(125, fmt.Sprint("clone: ", err))
	}
	return pid
}

func wait(pid int) int {
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func fail(status int, why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(status)
}
