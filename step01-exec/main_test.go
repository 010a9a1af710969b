//go:build linux

package main

import (
	"strconv"
	"testing"

	"gonsrun/internal/lessontest"
)

var step = lessontest.Lesson{Number: 1, Name: "step01-exec"}

func TestMain(m *testing.M) { step.Main(m) }

// What every lesson promises: see internal/lessontest/promises_linux.go.
func TestPromises(t *testing.T) { step.Promises(t) }

// What it says while it runs is true, complete and in order.
func TestNarration(t *testing.T) { step.Narration(t) }

// The command is a child of the program that was started.
func TestStartsItselfAgain(t *testing.T) {
	lessontest.Leftovers(t)
	running := step.Start(t, "run", "/bin/sh", "-c", "echo $PPID")
	if parent := running.Line(); parent != strconv.Itoa(running.Pid()) {
		t.Errorf("the command's parent is %s, expected %d", parent, running.Pid())
	}
	running.Wait().Exits(0)
}

// Nothing is isolated yet: every namespace of the command is the host's.
func TestNothingIsIsolated(t *testing.T) {
	lessontest.Leftovers(t)
	for _, namespace := range []string{"uts", "pid", "mnt", "ipc", "net", "user"} {
		step.Type(t, "run", "readlink", "/proc/self/ns/"+namespace).Prints(lessontest.Namespace(t, namespace) + "\n")
	}
}
