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
package main

import (
	_ "embed"
	"os"

	"gonsrun/final/internal/narrate"
)

//go:embed main.go
var manual string

// main is called by the reader, and by final itself: to be the container's side
// of run and exec, to look after a detached container, and to be an init.
func main() {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	narrate.Speak(narrate.Config{Program: "final", Side: narrate.Host, Quiet: true}) // until we know more
	switch role {
	case "child":
		narrate.ContainerSide(awaitIDs()...)
		child(receiveSpec())
	case "join":
		narrate.Joined()
		join(receiveSpec())
	case "init":
		reap(os.Args[2:])
	case "keep":
		os.Exit(keep(os.Args[2:]))
	default:
		os.Exit(execute(os.Args[1:]))
	}
}
