// lesson: step05-proc

// Narrated is narrated, and makes its calls from a table.
//
//	go run -exec sudo ./narrated run /bin/sh
package main

import (
	_ "embed"
	"flag"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lesson"
	"gonsrun/internal/narrate"
	"gonsrun/internal/rootfs"
)

//go:embed main.go
var source string

var rootDir = flag.String("rootfs", "", "the root file system is in `DIR`")

func main() {
	narrate.Watch(source)
	defer lesson.End()
	args := lesson.Args(source)
	half := map[string]func([]string){"run": outside, "child": inside}[args[0]]
	half(args[1:])
}

func outside(command []string) {
	container := exec.Command("/proc/self/exe", "child", lesson.Root(rootfs.Prepare(*rootDir)))
	container.Args = append(container.Args, command...)
	container.Stdin, container.Stdout, container.Stderr = os.Stdin, os.Stdout, os.Stderr
	container.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	for _, namespace := range []uintptr{unix.CLONE_NEWNS, unix.CLONE_NEWUTS, unix.CLONE_NEWPID, unix.CLONE_NEWIPC} {
		container.SysProcAttr.Cloneflags |= namespace
	}
	lesson.Must(lesson.Start(container))
	os.Exit(lesson.Status(container.Wait()))
}

func inside(args []string) {
	for _, call := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "") },
		func() error { return unix.Sethostname([]byte("container")) },
		func() error { return unix.Chroot(args[0]) },
		func() error { return unix.Chdir("/") },
		func() error { return unix.Mount("proc", "/proc", "proc", 0, "") },
	} {
		lesson.Must(call())
	}
	environment := lesson.Environment()
	lesson.Must(unix.Exec(lesson.Find(args[1], environment), args[1:], environment))
}
