// lesson: step04-chroot

// Attributes has no second half: Go's SysProcAttr makes the PID namespace, the
// chroot and the change to user 0 on the way to the command itself. The UTS
// namespace is made before, by this thread, and the command inherits it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/rootfs"
)

var path = "/bin:/usr/bin:/sbin:/usr/sbin:/usr/local/bin"

func main() {
	dir, args := "", os.Args[1:]
	if len(args) > 1 && args[0] == "-rootfs" {
		dir, args = args[1], args[2:]
	}
	if len(args) == 1 && (args[0] == "-h" || args[0] == "help") {
		fmt.Println("attributes [-rootfs DIR] run COMMAND [ARG...]")
		return
	}
	if len(args) < 2 || args[0] != "run" {
		exit(125, "attributes [-rootfs DIR] run COMMAND [ARG...]")
	}
	command := args[1:]
	root, _, err := rootfs.Prepare(dir)
	if err, ok := err.(interface {
		error
		ExitStatus() int
	}); ok {
		exit(err.ExitStatus(), err)
	}
	if err != nil {
		exit(125, err)
	}

	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
		exit(125, os.NewSyscallError("unshare", err))
	}
	if err := unix.Sethostname([]byte("container")); err != nil {
		exit(125, os.NewSyscallError("sethostname", err))
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	cmd := &exec.Cmd{
		Path: find(root, command[0]), Args: command,
		Env: []string{"PATH=" + path, "HOME=/root", "TERM=" + os.Getenv("TERM")},
		Dir: "/", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWPID,
			Chroot:     root,
			Credential: &syscall.Credential{Uid: 0, Gid: 0},
			Pdeathsig:  unix.SIGKILL,
		},
	}
	if err := cmd.Start(); err != nil {
		exit(125, err)
	}
	told := make(chan int, 8)
	go func() {
		for s := range signals {
			if s != unix.SIGINT {
				told <- 128 + int(s.(syscall.Signal))
				cmd.Process.Kill()
			}
		}
	}()
	cmd.Wait()
	if len(told) > 0 {
		os.Exit(<-told)
	}
	if how := cmd.ProcessState.Sys().(syscall.WaitStatus); how.Signaled() {
		os.Exit(128 + int(how.Signal()))
	}
	os.Exit(cmd.ProcessState.ExitCode())
}

// find looks for a command in a root file system, from outside.
func find(root, name string) string {
	if strings.Contains(name, "/") {
		if _, err := os.Lstat(filepath.Join(root, name)); err != nil {
			exit(127, name+": command not found")
		}
		return name
	}
	for _, dir := range strings.Split(path, ":") {
		if _, err := os.Lstat(filepath.Join(root, dir, name)); err == nil {
			return dir + "/" + name
		}
	}
	exit(127, name+": command not found")
	return ""
}

func exit(status int, why any) {
	fmt.Fprintln(os.Stderr, "attributes:", why)
	os.Exit(status)
}
