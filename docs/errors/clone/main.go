//go:build linux

// Clone starts a shell in a UTS namespace of its own.
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
		Cloneflags: unix.CLONE_NEWUTS,
	}
	if err := shell.Run(); err != nil {
		log.Fatal(err)
	}
}
