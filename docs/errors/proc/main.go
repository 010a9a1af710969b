//go:build linux

// Proc mounts a /proc in namespaces of its own, without being root.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	if os.Args[0] == "child" {
		if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			log.Fatal("mount proc: ", err)
		}
		self, _ := os.Readlink("/proc/self")
		fmt.Println("I am number", self)
		return
	}
	child := exec.Command("/proc/self/exe")
	child.Args[0] = "child"
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if err := child.Run(); err != nil {
		os.Exit(1)
	}
}
