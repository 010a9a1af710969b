//go:build linux

// Setns-cured starts a process in new namespaces, and joins the one that its
// argument names: mnt or user.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	runtime.LockOSThread() // setns moves this thread, and no other
	other := exec.Command("/bin/sleep", "10")
	other.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	check("clone", other.Start())
	if os.Args[1] == "user" { // only a program with one thread can: nsenter
		pid := fmt.Sprint(other.Process.Pid)
		joined, err := exec.Command("nsenter", "--target", pid, "--user", "--preserve-credentials", "echo", "joined: user").CombinedOutput()
		fmt.Print(string(joined))
		check("nsenter", err)
		return
	}
	check("unshare", unix.Unshare(unix.CLONE_FS)) // a root and a working directory of this thread's own
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", other.Process.Pid, os.Args[1]))
	check("open", err)
	check("setns", unix.Setns(int(namespace.Fd()), 0))
	fmt.Println("joined:", os.Args[1])
}

func check(call string, err error) {
	if err != nil {
		log.Fatal(call, ": ", err)
	}
}
