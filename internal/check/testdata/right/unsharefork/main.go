// lesson: step03-pid

// Unsharefork makes the namespaces with unshare on the host's side, and forks
// then: whoever is born after unshare(CLONE_NEWPID) is in the new namespace.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const usage = "usage: unsharefork run COMMAND [ARG...]"

func main() {
	runtime.LockOSThread() // unshare is about one thread
	words := strings.Join(os.Args[1:], " ")
	switch {
	case words == "-h" || words == "help":
		fmt.Println(usage)
	case len(os.Args) < 3:
		die(125, errors.New(usage))
	case os.Args[1] == "run":
		os.Exit(run(os.Args[2:]))
	case os.Args[1] == "child":
		child(os.Args[2:])
	default:
		die(125, errors.New(usage))
	}
}

func run(command []string) int {
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	if err := unix.Unshare(unix.CLONE_NEWUTS | unix.CLONE_NEWPID); err != nil {
		die(125, os.NewSyscallError("unshare", err))
	}
	// Package os forks once to see whether the kernel has pidfds, and that process would
	// be number 1. ForkExec forks when it is told to.
	pid, err := syscall.ForkExec("/proc/self/exe", append([]string{"unsharefork", "child"}, command...), &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL},
	})
	if err != nil {
		die(125, os.NewSyscallError("fork", err))
	}
	told := make(chan int, 10)
	go func() {
		for sig := range signals {
			if sig != unix.SIGINT {
				told <- 128 + int(sig.(unix.Signal))
				unix.Kill(pid, unix.SIGKILL)
			}
		}
	}()
	var status unix.WaitStatus
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Wait4(pid, &status, 0, nil)
	}
	switch {
	case len(told) > 0:
		return <-told
	case status.Signaled():
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func child(command []string) {
	if err := unix.Sethostname([]byte("container")); err != nil {
		die(125, os.NewSyscallError("sethostname", err))
	}
	path, err := exec.LookPath(command[0])
	if errors.Is(err, fs.ErrPermission) {
		die(126, err)
	}
	if err != nil {
		die(127, err)
	}
	die(126, &fs.PathError{Op: "execve", Path: path, Err: unix.Exec(path, command, os.Environ())})
}

func die(status int, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
	os.Exit(status)
}
