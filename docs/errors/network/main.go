//go:build linux

// Network starts a shell in a network namespace, which connects to the host.
package main

import (
	"log"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

const inside = `
: </dev/tcp/host.example/8080 && echo found by its name
: </dev/tcp/10.200.0.1/8080 && echo connected`

func main() {
	log.SetFlags(0)
	shell := exec.Command("/bin/bash", "-c", inside)
	shell.Stdout, shell.Stderr = os.Stdout, os.Stderr
	shell.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS,
	}
	if err := shell.Start(); err != nil {
		log.Fatal(err)
	}
	if shell.Wait() != nil {
		os.Exit(1)
	}
}
