//go:build linux

package main

import (
	"testing"

	"gonsrun/internal/lessontest"
)

var step = lessontest.Lesson{Number: 2, Name: "step02-uts"}

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
