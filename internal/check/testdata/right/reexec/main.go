// lesson: step04-chroot

// Reexec knows its second half by its name, argv[0], and has it in an init
// function, before main.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"gonsrun/internal/rootfs"
)

const inside = "container-side"

func init() {
	runtime.LockOSThread()
	if os.Args[0] != inside {
		return
	}
	for _, step := range []error{
		syscall.Chroot(os.Args[1]),
		os.Chdir("/"),
		syscall.Sethostname([]byte("container")),
	} {
		quit(125, step)
	}
	command := os.Args[2:]
	path, err := exec.LookPath(command[0])
	quit(127, err)
	quit(126, &os.PathError{Op: "execve", Path: path, Err: syscall.Exec(path, command, os.Environ())})
}

func main() {
	usage := errors.New("usage: reexec [-rootfs DIR] run COMMAND [ARG...]")
	dir, args := "", os.Args[1:]
	if len(args) > 1 && args[0] == "-rootfs" {
		dir, args = args[1], args[2:]
	}
	if len(args) == 1 && (args[0] == "-h" || args[0] == "help") {
		fmt.Println(usage)
		return
	}
	if len(args) < 2 || args[0] != "run" {
		quit(125, usage)
	}
	root, _, err := rootfs.Prepare(dir)
	var empty interface{ ExitStatus() int }
	if errors.As(err, &empty) {
		quit(empty.ExitStatus(), err)
	}
	quit(125, err)

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	self, err := os.Readlink("/proc/self/exe")
	quit(125, err)
	c := &exec.Cmd{
		Path: self, Args: append([]string{inside, root}, args[1:]...),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS},
	}
	quit(125, c.Start())
	told := make(chan int, 8)
	go func() {
		for s := range signals {
			if s != syscall.SIGINT {
				told <- 128 + int(s.(syscall.Signal))
				c.Process.Kill()
			}
		}
	}()
	c.Wait()
	how := c.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case len(told) > 0:
		os.Exit(<-told)
	case how.Signaled():
		os.Exit(128 + int(how.Signal()))
	}
	os.Exit(how.ExitStatus())
}

// quit ends the program when there is an error.
func quit(status int, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(status)
	}
}
