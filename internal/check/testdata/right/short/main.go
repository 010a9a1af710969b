// lesson: step05-proc

// Short has on one screen what lesson 5 asks for.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	sys "syscall"

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
		must(err, 125)
		signals, told := make(chan os.Signal, 9), make(chan int, 9)
		signal.Notify(signals, sys.SIGTERM, sys.SIGHUP)
		signal.Notify(make(chan os.Signal, 1), sys.SIGINT) // that one is the command's
		cmd := exec.Command("/proc/self/exe", append([]string{"child", root}, args[1:len(args)-2]...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &sys.SysProcAttr{Cloneflags: sys.CLONE_NEWUTS | sys.CLONE_NEWPID | sys.CLONE_NEWNS, Pdeathsig: sys.SIGKILL}
		must(cmd.Start(), 125)
		go func() {
			told <- 128 + int((<-signals).(sys.Signal))
			cmd.Process.Kill()
		}()
		cmd.Wait()
		how := cmd.ProcessState.Sys().(sys.WaitStatus)
		if how.Exited() {
			os.Exit(how.ExitStatus())
		}
		told <- 128 + int(how.Signal())
		os.Exit(<-told)
	case args[0] == "child":
		must(sys.Sethostname([]byte("container")), 125)
		must(sys.Mount("none", "/", "", sys.MS_REC|sys.MS_PRIVATE, ""), 125)
		must(sys.Chroot(args[1]), 125)
		must(sys.Chdir("/"), 125)
		must(sys.Mount("proc", "proc", "proc", 0, ""), 125)
		path, err := exec.LookPath(args[2])
		must(err, 127)
		must(sys.Exec(path, args[2:len(args)-2], append(os.Environ(), "PS1=container:$PWD# ")), 126)
	default:
		must(fmt.Errorf("usage: short [-rootfs DIR] run COMMAND [ARG...]"), 125)
	}
}

func must(err error, status int) {
	if empty, ok := err.(interface{ ExitStatus() int }); ok {
		status = empty.ExitStatus()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "short:", err)
		os.Exit(status)
	}
}
