//go:build linux

// Network-cured connects the shell's network namespace with the host's.
package main

import (
	"log"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const inside = `
for try in $(seq 50); do ip link set inside up 2>/dev/null && break; sleep 0.1; done
ip address add 10.200.0.2/24 dev inside
ip route add default via 10.200.0.1
mount --make-rprivate / && echo nameserver 10.200.0.1 >/run/resolv.inside
mount --bind /run/resolv.inside /etc/resolv.conf && rm /run/resolv.inside
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
	ip("link add outside type veth peer name inside")
	ip("address add 10.200.0.1/24 dev outside")
	ip("link set outside up")
	serve("10.200.0.1")
	ip("link set inside netns", strconv.Itoa(shell.Process.Pid))
	if shell.Wait() != nil {
		os.Exit(1)
	}
}
