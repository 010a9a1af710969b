//go:build linux

// Final is a complete container runtime, built from what the lessons showed.
//
//	go run -exec sudo ./final run /bin/sh
//
// The container has namespaces for all that Linux can isolate, a root file
// system that is thrown away at the end, devices of its own, and limits:
//
//	go run -exec sudo ./final run -memory 64m -cpus 0.5 -pids-limit 20 /bin/sh
package main

import (
	_ "embed"
	"os"

	"gonsrun/internal/narrate"
)

//go:embed main.go
var manual string

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		narrate.ContainerSide()
		child(receiveSpec())
	}
	options := parseArguments(os.Args[1:])
	os.Exit(narrate.HostSide(options.narration, func() int { return run(options) }))
}
