//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gonsrun/internal/lessontest"
)

var step = lessontest.Lesson{Number: 4, Name: "step04-chroot"}

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

// Nothing of the host's tree can be reached by its name: / is another folder,
// above it is nothing, and a file of the host's is not there.
func TestRoot(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	file := filepath.Join(t.TempDir(), "of-the-host")
	if err := os.WriteFile(file, []byte("secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	step.Type(t, "run", "/bin/sh", "-c", "cat "+file+" || cat /.."+file+" || cat ../../../.."+file).Prints("").Exits(1)
	step.Type(t, "run", "/bin/sh", "-c", "pwd; cd ..; pwd").Prints("/\n/\n")
	step.Type(t, "run", "/bin/sh", "-c", "ls -di / /.. | uniq -w 1 | wc -l").PrintsMatch("^ *1\n")
	outside := lessontest.RunCommand(t, "", exec.Command("ls", "-i", "-d", "/"))
	if inside := step.Type(t, "run", "ls", "-i", "-d", "/"); inside.Stdout == outside.Stdout {
		t.Errorf("/ inside is / outside: ls -i -d / prints %q in both", inside.Stdout)
	}
}

// Both shells are there, without -rootfs.
func TestShells(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	step.Type(t, "run", "/bin/sh", "-c", "echo $0").Prints("/bin/sh\n")
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("this machine has no bash, so neither has the root file system that was made from it")
	}
	step.Type(t, "run", "/bin/bash", "-c", "echo ${BASH_VERSION:+bash}").Prints("bash\n")
}

// There is no /proc yet: ps fails, or finds no process, not even its own.
func TestNoProc(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	step.Type(t, "run", "/bin/sh", "-c", "echo /proc/*").Prints("/proc/*\n")
	if ps := step.Type(t, "run", "ps"); ps.Status == 0 && strings.Count(ps.Stdout, "\n") > 1 {
		t.Errorf("without /proc ps lists processes:\n%s", ps.Stdout)
	}
}
