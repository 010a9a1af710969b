// lesson: step04-chroot

// Silent is the lesson without its narrator, and with all in one function.
//
//	go run -exec sudo ./silent run /bin/sh
package main

import (
	_ "embed"
	"flag"
	"os"
	"os/exec"
	"syscall"

	"gonsrun/internal/lesson"
	"gonsrun/internal/rootfs"
)

//go:embed main.go
var source string

func main() {
	defer lesson.End()
	dir := flag.String("rootfs", "", "the root file system is in `DIR`")
	args := lesson.Args(source)

	if args[0] == "run" {
		args[0] = lesson.Root(rootfs.Prepare(*dir))
		cmd := exec.Command("/proc/self/exe", append([]string{"child"}, args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUTS | syscall.CLONE_NEWPID,
			Pdeathsig:  syscall.SIGKILL,
		}
		lesson.Must(lesson.Start(cmd))
		os.Exit(lesson.Status(cmd.Wait()))
	}

	root, command := args[1], args[2:]
	lesson.Must(syscall.Chroot(root))
	lesson.Must(syscall.Chdir("/"))
	lesson.Must(syscall.Sethostname([]byte("container")))
	env := lesson.Environment()
	lesson.Must(syscall.Exec(lesson.Find(command[0], env), command, env))
}
