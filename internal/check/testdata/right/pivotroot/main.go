// lesson: step05-proc

// Pivotroot changes the root with pivot_root, which takes the old one away
// altogether: a root that nobody can climb out of.
//
//	go run -exec sudo ./pivotroot run /bin/sh
package main

import (
	_ "embed"
	"flag"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lesson"
	"gonsrun/internal/rootfs"
)

const hostname = "container"

//go:embed main.go
var source string

var must = lesson.Must
var rootDir = flag.String("rootfs", "", "the root file system is in `DIR`")

func main() {
	defer lesson.End()
	switch args := lesson.Args(source); args[0] {
	case "run":
		os.Exit(run(args[1:]))
	case "child":
		child(args[1], args[2:])
	}
}

func run(command []string) int {
	root := lesson.Root(rootfs.Prepare(*rootDir))
	container := exec.Command("/proc/self/exe", append([]string{"child", root}, command...)...)
	container.Stdin, container.Stdout, container.Stderr = os.Stdin, os.Stdout, os.Stderr
	container.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	must(lesson.Start(container))
	return lesson.Status(container.Wait())
}

func child(root string, command []string) {
	must(unix.Sethostname([]byte(hostname)))
	must(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(unix.Mount(root, root, "", unix.MS_BIND|unix.MS_REC, "")) // it must be a mount of its own
	must(unix.Mount("proc", root+"/proc", "proc", 0, ""))
	must(unix.Chdir(root))
	must(unix.PivotRoot(".", ".")) // the old root lies on the new one, for one moment
	must(unix.Unmount(".", unix.MNT_DETACH))
	must(unix.Chdir("/"))
	environment := lesson.Environment()
	must(unix.Exec(lesson.Find(command[0], environment), command, environment))
}
