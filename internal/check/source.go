package check

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

var (
	stack = regexp.MustCompile(`(?m)^goroutine \d+ .*\[([^],]*).*\]:$`)
	frame = regexp.MustCompile(`(?m)^(\S.*)\([^()]*\)\n\t(.+\.go):(\d+)`)
)

// place is a line of a Go program.
type place struct {
	line   string // "main.go:59"; "" when it is not known
	called string // the function that this line has called, "" for none
	state  string // as Go has it: "running", "chan receive"
	itself string // a function that calls itself, again and again, in this line; "" for none
}

// placeIn finds a place in what a Go program says at a panic, or when SIGABRT ends
// it: in the first stack with a function of package main.
func placeIn(dump string) place {
	starts := stack.FindAllStringSubmatchIndex(dump, -1)
	for i, start := range starts {
		end := len(dump)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		text, _, _ := strings.Cut(dump[start[0]:end], "\ncreated by ")
		called, frames := "", frame.FindAllStringSubmatch(text, -1)
		for i, f := range frames {
			if strings.HasPrefix(f[1], "main.") {
				found := place{line: lineOf(f), called: called, state: dump[start[2]:start[3]]}
				if later := i + deep; later < len(frames) && frames[later][1] == f[1] {
					found.itself, found.line = f[1], lineOf(frames[later])
				}
				return found
			}
			if called = path.Base(f[1]); strings.HasPrefix(called, "runtime.") {
				called = "" // which nobody has written
			}
		}
	}
	return place{}
}

// deep is how often a function stands in a stack that calls itself for ever.
const deep = 20

func lineOf(frame []string) string { return path.Base(frame[2]) + ":" + frame[3] }

// waits is what a program does at a place, in words: words says it for a thread that
// computes, or is in a system call of its own.
func (p place) waits(words string) string {
	switch {
	case p.line == "":
		return words
	case p.itself != "":
		return fmt.Sprintf("%s calls itself, again and again, at %s", p.itself, p.line)
	case p.state == "running" || p.state == "runnable":
		return "it computes, at " + p.line
	case p.state == "syscall":
		return words + ", at " + p.line
	case p.called != "":
		return fmt.Sprintf("it waits in %s, called at %s", p.called, p.line)
	}
	return fmt.Sprintf("it waits at %s (%s)", p.line, p.state)
}
