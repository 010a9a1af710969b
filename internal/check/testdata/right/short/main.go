// lesson: step05-proc

// Short has on one screen what lesson 5 asks for.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	. "syscall"

	"gonsrun/internal/rootfs"
)

func main() {
	args, dir := append(os.Args[1:], "", ""), "" // two more, so that none is missing
	if args[0] == "-rootfs" {
		args, dir = args[2:], args[1]
	}
	switch runtime.LockOSThread(); { // the parent-death signal belongs to a thread
	case args[0] == "-h" || args[0] == "help":
		fmt.Println("usage: short [-rootfs DIR] run COMMAND [ARG...]")
	case args[0] == "run" && args[1] != "":
		root, _, err := rootfs.Prepare(dir)
		if empty, ok := err.(interface{ ExitStatus() int }); ok {
			must(err, empty.ExitStatus())
		}
		must(err, 125)
		signals := make(chan os.Signal, 9)
		signal.Notify(signals, SIGINT, SIGTERM, SIGHUP)
		cmd := exec.Command("/proc/self/exe", append([]string{"child", root}, args[1:len(args)-2]...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &SysProcAttr{Cloneflags: CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS, Pdeathsig: SIGKILL}
		must(cmd.Start(), 125)
		status := 0
		go func() {
			for s := range signals {
				if s != SIGINT { // that one is the command's
					status = 128 + int(s.(Signal))
					cmd.Process.Kill()
				}
			}
		}()
		cmd.Wait()
		if how := cmd.ProcessState.Sys().(WaitStatus); how.Exited() {
			status = how.ExitStatus()
		} else if status == 0 {
			status = 128 + int(how.Signal())
		}
		os.Exit(status)
	case args[0] == "child":
		must(Sethostname([]byte("container")), 125)
		must(Mount("none", "/", "", MS_REC|MS_PRIVATE, ""), 125)
		must(Chroot(args[1]), 125)
		must(Chdir("/"), 125)
		must(Mount("proc", "proc", "proc", 0, ""), 125)
		path, err := exec.LookPath(args[2])
		must(err, 127)
		must(Exec(path, args[2:len(args)-2], append(os.Environ(), "PS1=container:$PWD# ")), 126)
	default:
		must(fmt.Errorf("usage: short [-rootfs DIR] run COMMAND [ARG...]"), 125)
	}
}

func must(err error, status int) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "short:", err)
		os.Exit(status)
	}
}
