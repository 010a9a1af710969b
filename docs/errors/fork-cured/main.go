//go:build linux

// Fork-cured starts two programs, each as number 1 of a PID namespace.
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
	for range 2 {
		shell := exec.Command("/bin/sh", "-c", "echo I am number $$")
		shell.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
		shell.Stdout, shell.Stderr = os.Stdout, os.Stderr
		if err := shell.Run(); err != nil {
			log.Fatal(err)
		}
	}
}
