//go:build linux

// Clone-cured does so as an ordinary user: it is root in a user namespace.
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
	shell := exec.Command("/bin/sh", "-c", "hostname container; hostname")
	shell.Stdout, shell.Stderr = os.Stdout, os.Stderr
	shell.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if err := shell.Run(); err != nil {
		log.Fatal(err)
	}
}
