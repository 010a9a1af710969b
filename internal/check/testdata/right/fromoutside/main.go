// lesson: step02-uts

// Fromoutside has the host's side set the container's hostname: it enters the new
// UTS namespace with setns for that, with one thread, while the container's side
// waits at a pipe.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const usage = "usage: fromoutside run COMMAND [ARG...]"

func main() {
	runtime.LockOSThread()
	switch args := append(os.Args[1:], ""); {
	case args[0] == "-h" || args[0] == "help":
		fmt.Println(usage)
	case args[0] == "run" && len(args) > 2:
		os.Exit(run(os.Args[2:]))
	case args[0] == "child" && len(args) > 2:
		child(os.Args[2:])
	default:
		fail(125, errors.New(usage))
	}
}

func run(command []string) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	wait, start, err := os.Pipe()
	if err != nil {
		fail(125, err)
	}
	c := exec.Command("/proc/self/exe", append([]string{"child"}, command...)...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.ExtraFiles = []*os.File{wait}
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUTS, Pdeathsig: unix.SIGKILL}
	if err := c.Start(); err != nil {
		fail(125, err)
	}
	wait.Close()
	if err := nameIt(c.Process.Pid, "container"); err != nil {
		c.Process.Kill()
		c.Wait()
		fail(125, err)
	}
	start.WriteString("go")
	start.Close()

	told := make(chan int, 8)
	go func() {
		for s := range signals {
			if s != unix.SIGINT {
				told <- 128 + int(s.(syscall.Signal))
				c.Process.Kill()
			}
		}
	}()
	c.Wait()
	how := c.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case len(told) > 0:
		return <-told
	case how.Signaled():
		return 128 + int(how.Signal())
	}
	return how.ExitStatus()
}

// nameIt sets the hostname in the UTS namespace of process pid. The thread that
// has been there is not used any more: it ends with its goroutine.
func nameIt(pid int, name string) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		namespace, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/uts")
		if err == nil {
			defer namespace.Close()
			err = os.NewSyscallError("setns", unix.Setns(int(namespace.Fd()), unix.CLONE_NEWUTS))
		}
		if err == nil {
			err = os.NewSyscallError("sethostname", unix.Sethostname([]byte(name)))
		}
		result <- err
	}()
	return <-result
}

func child(command []string) {
	gate := os.NewFile(3, "gate")
	if word, _ := io.ReadAll(gate); string(word) != "go" {
		os.Exit(125)
	}
	gate.Close()
	path, err := exec.LookPath(command[0])
	if err != nil {
		if unix.Access(command[0], unix.F_OK) == nil {
			fail(126, err)
		}
		fail(127, err)
	}
	fail(126, fmt.Errorf("%s: %w", path, unix.Exec(path, command, os.Environ())))
}

func fail(status int, err error) {
	fmt.Fprintln(os.Stderr, "fromoutside:", err)
	os.Exit(status)
}
