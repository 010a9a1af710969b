// lesson: step05-proc

// Slave makes its mounts slaves of the host's: a mount of the host's appears in
// here, none of ours appears there. It mounts /proc before the chroot, at the
// path that it will have as /proc.
//
//	go run -exec sudo ./slave run /bin/sh
package main

import (
	_ "embed"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lesson"
	"gonsrun/internal/rootfs"
)

//go:embed main.go
var source string

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
	c := exec.Command("/proc/self/exe", append([]string{"child", root}, command...)...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	lesson.Must(lesson.Start(c))
	return lesson.Status(c.Wait())
}

func child(root string, command []string) {
	must := lesson.Must
	must(unix.Unshare(unix.CLONE_NEWNS)) // this thread is locked, and the only one that goes on
	must(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_SLAVE, ""))
	must(unix.Mount("proc", filepath.Join(root, "proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
	must(unix.Sethostname([]byte("container")))
	must(unix.Chroot(root))
	must(unix.Chdir("/"))
	environment := lesson.Environment()
	must(unix.Exec(lesson.Find(command[0], environment), command, environment))
}
