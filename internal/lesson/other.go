//go:build !linux

package lesson

import (
	"fmt"
	"os"
	"runtime"

	"gonsrun/internal/narrate"
)

// NeedsLinux is what every lesson's main calls on a system that is not Linux.
// It says what the lesson would do there, and what to type here. source is the
// lesson's main.go, whose first comment is the manual.
func NeedsLinux(source string) {
	manual := narrate.ParseManual(source)
	if len(os.Args) == 2 && (os.Args[1] == "-h" || os.Args[1] == "-help" || os.Args[1] == "--help" || os.Args[1] == "help") {
		fmt.Println(manual.Text)
		os.Exit(0)
	}
	fmt.Fprint(os.Stderr, needsLinux(manual, runtime.GOOS))
	os.Exit(1)
}
