// Why makes calls from every kind of function. What is said of each call is the
// name of the folder that it changes into: none is there.
package main

import (
	_ "embed"
	"syscall"

	"gonsrun/internal/narrate"
)

//go:embed main.go
var source string

func main() {
	narrate.Watch(source)
	// /directly
	syscall.Chdir("/directly")
	for _, path := range []string{"/once", "/catalogue"} {
		// /once
		syscall.Chdir(path)
	}
	// /never: a comment that stands nearer counts.
	func() {
		// /of a closure
		syscall.Chdir("/of a closure")
	}()
	deferred()
	inlined("/inlined")
	// /through an inlined function
	bare("/through an inlined function")
	thing{}.method()
	// /from a generic function
	generic("/from a generic function")
	// /from another
	generic([]byte("/from another"))
	// A comment, and an empty line: not directly above.

	syscall.Chdir("/catalogue")
	// /of two
	// lines
	syscall.Chdir("/of two lines")
	/* Not of this kind. */
	syscall.Chdir("/catalogue")
	done := make(chan bool)
	go func() {
		// /on another thread
		syscall.Chdir("/on another thread")
		close(done)
	}()
	<-done
	elsewhere()
}

func deferred() {
	defer func() {
		// /deferred
		syscall.Chdir("/deferred")
	}()
}

func inlined(path string) {
	// /inlined
	syscall.Chdir(path)
}

func bare(path string) { syscall.Chdir(path) }

type thing struct{}

//go:noinline
func (thing) method() {
	// /of a method
	syscall.Chdir("/of a method")
}

//go:noinline
func generic[T string | []byte](path T) { syscall.Chdir(string(path)) }
