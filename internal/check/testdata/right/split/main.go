// lesson: step05-proc

// Split is a program of three files: what was typed, the host's side, the
// container's side.
//
//	go run -exec sudo ./split run /bin/sh
package main

import (
	_ "embed"
	"flag"
	"os"

	"gonsrun/internal/lesson"
	"gonsrun/internal/narrate"
)

//go:embed main.go
var source string

var rootDir = flag.String("rootfs", "", "the root file system is in `DIR`")

func main() {
	narrate.Watch(source)
	defer lesson.End()
	args := lesson.Args(source)
	if args[0] == "run" {
		os.Exit(host{command: args[1:]}.run())
	}
	c := container{root: args[1], command: args[2:], environment: lesson.Environment()}
	c.isolate()
	c.becomeCommand()
}
