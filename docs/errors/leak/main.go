//go:build linux

// Leak mounts a /proc in mount and PID namespaces of its own.
package main

import (
	"log"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	shell := exec.Command("/bin/sh", "-c", "mount -t proc proc /proc && ps")
	shell.Stdout, shell.Stderr = os.Stdout, os.Stderr
	shell.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID,
	}
	if err := shell.Run(); err != nil {
		log.Fatal(err)
	}
}
