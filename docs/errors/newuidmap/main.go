//go:build linux

// Newuidmap gives a user namespace a range of user IDs.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	sleeper := exec.Command("/bin/sleep", "10")
	sleeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, Pdeathsig: unix.SIGKILL}
	if err := sleeper.Start(); err != nil {
		log.Fatal(err)
	}
	pid := strconv.Itoa(sleeper.Process.Pid)
	newuidmap := exec.Command("newuidmap", pid, "0", strconv.Itoa(os.Getuid()), "1", "1", "100000", "65536")
	said, err := newuidmap.CombinedOutput()
	if err != nil {
		log.Fatal(string(said))
	}
	uidMap, _ := os.ReadFile("/proc/" + pid + "/uid_map")
	fmt.Print(string(uidMap))
}
