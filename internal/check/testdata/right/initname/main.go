// lesson: step03-pid

// Initname calls its second half "init", as Docker's runtime does, and hands the
// command to it in the environment, not in the arguments.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const handed = "INITNAME_COMMAND"

func main() {
	if len(os.Args) == 2 && os.Args[1] == "init" && os.Getenv(handed) != "" {
		initialize()
	}
	if len(os.Args) == 2 && (os.Args[1] == "help" || os.Args[1] == "-h") {
		out := bufio.NewWriter(os.Stdout)
		fmt.Fprintf(out, "NAME\n\tinitname - run a command as number 1\n\nSYNOPSIS\n\tinitname run COMMAND [ARG...]\n")
		out.Flush()
		return
	}
	if len(os.Args) < 3 || os.Args[1] != "run" {
		fmt.Fprintln(os.Stderr, "initname run COMMAND [ARG...]")
		os.Exit(125)
	}
	command, _ := json.Marshal(os.Args[2:])
	self, _ := os.Executable()
	c := exec.Cmd{
		Path: self, Args: []string{self, "init"},
		Env:   append(os.Environ(), handed+"="+string(command)),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWPID + unix.CLONE_NEWUTS, // bits of their own: + is as good as |
			Pdeathsig:  unix.SIGKILL,
		},
	}
	runtime.LockOSThread()
	ends := make(chan os.Signal, 2)
	signal.Notify(ends, unix.SIGTERM, unix.SIGHUP)
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT) // it is for the command
	if err := c.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "initname:", err)
		os.Exit(125)
	}
	done := make(chan struct{})
	go func() { c.Wait(); close(done) }()
	select {
	case s := <-ends:
		c.Process.Kill()
		<-done
		os.Exit(128 + int(s.(syscall.Signal)))
	case <-done:
	}
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

func initialize() {
	runtime.LockOSThread()
	var command []string
	if err := json.Unmarshal([]byte(os.Getenv(handed)), &command); err != nil {
		panic(err)
	}
	os.Unsetenv(handed)
	if err := unix.Sethostname([]byte("container")); err != nil {
		fmt.Fprintln(os.Stderr, "sethostname:", err)
		os.Exit(125)
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
	fmt.Fprintln(os.Stderr, path, err)
	os.Exit(126)
}
