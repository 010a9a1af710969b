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
	cmd := exec.Command("/proc/self/exe", append([]string{"child"}, command...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		die(125, err)
	}
	told := make(chan int, 10)
	go func() {
		for sig := range signals {
			if sig != unix.SIGINT {
				told <- 128 + int(sig.(unix.Signal))
				cmd.Process.Signal(unix.SIGKILL)
			}
		}
	}()
	err := cmd.Wait()
	if len(told) > 0 {
		return <-told
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if how := exit.Sys().(syscall.WaitStatus); how.Signaled() {
			return 128 + int(how.Signal())
		}
	}
	return cmd.ProcessState.ExitCode()
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
