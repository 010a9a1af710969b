package main

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lesson"
	"gonsrun/internal/rootfs"
)

type host struct{ command []string }

func (h host) run() int {
	root := lesson.Root(rootfs.Prepare(*rootDir))
	second := exec.Command("/proc/self/exe", append([]string{"child", root}, h.command...)...)
	second.Stdin, second.Stdout, second.Stderr = os.Stdin, os.Stdout, os.Stderr
	second.SysProcAttr = attributes()
	// The container's side is born into its namespaces.
	lesson.Must(lesson.Start(second))
	return lesson.Status(second.Wait())
}

func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
}
