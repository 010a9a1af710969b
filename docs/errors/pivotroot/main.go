//go:build linux

// Pivotroot makes the folder that its argument names the root of a mount namespace.
package main

import (
	"fmt"
	"log"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	root := os.Args[1]
	runtime.LockOSThread() // unshare moves this thread, and no other
	must("unshare", unix.Unshare(unix.CLONE_NEWNS))
	must("mount", unix.Mount(root, root, "", unix.MS_BIND|unix.MS_REC, ""))
	must("pivot_root", unix.PivotRoot(root, root+"/old"))
	must("chdir", unix.Chdir("/"))
	must("umount", unix.Unmount("/old", unix.MNT_DETACH))
	entries, err := os.ReadDir("/")
	must("readdir", err)
	fmt.Println("in the new root:", entries)
}

func must(call string, err error) {
	if err != nil {
		log.Fatal(call, ": ", err)
	}
}
