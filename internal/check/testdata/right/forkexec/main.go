// lesson: step03-pid

// Forkexec starts the second half with syscall.ForkExec, and waits with wait4.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

const usage = "usage: forkexec run COMMAND [ARG...]"

func main() {
	if len(os.Args) == 2 && (os.Args[1] == "-h" || os.Args[1] == "help") {
		fmt.Println(usage)
		return
	}
	if len(os.Args) < 3 {
		fail(125, usage)
	}
	runtime.LockOSThread() // a parent-death signal is sent when the thread ends
	switch os.Args[1] {
	case "run":
		host(os.Args[2:])
	case "inside":
		inside(os.Args[2:])
	default:
		fail(125, usage)
	}
}

func host(command []string) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	pid, err := syscall.ForkExec("/proc/self/exe", append([]string{"forkexec", "inside"}, command...), &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
			Pdeathsig:  syscall.SIGKILL,
		},
	})
	if err != nil {
		fail(125, "clone: "+err.Error())
	}
	told := make(chan syscall.Signal, 1)
	go func() {
		for s := range signals {
			if s != syscall.SIGINT {
				told <- s.(syscall.Signal)
				syscall.Kill(pid, syscall.SIGKILL)
				return
			}
		}
	}()
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &status, 0, nil); err == nil {
			break
		} else if err != syscall.EINTR {
			fail(125, "wait4: "+err.Error())
		}
	}
	select {
	case s := <-told:
		os.Exit(128 + int(s))
	default:
	}
	if status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

func inside(command []string) {
	if err := syscall.Sethostname([]byte("container")); err != nil {
		fail(125, "sethostname: "+err.Error())
	}
	path, err := exec.LookPath(command[0])
	switch {
	case errors.Is(err, os.ErrPermission):
		fail(126, err.Error())
	case err != nil:
		fail(127, err.Error())
	}
	err = syscall.Exec(path, command, os.Environ())
	fail(126, path+": "+err.Error())
}

func fail(status int, text string) {
	fmt.Fprintln(os.Stderr, "forkexec: "+text)
	os.Exit(status)
}
