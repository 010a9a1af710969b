//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
)

var styles = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// said is what is on a terminal, without colors.
func said(term *lessontest.Terminal) string {
	return styles.ReplaceAllString(term.Screen(), "")
}

// A line to type stands whole in a line of its own on every terminal; and it is
// written as final was started.
func TestLinesToType(t *testing.T) {
	nothingLeft(t)
	bin := filepath.Join(t.TempDir(), "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(lessontest.Program(), filepath.Join(bin, "final")); err != nil {
		t.Fatal(err)
	}
	for _, columns := range []int{40, 60, 80} {
		for _, program := range []string{"final", filepath.Join(bin, "final")} {
			asRoot := program
			if os.Geteuid() != 0 {
				asRoot = "sudo " + filepath.Join(bin, "final") // sudo has a PATH of its own
			}
			for _, test := range []struct {
				args  string
				lines []string
			}{
				{"logs web", []string{program + " ps -a"}},
				{"run", []string{asRoot + " run /bin/sh", program + " run -h"}},
				{"stop", []string{program + " ps -a", program + " stop -t 2 web", program + " stop -h"}},
				{"frobnicate", []string{program + " help"}},
				{"kill -s NONSENSE web", []string{"kill -l"}},
			} {
				shell := exec.Command("/bin/sh", "-c", program+" "+test.args)
				shell.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
				term := lessontest.NewTerminal(t, columns, shell)
				if status := term.Wait(); status != 125 {
					t.Errorf("%s %s: exit status %d, expected 125", program, test.args, status)
				}
				screen := said(term)
				for _, line := range test.lines {
					if !strings.Contains(screen, "\n  "+line+"\n") {
						t.Errorf("%s %s, on %d columns, does not say %q in a line of its own:\n%s", program, test.args, columns, line, screen)
					}
				}
			}
		}
	}
}

// Number 1 of a PID namespace does not get the Ctrl-C that it does not catch:
// then the first one says how to end it. Else it is the command's, and the
// second one says how.
func TestInterrupt(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		for _, test := range []struct {
			command, first, second string
		}{
			{"echo be''gun; exec sleep 1234", "Twice more within 2s kills", ""},
			{"trap 'echo caught' INT; echo be''gun; while :; do sleep 0.1; done", "caught", "Once more within 2s kills"},
		} {
			outer := outerShell(t, who)
			outer.Type(lessontest.Program() + " run -network none sh -c \"" + test.command + "\" </dev/null; echo sta''tus\n")
			outer.Expect("begun")
			if test.second == "" {
				outer.WaitForeground("sleep", "1234")
			}
			outer.Type("\x03")
			outer.Expect(test.first)
			time.Sleep(200 * time.Millisecond) // of two signals at once the kernel makes one, and so does Go
			if before := said(outer); strings.Contains(before, "Once more") {
				t.Errorf("%s: the first Ctrl-C says what the second should:\n%s", test.command, before)
			}
			outer.Type("\x03")
			if test.second != "" {
				outer.Expect(test.second)
			}
			time.Sleep(200 * time.Millisecond)
			outer.Type("\x03")
			outer.Expect("for the third time within 2s")
			outer.Expect("status")
			outer.Expect("outer$ ")
			outer.Type("exit 0\n")
			outer.Wait()
		}
	})
}

// On a terminal of the container's own, Ctrl-C goes there: what it says is how
// to end the command from another terminal.
func TestInterruptOnOwnTerminal(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		outer := outerShell(t, who)
		outer.Type(lessontest.Program() + " run -network none -it -name deaf sleep 1234; echo sta''tus $?\n")
		outer.WaitForeground("-network", "none", "-it", "-name", "deaf", "sleep", "1234")
		if !lessontest.Eventually(lessontest.Patience, func() bool { return outer.Modes().Lflag&unix.ISIG == 0 }) {
			t.Fatalf("the terminal is not raw:\n%s", said(outer))
		}
		outer.Type("\x03")
		outer.Expect("does not catch Ctrl-C")
		outer.Expect(lessontest.Program() + " kill deaf")
		who.Type(t, "kill", "deaf").Exits(0)
		outer.Expect("status 137")
		outer.Type("exit 0\n")
		outer.Wait()
	})
}
