//go:build linux

// Subtree makes a cgroup, enters it, and hands a controller down to the groups below.
package main

import (
	"fmt"
	"log"
	"os"
)

const group = "/sys/fs/cgroup/mine"

func main() {
	log.SetFlags(0)
	check(os.MkdirAll(group, 0o755))
	check(os.WriteFile(group+"/cgroup.procs", []byte("0"), 0))
	check(os.WriteFile(group+"/cgroup.subtree_control", []byte("+memory"), 0))
	fmt.Println("handed down")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
