package check

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// afterKill checks that the cgroups of runs that were ended are removed: at once,
// or by the next run.
func afterKill(program string, before []string) string {
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGKILL} {
		t, err := begin(program, "run", "/bin/sh", "-c", family(6))
		if err != nil {
			return ""
		}
		if cause := t.saysReady(); cause != "" {
			t.end()
			return cause
		}
		unix.Kill(t.pid, sig)
		t.wait()
		left := func() []string {
			return slices.DeleteFunc(allGroups(), func(g string) bool { return slices.Contains(before, g) })
		}
		t.soon(func() bool { return len(others()) == 0 || len(left()) == 0 }) // another process may clean up
		t.end()
		if len(left()) == 0 {
			continue
		}
		next, err := begin(program, "run", "true")
		if err != nil {
			return ""
		}
		next.wait()
		next.end()
		if rest := left(); len(rest) > 0 {
			return fmt.Sprintf("Your program was ended with %s, and its cgroup %s is still there, also after the next run. Remove it when a signal comes, or at the start of the next run.",
				unix.SignalName(sig), rest[0])
		}
	}
	return ""
}

// manners checks good citizenship, and stops at the first that is missing.
func manners(program string, lesson int, r *run) (verdicts []Verdict) {
	for _, m := range []struct {
		since, until int
		text         string
		bad          func() string
	}{
		{1, 6, "The exit status is the command's.", r.otherStatus},
		{1, 6, "stdin, stdout and stderr are the command's.", r.otherStreams},
		{1, 6, "A command is looked for in PATH, as the container sees it.", func() string { return lookedFor(program, r) }},
		{4, 6, "-rootfs, where there is such a flag, is used.", func() string { return ignoresRootfs(program) }},
		{1, 6, "A signal that kills the command shows in the exit status.", func() string { return killed(program) }},
		{1, 6, "SIGTERM and SIGHUP end the container, too.", func() string { return told(program, lesson) }},
		{1, 6, "SIGKILL to your program ends the container, too.", func() string { return orphaned(program, lesson) }},
		{1, 6, "Ctrl-C belongs to the command.", func() string { return interrupted(program) }},
		{1, 6, "A command that is not found: exit status 127.", func() string { return exits(program, 127, "run", "nosuchcommand") }},
		{1, 3, "What cannot be run: exit status 126.", func() string { return exits(program, 126, "run", "/etc/passwd") }},
		{1, 6, "Bad usage: exit status 125.", func() string {
			if cause := exits(program, 125); cause != "" {
				return cause
			}
			return exits(program, 125, "run")
		}},
		{1, 6, "-h prints how to use it.", func() string { return helps(program) }},
	} {
		if lesson < m.since || lesson > m.until {
			continue
		}
		cause := m.bad()
		verdicts = append(verdicts, Verdict{Lesson: lesson, Right: cause == "", Promise: m.text, Cause: cause})
		if cause != "" {
			break
		}
	}
	return verdicts
}

func typedLine(args []string) string {
	return proc.Words(append([]string{"PROGRAM"}, args...))
}

func exits(program string, expected int, args ...string) string {
	status, t := tried(program, args...)
	switch {
	case t == nil || status == expected:
		return ""
	case status == stillRunning:
		return fmt.Sprintf("%s was still running after %s, expected: it ends with status %d.", typedLine(args), seconds(patience), expected)
	}
	return fmt.Sprintf("%s %s, expected: exit status %d.", typedLine(args), endedHow(status), expected)
}

func helps(program string) string {
	status, t := tried(program, "-h")
	switch {
	case t == nil:
	case status != 0:
		return fmt.Sprintf("PROGRAM -h %s, expected: status 0.", endedHow(status))
	case !strings.Contains(t.output[0].String(), "run"):
		return "PROGRAM -h prints nothing about run on stdout."
	}
	return ""
}

func lookedFor(program string, r *run) string {
	if r.look != nil && r.look.noPath {
		return "The environment that the command gets has no PATH: nothing can be looked for there."
	}
	status, t := tried(program, "run", "sh", "-c", "exit 9")
	if t == nil || status == 9 {
		return ""
	}
	return "PROGRAM run sh does not find sh, which is in the container. It is looked for in the folders of PATH, as they are in the container's root and not on the host."
}

// ignoresRootfs tries -rootfs with an empty folder: no command can be found there.
func ignoresRootfs(program string) string {
	empty, err := os.MkdirTemp("", "empty-")
	if err != nil {
		return ""
	}
	defer os.Remove(empty)
	if status, t := tried(program, "-rootfs", empty, "run", "/bin/sh", "-c", "exit 9"); t == nil || status != 9 {
		return ""
	}
	return "-rootfs DIR is read, but not used: with an empty folder as the root /bin/sh was found all the same."
}

func killed(program string) string {
	t, err := begin(program, "run", "sleep", "1234")
	if err != nil {
		return ""
	}
	defer t.end()
	command := 0
	if !t.until(patience, func() bool {
		for _, pid := range allProcesses() {
			if proc.Read(fmt.Sprintf("/proc/%d/cmdline", pid)) == "sleep\x001234\x00" {
				command = pid
			}
		}
		_, over := t.ended[t.pid]
		return command != 0 || over
	}) || command == 0 {
		return "PROGRAM run sleep 1234 does not start sleep, which is looked for in PATH."
	}
	unix.Kill(command, unix.SIGKILL)
	switch status, ended := t.wait(); {
	case !ended:
		return fmt.Sprintf("The command was killed, but your program was still running %s later.", seconds(patience))
	case status != 128+9:
		return fmt.Sprintf("The command was killed by signal 9, and your program %s, expected: status 137, which is 128+9.", endedHow(status))
	}
	return ""
}

func told(program string, lesson int) string {
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGHUP} {
		t, err := begin(program, "run", "/bin/sh", "-c", family(lesson))
		if err != nil {
			return ""
		}
		if cause := t.saysReady(); cause != "" {
			t.end()
			return cause
		}
		ignored, _ := strconv.ParseUint(proc.StatusField(strconv.Itoa(t.pid), "SigIgn"), 16, 64)
		unix.Kill(t.pid, sig)
		ended := t.soon(func() bool { _, over := t.ended[t.pid]; return over })
		status := t.ended[t.pid]
		gone := t.soon(func() bool { return len(others()) == 0 })
		left := strings.Join(others(), ", ")
		t.end()
		name := unix.SignalName(sig)
		switch {
		case !ended && ignored&(1<<(sig-1)) != 0:
			return fmt.Sprintf("Your program ignores %s: it should kill the container, and end.", name)
		case !ended && lesson >= 3:
			return fmt.Sprintf("%s was sent to your program, and it went on running. It does not help to hand the signal on: number 1 gets no signal that it has no handler for, but SIGKILL. Kill the container with that.", name)
		case !ended:
			return fmt.Sprintf("%s was sent to your program, and it went on running. It should kill the container, and end.", name)
		case !gone:
			return fmt.Sprintf("%s ended your program, but these processes of its container live on: %s.", name, left)
		case status != 128+int(sig) && status != -int(sig):
			return fmt.Sprintf("%s was sent to your program, and it %s, expected: status %d, which is 128+%d.", name, endedHow(status), 128+int(sig), sig)
		}
	}
	return ""
}

func orphaned(program string, lesson int) string {
	t, err := begin(program, "run", "/bin/sh", "-c", family(lesson))
	if err != nil {
		return ""
	}
	defer t.end()
	if cause := t.saysReady(); cause != "" {
		return cause
	}
	unix.Kill(t.pid, unix.SIGKILL)
	if !t.soon(func() bool { return len(others()) == 0 }) {
		return fmt.Sprintf("Your program was killed, and these processes of its container live on: %s. A parent-death signal ends them (Pdeathsig, prctl(PR_SET_PDEATHSIG)).", strings.Join(others(), ", "))
	}
	return ""
}

// interrupted sends what Ctrl-C sends, to the whole process group.
func interrupted(program string) string {
	t, err := begin(program, "run", "/bin/sh", "-c", `trap "echo caught" INT; echo ready; read x; exit 7`)
	if err != nil {
		return ""
	}
	defer t.end()
	if cause := t.saysReady(); cause != "" {
		return cause
	}
	unix.Kill(-t.pid, unix.SIGINT)
	t.until(50*time.Millisecond, func() bool { _, over := t.ended[t.pid]; return over })
	t.stdin.WriteString("go on\n")
	switch status, ended := t.wait(); {
	case !ended:
		return fmt.Sprintf("After Ctrl-C, which the command caught, your program was still running %s later.", seconds(patience))
	case status == -int(unix.SIGINT) || status == 2 || status == 130:
		return "Ctrl-C ended your program, while its command had caught it and went on. Your program must live as long as its command (signal.Notify, or signal.Ignore)."
	case status != 7:
		return fmt.Sprintf("After Ctrl-C, which the command caught, the command ended with status 7, and your program %s.", endedHow(status))
	}
	return ""
}
