//go:build linux

// Unshare moves itself into a new user namespace.
package main

import (
	"log"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	if err := unix.Unshare(unix.CLONE_NEWUSER); err != nil {
		log.Fatal("unshare: ", err)
	}
	shell := exec.Command("/bin/sh", "-c", "id -u")
	shell.Stdout, shell.Stderr = os.Stdout, os.Stderr
	if err := shell.Run(); err != nil {
		log.Fatal(err)
	}
}
