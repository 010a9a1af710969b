// lesson: step02-uts

// Setns has a helper: one process makes the UTS namespace and names it, the other
// one enters it with setns and becomes the command.
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

func init() { runtime.LockOSThread() }

func main() {
	args := append(os.Args[1:], "")
	switch {
	case args[0] == "-h", args[0] == "help":
		fmt.Println("usage: setns run COMMAND [ARG...]")
	case args[0] == "run" && len(args) > 2:
		os.Exit(run(os.Args[2:]))
	case args[0] == "holder":
		hold()
	case args[0] == "enter":
		enter(os.Args[2], os.Args[3:])
	default:
		die(125, errors.New("usage: setns run COMMAND [ARG...]"))
	}
}

func run(command []string) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)

	holder := exec.Command("/proc/self/exe", "holder")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUTS, Pdeathsig: unix.SIGKILL}
	holder.Stderr = os.Stderr
	leash, _ := holder.StdinPipe()
	ready, _ := holder.StdoutPipe()
	if err := holder.Start(); err != nil {
		die(125, err)
	}
	defer holder.Wait()
	defer leash.Close() // its end is the holder's
	if text, _ := io.ReadAll(ready); string(text) != "ready" {
		return 125
	}

	c := exec.Command("/proc/self/exe", append([]string{"enter", strconv.Itoa(holder.Process.Pid)}, command...)...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := c.Start(); err != nil {
		die(125, err)
	}
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
	if len(told) > 0 {
		return <-told
	}
	if w := c.ProcessState.Sys().(syscall.WaitStatus); w.Signaled() {
		return 128 + int(w.Signal())
	}
	return c.ProcessState.ExitCode()
}

// hold keeps a namespace alive until its stdin ends.
func hold() {
	signal.Ignore(unix.SIGINT)
	if err := unix.Sethostname([]byte("container")); err != nil {
		die(125, os.NewSyscallError("sethostname", err))
	}
	os.Stdout.WriteString("ready")
	os.Stdout.Close()
	io.Copy(io.Discard, os.Stdin)
}

func enter(holder string, command []string) {
	ns, err := os.Open("/proc/" + holder + "/ns/uts")
	if err == nil {
		err = os.NewSyscallError("setns", unix.Setns(int(ns.Fd()), unix.CLONE_NEWUTS))
	}
	if err != nil {
		die(125, err)
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		if unix.Access(command[0], unix.F_OK) == nil {
			die(126, err)
		}
		die(127, err)
	}
	die(126, os.NewSyscallError("execve "+path, unix.Exec(path, command, os.Environ())))
}

func die(status int, err error) {
	fmt.Fprintln(os.Stderr, "setns:", err)
	os.Exit(status)
}
