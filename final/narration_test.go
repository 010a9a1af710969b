//go:build linux

package main

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
)

// The narration of a run with all defaults is short enough for a talk.
func TestNarrationIsShort(t *testing.T) {
	asRoot(t)
	lesson.Type(t, "-quiet", "run", "-network", "none", "true").Exits(0) // makes the root file system
	for _, test := range []struct {
		flag string
		most int
	}{{"-no-color", 110}, {"-short", 45}} {
		said := lesson.Type(t, test.flag, "run", "/bin/true").Exits(0).Stderr
		lines := strings.Split(strings.TrimSpace(said), "\n")
		if len(lines) > test.most || len(lines) < 20 {
			t.Errorf("%s: %d lines, expected at most %d:\n%s", test.flag, len(lines), test.most, said)
		}
		for _, line := range lines {
			if len([]rune(line)) > 80 {
				t.Errorf("%s: wider than 80 columns: %s", test.flag, line)
			}
		}
	}
}

// -pause takes a dozen keys at most, with c for each chapter; and each chapter is told
// before the next key.
func TestPauseByChapters(t *testing.T) {
	asRoot(t)
	lesson.Type(t, "-quiet", "run", "-network", "none", "true").Exits(0)
	term := lessontest.NewTerminal(t, 80, exec.Command(lessontest.Program(), "-pause", "run", "/bin/true"))
	ended := make(chan int, 1)
	go func() { ended <- term.Wait() }()
	keys := 0
	for {
		asked := lessontest.Eventually(lessontest.Patience, func() bool {
			return strings.Count(term.Raw(), "q: quit") > keys || len(ended) > 0
		})
		if !asked {
			t.Fatalf("after %d keys nothing happens:\n%s", keys, term.Screen())
		}
		if len(ended) > 0 {
			break
		}
		keys++
		term.Type("c")
	}
	if status := <-ended; status != 0 || keys < 5 || keys > 12 {
		t.Errorf("exit status %d after %d keys, expected 0 after at most 12:\n%s", status, keys, term.Screen())
	}
}

// While the command has the terminal, nothing is told: a prompt stays where it is. The
// terminal is raw then, and what is told before it is restored begins at the left, too.
func TestNarrationLeavesTheCommandAlone(t *testing.T) {
	asRoot(t)
	lesson.Type(t, "-quiet", "run", "-network", "none", "true").Exits(0)
	for _, flag := range []string{"-no-color", "-short"} {
		term := lessontest.NewTerminal(t, 80, exec.Command(lessontest.Program(), flag, "run", "-network", "none", "/bin/sh"))
		term.Expect("container:/# ")
		term.Type("exit 3\n")
		if status := term.Wait(); status != 3 {
			t.Errorf("%s: exit status %d, expected 3", flag, status)
		}
		_, after, found := strings.Cut(term.Raw(), "container:/# ")
		if !found || strings.Count(after, "Wait until a process ends") != 1 || strings.Count(term.Raw(), "Wait until a process ends") != 1 {
			t.Errorf("%s: expected: the wait is told when the command has ended:\n%s", flag, term.Screen())
		}
		if lines := strings.Count(term.Raw(), "\n"); lines != strings.Count(term.Raw(), "\r\n") {
			t.Errorf("%s: of %d lines only %d end with a carriage return: %q", flag, lines, strings.Count(term.Raw(), "\r\n"), term.Raw())
		}
	}
}

// Ctrl-C at a prompt ends the explained program, as without: it has one thread, and no
// call is made that waited for a key.
func TestPauseOfExplainInterrupted(t *testing.T) {
	asRoot(t)
	for _, before := range []int{0, 1, 2} {
		term := lessontest.NewTerminal(t, 80, exec.Command(lessontest.Program(), "explain", "-pause", "unshare", "-u", "sh", "-c", "echo ran"))
		for range before {
			term.Expect("q: quit")
			term.Type("\n")
		}
		term.Expect("q: quit")
		term.Type("\x03")
		if status := term.Wait(); status != -int(unix.SIGINT) {
			t.Errorf("after %d times Enter, Ctrl-C ends it with %d, expected SIGINT", before, status)
		}
		if strings.Contains(term.Raw(), "\nran") {
			t.Errorf("the command has run:\n%s", term.Raw())
		}
	}
}

// In the environment of the tests -pause has no terminal, says so and goes on.
func TestPauseNowhere(t *testing.T) {
	asRoot(t)
	command := exec.Command("setsid", "-w", lessontest.Program(), "-pause", "run", "-network", "none", "/bin/sh", "-c", "echo hi; exit 7")
	lessontest.RunCommand(t, "", command).Prints("hi\n").Exits(7).SaysMatch("(?i)-pause.*terminal")
}
