//go:build linux

// Execve starts bash in the root file system that its argument names.
package main

import (
	"log"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	log.SetFlags(0)
	shell := exec.Command("/bin/bash", "-c", "echo /bin/*")
	shell.Dir = "/"
	shell.Env = []string{"PATH=/bin"}
	shell.Stdout, shell.Stderr = os.Stdout, os.Stderr
	shell.SysProcAttr = &syscall.SysProcAttr{Chroot: os.Args[1]}
	if err := shell.Run(); err != nil {
		log.Fatal(err)
	}
}
