//go:build linux

// Overlay mounts an overlay whose folders are in the folder that its argument names.
package main

import (
	"fmt"
	"log"
	"os"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	base := os.Args[1]
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		os.MkdirAll(base+"/"+name, 0o755)
	}
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", base)
	if err := unix.Mount("overlay", base+"/merged", "overlay", 0, options); err != nil {
		log.Fatal("mount overlay: ", err)
	}
	fmt.Println("mounted:", base+"/merged")
}
