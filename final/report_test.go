//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
)

// What the host's side makes of what the container's side says: only the end that
// follows ready means that the command runs.
func TestReport(t *testing.T) {
	const ready, note, failed = `{"ready":true}`, `{"note":"no overlay"}`, `{"failure":{"text":"no \\xff","hint":"make one","status":127,"call":"execve","errno":2,"pid":1,"process":""}}`
	for _, test := range []struct {
		name, said string
		status     int // 0 when the command runs
		text       string
	}{
		{"begun", ready, 0, ""},
		{"begun with a note", note + ready, 0, ""},
		{"failed", failed, 127, "no \xff"},
		{"failed to execute", note + ready + failed, 127, "no \xff"},
		{"dead", "", 128 + 9, "SIGKILL has ended"},
		{"dead after a note", note, 128 + 9, "SIGKILL has ended"},
		{"dead in the middle of a word", `{"rea`, 128 + 9, "SIGKILL has ended"},
		{"nonsense", "panic: oh no", 128 + 9, "SIGKILL has ended"},
	} {
		t.Run(test.name, func(t *testing.T) {
			write, read, err := pipe()
			if err != nil {
				t.Fatal(err)
			}
			unix.Write(write, []byte(test.said))
			unix.Close(write)
			other := exec.Command("sh", "-c", "kill -9 $$")
			if err := other.Start(); err != nil {
				t.Fatal(err)
			}
			host = hostSide{}
			if err := host.started(other.Process.Pid); err != nil {
				t.Fatal(err)
			}
			c := container{ours: pipes{report: read}}
			err = c.awaitCommand()
			switch {
			case test.status == 0 && err != nil:
				t.Errorf("the error is %v", err)
			case test.status == 0:
			case err == nil || exitStatus(err) != test.status || !strings.Contains(err.Error(), test.text):
				t.Errorf("the error is %v, expected exit status %d and %q", err, test.status, test.text)
			}
			host.kill()
		})
	}
}

// A failure on the container's side is the host's to explain: what the error itself
// knows comes first, then the advice for the call that failed.
func TestReportedHints(t *testing.T) {
	t.Cleanup(func() { rootLine = "" })
	rootLine = "sudo final run true"
	for hint, f := range map[string]*failure{
		"make one":            {Text: "x", Hint: "make one", Call: "execve", Errno: unix.ENOENT},
		"ELF interpreter":     {Text: "x", Call: "execve", Errno: unix.ENOENT},
		"sudo final run true": {Text: "x", Call: "mount", Errno: unix.EPERM, Process: "Uid:\t1000\t1000\t1000\t1000\n"},
		"--privileged":        {Text: "x", Call: "mount", Errno: unix.EPERM, Process: "Uid:\t0\t0\t0\t0\nCapEff:\t0\n"},
	} {
		if got := hintFor(f); !strings.Contains(got, hint) {
			t.Errorf("for %+v the hint is %q, expected %q", f, got, hint)
		}
	}
}

// The container's side, started by somebody who goes away, ends and says why; typed
// by a reader, it says that nobody types it.
func TestContainerSideAlone(t *testing.T) {
	nothingLeft(t)
	for _, role := range []string{"child", "join"} {
		lesson.Type(t, role).Prints("").Says(`"`+role+`"`, "nobody types it").Exits(125)
		for name, description := range map[string]string{"nothing": "", "half of one": `{"hostname": "con`, "none": "[]\n"} {
			ours, theirs, err := openPipes()
			if err != nil {
				t.Fatal(err)
			}
			alone := exec.Command(lessontest.Program(), role)
			alone.ExtraFiles = []*os.File{os.NewFile(uintptr(theirs.spec), "spec"), os.NewFile(uintptr(theirs.report), "report")}
			unix.Write(ours.spec, []byte(description))
			unix.Close(ours.spec)
			lessontest.RunCommand(t, "", alone).Prints("").IsSilent().Exits(125)
			for _, f := range alone.ExtraFiles {
				f.Close()
			}
			c := container{ours: ours}
			var failed *failure
			if err := c.awaitCommand(); !errors.As(err, &failed) || !strings.Contains(err.Error(), "description") || failed.Status != 125 {
				t.Errorf("%s with %s as description reports %v", role, name, err)
			}
		}
	}
}
