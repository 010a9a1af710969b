// Macos is a program for Linux, and does not say so.
package main

import (
	"log"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	log.SetFlags(0)
	shell := exec.Command("/bin/sh", "-c", "hostname container; hostname")
	shell.Stdout, shell.Stderr = os.Stdout, os.Stderr
	shell.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUTS}
	if err := shell.Run(); err != nil {
		log.Fatal(err)
	}
}
