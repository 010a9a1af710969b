//go:build linux

// Subtree-cured does so, too: its process is in a leaf of its own.
package main

import (
	"fmt"
	"log"
	"os"
)

const group = "/sys/fs/cgroup/mine"

func main() {
	log.SetFlags(0)
	check(os.MkdirAll(group+"/leaf", 0o755))
	check(os.WriteFile(group+"/leaf/cgroup.procs", []byte("0"), 0))
	check(os.WriteFile(group+"/cgroup.subtree_control", []byte("+memory"), 0))
	fmt.Println("handed down")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
