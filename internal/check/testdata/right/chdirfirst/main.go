// lesson: step04-chroot

// Chdirfirst goes into the folder first and makes it the root then: chroot(".").
// So the working directory is inside, without a second chdir.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"gonsrun/internal/rootfs"
)

var flags = flag.NewFlagSet("chdirfirst", flag.ContinueOnError)
var dir = flags.String("rootfs", "", "the folder to be /")

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: chdirfirst [-rootfs DIR] run COMMAND [ARG...]")
	flags.SetOutput(w)
	flags.PrintDefaults()
}

func main() {
	runtime.LockOSThread()
	flags.SetOutput(io.Discard)
	err := flags.Parse(os.Args[1:])
	args := flags.Args()
	if err == flag.ErrHelp || len(args) == 1 && args[0] == "help" {
		usage(os.Stdout)
		return
	}
	if err != nil || len(args) < 2 {
		usage(os.Stderr)
		os.Exit(125)
	}
	switch args[0] {
	case "run":
		parent(args[1:])
	case "child":
		child(args[1:])
	default:
		usage(os.Stderr)
		os.Exit(125)
	}
}

func parent(command []string) {
	root, note, err := rootfs.Prepare(*dir)
	var known interface{ ExitStatus() int }
	if errors.As(err, &known) {
		fatal(known.ExitStatus(), err)
	}
	check("", err)
	if note != "" {
		fmt.Fprintln(os.Stderr, note)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	cmd := exec.Command("/proc/self/exe", append([]string{"child"}, command...)...)
	cmd.Dir = root // the second half begins in there
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	check("", cmd.Start())
	told := make(chan syscall.Signal, 8)
	go func() {
		for s := range signals {
			if s != syscall.SIGINT {
				told <- s.(syscall.Signal)
				cmd.Process.Kill()
			}
		}
	}()
	cmd.Wait()
	how := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case len(told) > 0:
		os.Exit(128 + int(<-told))
	case how.Signaled():
		os.Exit(128 + int(how.Signal()))
	}
	os.Exit(how.ExitStatus())
}

func child(command []string) {
	check("sethostname", syscall.Sethostname([]byte("container")))
	check("chroot", syscall.Chroot("."))
	path, err := exec.LookPath(command[0])
	if err != nil {
		fatal(127, err)
	}
	fatal(126, fmt.Errorf("execve %s: %w", path, syscall.Exec(path, command, os.Environ())))
}

func check(call string, err error) {
	if err != nil {
		fatal(125, os.NewSyscallError(call, err))
	}
}

func fatal(status int, err error) {
	fmt.Fprintln(os.Stderr, "chdirfirst:", err)
	os.Exit(status)
}
