package narrate

import "testing"

func TestParseManual(t *testing.T) {
	m := ParseManual(`//go:build linux

// Step03-pid gives the container a PID namespace.
//
//	go run -exec sudo ./step03-pid run /bin/sh
//
// Inside, try  echo $$ .
package main

// This is no part of the manual.
import "os"
`)
	if m.Program != "step03-pid" {
		t.Errorf("the program is %q, expected step03-pid", m.Program)
	}
	want := "Step03-pid gives the container a PID namespace.\n\n" +
		"\tgo run -exec sudo ./step03-pid run /bin/sh\n\n" +
		"Inside, try  echo $$ ."
	if m.Text != want {
		t.Errorf("the manual is\n%q\nexpected\n%q", m.Text, want)
	}
}
