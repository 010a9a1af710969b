//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"gonsrun/internal/lessontest"
)

// asTyped returns a shell that runs a line in which final is in PATH.
func asTyped(t *testing.T, line string) *exec.Cmd {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(lessontest.Program(), filepath.Join(bin, "final")); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("/bin/sh", "-c", line)
	shell.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	return shell
}

// fits types a line on a terminal of 80 columns and into a pipe, and fails the
// test if a line of what comes out is wider. It returns what a pipe gets.
func fits(t *testing.T, line string) string {
	t.Helper()
	term := lessontest.NewTerminal(t, 80, asTyped(t, line))
	if status := term.Wait(); status != 0 {
		t.Errorf("%s, on a terminal: exit status %d\n%s", line, status, said(term))
	}
	piped := lessontest.RunCommand(t, "", asTyped(t, line)).Exits(0).IsSilent().Stdout
	for where, text := range map[string]string{"on a terminal": said(term), "in a pipe": piped} {
		if strings.Count(text, "\n") < 1 {
			t.Errorf("%s, %s, prints nothing:\n%s", line, where, text)
		}
		for _, printed := range strings.Split(strings.ReplaceAll(text, "\r", ""), "\n") {
			if strings.HasPrefix(strings.TrimSpace(printed), `"`) {
				continue // JSON has no way to break a string
			}
			if n := utf8.RuneCountInString(strings.ReplaceAll(printed, "\t", "        ")); n > 80 {
				t.Errorf("%s, %s: %d columns:\n%s", line, where, n, printed)
			}
		}
	}
	return piped
}

// No manual is wider than 80 columns, also where it shows the longest lines to
// type: those of who started final with go run and sudo.
func TestManualsFit(t *testing.T) {
	nothingLeft(t)
	bin := t.TempDir()
	for name, script := range map[string]string{"go": bin + `/sudo "$@"`, "sudo": `final "$@"`} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"; exit $?\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	starts := []string{bin + "/go "}
	if os.Geteuid() == 0 { // for others sudo stands before a path, and the one of a test is long
		starts = append(starts, "final ")
	}
	for _, start := range starts {
		fits(t, start+"help")
		for _, verb := range commands() {
			fits(t, start+verb.name+" -h")
		}
	}
	if manual := fits(t, bin+"/go ps -h"); !strings.Contains(manual, "\n  go run -exec sudo ./final rm -f $(go run -exec sudo ./final ps -aq)\n") {
		t.Errorf("ps -h prints\n%s", manual)
	}
}

// Nor is what is said of containers, also of one that has much of everything.
// In ps one line is one container.
func TestListsFit(t *testing.T) {
	asRoot(t)
	name := "long-" + strings.Repeat("n", 50)
	long := detached(t, lesson, "-name", name, "-hostname", strings.Repeat("h", 60), "-memory", "64m", "-pids-limit", "20",
		"-p", "127.0.0.1:8125:80", "-p", "127.0.0.1:8126:90/udp", "-v", "/etc:/mnt/etc:ro", "sh", "-c", "sleep 1000; echo "+strings.Repeat("w", 200))
	ended := lesson.Type(t, "-quiet", "run", "-d", "-rm=false", "-network", "none", "sh", "-c", "exit 137").Exits(0).Stdout
	ended = strings.TrimSpace(ended)
	t.Cleanup(func() { lesson.Type(t, "rm", "-f", ended) })
	if !lessontest.Eventually(lessontest.Patience, func() bool { return strings.Contains(lesson.Type(t, "ps", "-a").Stdout, "stopped (137)") }) {
		t.Error("the second container does not end")
	}
	for _, line := range []string{"final ps", "final ps -a"} {
		if list := fits(t, line); strings.Count(list, "\n") != strings.Count(line, " ")+1 || !strings.Contains(list, long+"  long-") {
			t.Errorf("%s prints\n%s", line, list)
		}
	}
	fits(t, "final stats -once")
	fits(t, "final inspect "+long)
	fits(t, "final inspect "+ended)
	fits(t, "final doctor; true")

	// Nothing is cut where that is asked for.
	lesson.Type(t, "ps", "-no-trunc").PrintsMatch(long + ` +` + name + ` .*w{200} +running .* 10\.\S+ +127\.0\.0\.1:8125:80/tcp 127\.0\.0\.1:8126:90/udp\n`).Exits(0)
}

// -aq, -qa and -a -q are the same.
func TestCombinedFlags(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		runs := detached(t, who, "-network", "none", "sleep", "1000")
		id := strings.TrimSpace(who.Type(t, "-quiet", "run", "-d", "-network", "none", "true").Exits(0).Stdout)
		t.Cleanup(func() { who.Type(t, "rm", "-f", id) })
		if !lessontest.Eventually(lessontest.Patience, func() bool { return who.Type(t, "ps", "-q").Stdout == runs+"\n" }) {
			t.Errorf("ps -q prints %q", who.Type(t, "ps", "-q").Stdout)
		}
		for _, flags := range []string{"-aq", "-qa", "-a -q", "-q -a"} {
			list := who.Type(t, append([]string{"ps"}, strings.Fields(flags)...)...).Exits(0).IsSilent().Stdout
			if strings.Count(list, "\n") != 2 || !strings.Contains(list, runs+"\n") || !strings.Contains(list, id+"\n") {
				t.Errorf("ps %s prints %q, expected the ids %s and %s", flags, list, runs, id)
			}
		}
	})
}
