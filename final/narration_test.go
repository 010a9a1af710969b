//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonsrun/final/internal/netlink/netlinktest"
	"gonsrun/internal/lessontest"
)

// What run and exec say while they work is what strace sees, both ways: as
// little as possible, everything at once, and what fails.
func TestNarrationEqualsStrace(t *testing.T) {
	asRoot(t)
	volume := t.TempDir()
	for name, args := range map[string][]string{
		"by default": {"run", "/bin/sh", "-c", "cd /; exit 3"},
		"everything on": {"run", "-v", volume + ":/volume", "-v", "/etc/passwd:/host/passwd:ro", "-tmpfs", "/scratch:size=1m", "-read-only",
			"-memory", "64m", "-memory-swap", "-1", "-cpus", "0.5", "-pids-limit", "50", "-init", "-hostname", "all", "-e", "A=ü \"b\" \\", "-w", "/scratch",
			"-user", "1000:1001", "-p", "127.0.0.1:8089:80", "-cap-add", "SYS_TIME", "-cap-drop", "CHOWN",
			"/bin/echo", "two  blanks, a\ttab, \"quotes\" and \\ and ü"},
		"everything left out": {"run", "-without", "uts,pid,ipc,net,cgroupns,pivot,mask,caps,nnp,seccomp,limits", "true"},
		"without mnt":         {"run", "-without", "mnt", "-network", "none", "true"},
		"privileged":          {"run", "-privileged", "-network", "host", "true"},
		"user namespace":      {"run", "-userns", "-security-opt", "seccomp=unconfined", "-cap-drop", "ALL", "true"},
		"no such command":     {"run", "-network", "none", "nosuchcommand"},
		"no program":          {"run", "-network", "none", "/bin"},
	} {
		t.Run(name, func(t *testing.T) {
			equalsStrace(t, lesson, args...)
		})
	}
}

// So does exec.
func TestExecNarrationEqualsStrace(t *testing.T) {
	asRoot(t)
	id := detached(t, lesson, "-memory", "64m", "sleep", "1000")
	for name, args := range map[string][]string{
		"by default":      {"exec", id, "/bin/sh", "-c", "exit 3"},
		"as a user":       {"exec", "-user", "1000", "-w", "/tmp", "-e", "A=b", id, "true"},
		"no such command": {"exec", id, "nosuchcommand"},
	} {
		t.Run(name, func(t *testing.T) { equalsStrace(t, lesson, args...) })
	}
}

// So do both for an ordinary user.
func TestRootlessNarrationEqualsStrace(t *testing.T) {
	nothingLeft(t)
	user := ordinaryUser(t)
	if !leftToOrdinaryUser() {
		equalsStrace(t, user, "run", "/bin/sh", "-c", "cd /; exit 3")
	}
	if os.Geteuid() == 0 { // else strace, too, is kept from looking into the process that exec sends
		equalsStrace(t, user, "exec", detached(t, user, "sleep", "1000"), "true")
	}
}

// equalsStrace runs final with -json under strace, and holds the one against
// the other.
func equalsStrace(t *testing.T, who lessontest.Lesson, args ...string) {
	t.Helper()
	who.Type(t, "-quiet", "run", "-network", "none", "true") // makes the root file system, which is not narrated
	trace := filepath.Join(sharedFolder(t), "trace")
	command := commandOf(t, who, append([]string{lessontest.Program(), "-json"}, args...)...)
	if os.Geteuid() != 0 {
		command.Env = append(command.Env, "PATH=/nonexistent") // no newuidmap: strace takes its rights away
	}
	traced := lessontest.UnderStrace(t, command, trace)
	for i, arg := range traced.Args {
		if strings.HasPrefix(arg, "trace=") {
			traced.Args[i] += ",?move_mount" // no lesson makes this call
		}
	}
	if os.Geteuid() == 0 && who != lesson {
		// Root's strace, under which newuidmap keeps its rights.
		traced.Args = slices.Insert(traced.Args, 1, "-u", "nobody")
		traced.SysProcAttr = nil
	}
	result := lessontest.RunCommand(t, "", traced)
	recorded, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(string(recorded), "\n") {
		lines = append(lines, netlinktest.Decode(line))
	}
	narrated := result.Narrated()
	if len(narrated) < 10 && result.Status < 125 {
		t.Errorf("only %d lines are narrated", len(narrated))
	}
	calls := giveBack(lessontest.ParseStrace(strings.Join(lines, "\n")), narrated)
	if problems := lessontest.Compare(narrated, calls, listed); len(problems) > 0 {
		t.Errorf("\n  ran:      final -json %q\n  expected: the narration is what strace sees\n  seen:     %s", args, strings.Join(problems, "\n            "))
	}
}

// sharedFolder is a folder that an ordinary user can write to as well.
func sharedFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o777)
	return dir
}

// giveBack counts as calls of the host's side what copies of it do for it, and
// it narrates: the execve of a helper program (nft, newuidmap), and what the
// process does that exec sends into the container, up to the execveat with
// which the container's side begins. What ForkExec does in a new process before
// its execve is part of the clone.
func giveBack(calls []lessontest.SystemCall, narrated []lessontest.Narrated) []lessontest.SystemCall {
	host, helpers := 0, []string{}
	for _, n := range narrated {
		if n.Side == "host" {
			host = n.PID
		}
		if n.Side == "host" && n.Call == "execve" {
			program, _, _ := strings.Cut(n.Args, ",")
			helpers = append(helpers, program)
		}
	}
	sent := map[int]bool{} // the processes that exec sends
	for _, c := range calls {
		if strings.Contains(c.Args, "CLONE_PARENT") && c.MakesProcess() {
			sent[c.Process], sent[c.Ret] = true, true
		}
	}
	calls = slices.Clone(calls)
	forked := map[int]bool{} // the processes that have not executed a program yet
	for i, c := range calls {
		if c.MakesProcess() && c.Errno == "" {
			forked[c.Ret] = true
		}
		if c.Name == "execve" || c.Name == "execveat" {
			forked[c.Process] = false
		}
		if forked[c.Process] && !sent[c.Process] {
			calls[i].Process = 0
		}
		program, _, _ := strings.Cut(c.Args, ",")
		if sent[c.Process] || i > 0 && c.Name == "execve" && slices.Contains(helpers, program) {
			calls[i].Process = host
		}
		if c.Name == "execveat" && c.Done {
			sent[c.Process] = false
		}
	}
	return calls
}

// listed reports whether final must narrate a call whenever it makes it.
func listed(c lessontest.SystemCall) bool {
	switch c.Name {
	case "prctl":
		// The Go runtime names its memory. Questions change nothing.
		for _, of := range []string{"PR_SET_VMA", "PR_CAPBSET_READ", "PR_GET_"} {
			if strings.HasPrefix(c.Args, of) {
				return false
			}
		}
		return true
	case "capset", "setresuid", "setresgid", "setgroups", "mknod", "mknodat", "symlink", "symlinkat", "move_mount":
		return true
	case "waitid":
		return !strings.HasPrefix(c.Args, "P_PIDFD") // os/exec's wait for a helper
	case "seccomp":
		return strings.HasPrefix(c.Args, "SECCOMP_SET_MODE")
	case "sendto":
		// 0xa… asks nf_tables whether our table is still there: not rtnetlink.
		return strings.Contains(c.Args, "nlmsg_type=") && !strings.Contains(c.Args, "nlmsg_type=0xa")
	case "mkdir", "mkdirat":
		// Not the mount points that are made for the container's own view of it.
		return strings.Contains(c.Args, `"/sys/fs/cgroup/`)
	}
	return lessontest.Listed(c)
}

// In the environment of the tests -pause has no terminal, says so and goes on.
func TestPauseNowhere(t *testing.T) {
	asRoot(t)
	command := exec.Command("setsid", "-w", lessontest.Program(), "-pause", "run", "-network", "none", "/bin/sh", "-c", "echo hi; exit 7")
	lessontest.RunCommand(t, "", command).Prints("hi\n").Exits(7).SaysMatch("(?i)-pause.*terminal")
}

// The same text at every run, but for numbers: the two sides take turns.
func TestOrder(t *testing.T) {
	asRoot(t)
	calls := func() (names []string) {
		for _, n := range lesson.Type(t, "-json", "run", "/bin/sh", "-c", "exit 7").Exits(7).Narrated() {
			names = append(names, n.Side+" "+n.Call)
		}
		return names
	}
	first := calls()
	for range lessontest.Sized(10, 3) {
		again := calls()
		for i := range max(len(again), len(first)) {
			if now, before := at(again, i), at(first, i); now != before {
				t.Errorf("call %d is %q, and was %q at the first run; then come %q", i+1, now, before, again[i:])
				break
			}
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "none"
}
