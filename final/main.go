//go:build linux

// Final is a complete container runtime, built from what the lessons showed.
//
//	go run -exec sudo ./final run /bin/sh
//
// The container has namespaces for all that Linux can isolate, a root file
// system that is thrown away at the end, devices and a network of its own,
// limits, and only those rights that harm nobody:
//
//	go run -exec sudo ./final run -memory 64m -p 8080:80 -v "$PWD":/src /bin/sh
//
// An ordinary user gets one too, in a user namespace, without sudo.
//
// It narrates what it does, and what any other program does that it becomes:
//
//	go run -exec sudo ./final explain runc run web
package main

import (
	_ "embed"
	"os"
	"runtime"

	"gonsrun/internal/narrate"
)

//go:embed main.go
var manual string

// init keeps main on the process's first thread. What a parent-death signal is
// tied to is a thread: on the host's side the one that calls clone, on the
// container's side the first, which must be the one that calls execve.
func init() { runtime.LockOSThread() }

// main is called by the reader, and by final itself: to be the container's side
// of run and exec, to look after a detached container, and to be an init.
func main() {
	narrate.Serve()
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	switch role {
	case "child":
		containerSide(awaitIDs, child)
	case "join":
		containerSide(nil, join)
	case "init":
		os.Exit(reap(os.Args[2:]))
	case "keep":
		keeper = true
		os.Exit(execute(os.Args[2:]))
	default:
		os.Exit(execute(os.Args[1:]))
	}
}
