//go:build linux

// Fork makes a PID namespace, and starts two programs in it.
package main

import (
	"log"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	runtime.LockOSThread() // unshare concerns this thread, and no other
	if err := unix.Unshare(unix.CLONE_NEWPID); err != nil {
		log.Fatal("unshare: ", err)
	}
	for range 2 {
		shell := exec.Command("/bin/sh", "-c", "echo I am number $$")
		shell.Stdout, shell.Stderr = os.Stdout, os.Stderr
		if err := shell.Run(); err != nil {
			log.Fatal(err)
		}
	}
}
