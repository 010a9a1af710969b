//go:build linux

package main

import (
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"gonsrun/internal/lessontest"
)

var step = lessontest.Lesson{Number: 3, Name: "step03-pid"}

func TestMain(m *testing.M) { step.Main(m) }

// What every lesson promises: see internal/lessontest/promises_linux.go.
func TestPromises(t *testing.T) { step.Promises(t) }

// What it says while it runs is true, complete and in order.
func TestNarration(t *testing.T) { step.Narration(t) }

// The hostname inside is the container's own, and the host keeps its own.
func TestHostname(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	before := lessontest.Hostname(t)
	step.Type(t, "run", "hostname").Prints("container\n")
	step.Type(t, "run", "/bin/sh", "-c", "hostname other && hostname").Prints("other\n")
	if after := lessontest.Hostname(t); after != before {
		t.Errorf("the host's hostname was %q, and is %q now", before, after)
	}
}

// The command is number 1 of its own PID namespace; the host sees another
// number for the same process.
func TestPid(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	step.Type(t, "run", "/bin/sh", "-c", "echo $$").Prints("1\n")

	running := step.Start(t, "run", "sleep", "1000")
	outside := running.PidOutside("sleep", "1000")
	if pids := lessontest.NSpid(outside); len(pids) != 2 || pids[1] != "1" {
		t.Errorf("NSpid of process %d is %v, expected two pids, the second one 1", outside, pids)
	}
	running.Signal(syscall.SIGTERM)
	running.Wait().Exits(128 + 15)
}

// No process of the host's can be reached with kill.
func TestKillReachesNobody(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	neighbor := lessontest.StartCommand(t, exec.Command("sleep", "1000"))
	step.Type(t, "run", "/bin/sh", "-c", "kill -9 "+strconv.Itoa(neighbor.Pid())+" 2>/dev/null || echo refused").Prints("refused\n")
	neighbor.Signal(syscall.SIGTERM)
	neighbor.Wait().Exits(-15)
}
