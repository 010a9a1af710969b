//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"gonsrun/internal/lessontest"
)

var step = lessontest.Lesson{Number: 6, Name: "step06-cgroups"}

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

// /proc lists the processes of the container, and no others.
func TestProc(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	step.Type(t, "run", "/bin/sh", "-c", "cd /proc; echo [0-9]*").Prints("1\n")
	step.Type(t, "run", "/bin/sh", "-c", "sleep 1000 & cd /proc; set -- [0-9]*; echo $#").Prints("2\n")
	step.Type(t, "run", "/bin/sh", "-c", "grep -c '^proc /proc proc' /proc/mounts").Prints("1\n")
}

// The host's mount table is the same before, during and after, also where
// mounts are shared, as they are on most systems.
func TestMountsStayInside(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	before := lessontest.Mounts()
	running := step.Start(t, "run", "/bin/sh", "-c", "mount -t proc again /tmp || exit 9; echo mounted; read x")
	running.Line()
	lessontest.SameMounts(t, "during the run", before)
	running.Answer("on with it")
	running.Wait().Exits(0)
	lessontest.SameMounts(t, "after the run", before)
}

// bomb is a fork bomb that would burn out at some hundred processes where no
// limit stops it: on a reader's own machine, with a program of their own.
const bomb = "b() { if [ $1 -gt 0 ]; then b $(($1 - 1)) | b $(($1 - 1)) & fi; sleep 1000; }; b 6 2>/dev/null & exec sleep 1234"

// A fork bomb stays at 20 tasks, while the host works on.
func TestForkBomb(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	running := step.Start(t, "run", "/bin/sh", "-c", bomb)
	group := lessontest.GroupOf(t, running.PidOutside("sleep", "1234"), "pids")
	most := 0
	if !lessontest.Eventually(lessontest.Patience, func() bool {
		most = max(most, group.Number("", "pids.current"))
		return group.Number("max", "pids.events") > 0
	}) {
		t.Errorf("the kernel has refused no fork: pids.current %s, pids.max %s", group.Read("pids.current"), group.Read("pids.max"))
	}
	for range 20 {
		lessontest.RunCommand(t, "", exec.Command("true")).Exits(0)
		most = max(most, group.Number("", "pids.current"))
	}
	if most > 20 {
		t.Errorf("the fork bomb got %d tasks, expected 20 at most", most)
	}
	running.Signal(syscall.SIGTERM)
	running.Wait().Exits(128 + 15)
}

// A process that takes 200 MiB of memory is killed.
func TestMemoryHog(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	running := step.Start(t, "run", "/bin/sh", "-c", "read x; exec dd if=/dev/zero of=/dev/null bs=200M count=1")
	lessontest.GroupOf(t, running.PidOutside("/bin/sh", "-c", "read x; exec dd if=/dev/zero of=/dev/null bs=200M count=1"), "memory")
	running.Answer("take it")
	running.Wait().Exits(128 + 9)
}

// Two busy loops together get half a CPU.
func TestBusyLoops(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	running := step.Start(t, "run", "/bin/sh", "-c", "while :; do :; done & echo ready; while :; do :; done")
	running.Line()
	group := lessontest.GroupOf(t, running.Child(), "cpu")
	if cpus := group.CPU(2 * time.Second); cpus < 0.3 || cpus > 0.56 {
		t.Errorf("two busy loops get %.2f CPUs over two seconds, expected 0.5", cpus)
	}
	running.Signal(syscall.SIGTERM)
	running.Wait().Exits(128 + 15)
}

// The cgroup is gone after the run; the one of a run that was killed with
// SIGKILL is gone after the next run.
func TestCgroupIsRemoved(t *testing.T) {
	step.NeedRoot(t)
	lessontest.Leftovers(t)
	running := step.Start(t, "run", "/bin/sh", "-c", "echo ready; read x")
	running.Line()
	group := lessontest.GroupOf(t, running.Child(), "pids")
	running.Wait()
	if !group.Gone() {
		t.Errorf("after the run there is still one of %v", group.Dirs)
	}

	killed := step.Start(t, "run", "/bin/sh", "-c", "echo ready; read x")
	killed.Line()
	group = lessontest.GroupOf(t, killed.Child(), "pids")
	killed.Signal(syscall.SIGKILL)
	killed.Wait().Exits(-9)
	if step.Type(t, "run", "true").Exits(0); !group.Gone() {
		t.Errorf("after the next run there is still one of %v", group.Dirs)
	}
}
