package lessontest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Promises checks what all lessons promise, from the one on in which it becomes
// true. Nothing may be left behind by any of it.
func (l Lesson) Promises(t *testing.T) {
	for _, promise := range []struct {
		since int
		root  bool
		name  string
		check func(Lesson, *testing.T)
	}{
		{1, true, "stdout and the exit status are the command's", Lesson.passesOutput},
		{1, true, "stdin is the command's", Lesson.passesInput},
		{1, true, "a command that is not there is named", Lesson.namesMissing},
		{1, true, "what is no program is not run", Lesson.refusesFile},
		{1, true, "a signal that kills the command shows", Lesson.passesSignal},
		{1, false, "bad usage is answered with a line that works", Lesson.explainsUsage},
		{1, false, "the manual is on stdout", Lesson.hasManual},
		{2, false, "an ordinary user learns what to type", Lesson.explainsRoot},
		{4, false, "a bad -rootfs is explained", Lesson.explainsRootfs},
		{4, true, "-rootfs is used", Lesson.usesRootfs},
		{1, true, "Ctrl-C in an interactive shell ends its foreground command only", Lesson.passesInterrupt},
		{1, true, "whoever started it has the terminal back at its end", Lesson.givesTerminalBack},
		{3, true, "three times Ctrl-C kills", Lesson.killedByThree},
		{1, true, "SIGTERM and SIGHUP to the parent end everything", Lesson.endsWhenTold},
		{1, true, "SIGKILL to the parent ends the container", Lesson.diesWithParent},
	} {
		if l.Number >= promise.since {
			t.Run(promise.name, func(t *testing.T) {
				if promise.root {
					l.NeedRoot(t)
				}
				Leftovers(t)
				promise.check(l, t)
			})
		}
	}
}

// NeedRoot skips a test of a lesson that needs root, unless root runs it.
func (l Lesson) NeedRoot(t testing.TB) {
	t.Helper()
	if l.Number > 1 {
		NeedRoot(t)
	}
}

func (l Lesson) passesOutput(t *testing.T) {
	l.Type(t, "run", "/bin/sh", "-c", "echo hi; exit 7").Prints("hi\n").Exits(7)
}

func (l Lesson) passesInput(t *testing.T) {
	l.TypeInto(t, "data", "run", "cat").Prints("data").Exits(0)
}

func (l Lesson) namesMissing(t *testing.T) {
	l.Type(t, "run", "nosuchcommand").Says("nosuchcommand").Prints("").Exits(127)
	l.Type(t, "run", "/no/such/command").Says("/no/such/command").Prints("").Exits(127)
	l.Type(t, "run", "nosuchcommand").Says("PATH", "/usr/local/bin", "/usr/bin", "/bin")
}

func (l Lesson) refusesFile(t *testing.T) {
	if l.Number < 4 {
		l.Type(t, "run", "/etc/passwd").Says("/etc/passwd").Prints("").Exits(126)
	}
	l.Type(t, "run", "/bin").Says("/bin").Prints("").Exits(126)
}

func (l Lesson) passesSignal(t *testing.T) {
	if l.Number < 3 { // from then on the shell is pid 1, which cannot kill itself
		l.Type(t, "run", "sh", "-c", "kill -9 $$").Exits(128 + 9)
		l.Type(t, "run", "sh", "-c", "kill -TERM $$").Exits(128 + 15)
	}
	running := l.Start(t, "run", "sleep", "1000")
	unix.Kill(find(t, running.Pid(), "sleep", "1000").pid, unix.SIGKILL)
	running.Wait().Exits(128 + 9)
}

func (l Lesson) explainsUsage(t *testing.T) {
	for _, bad := range [][]string{{}, {"frobnicate"}, {"run"}, {"-nosuchflag", "run", "true"}} {
		result := l.Type(t, bad...).Prints("").Exits(125).SaysMatch("run")
		result.Says(strings.Join(bad[:min(1, len(bad))], "")).SaysExactly(l.typed("run /bin/sh\n")).SaysExactly("-h\n")
	}
	l.Type(t, "run", "-quiet", "true").Prints("").Says(`"-quiet" stands where the command should`).Exits(125)
	l.Type(t, "run", "-pause", "true").Prints("").Says(`"-pause" stands where the command should`).Exits(125)
	l.Type(t, "-quiet=maybe", "run", "true").Prints("").Says("maybe").Exits(125)
	l.Type(t, "-to", "", "run", "true").Prints("").Says("-to has an empty value").Exits(125)
	l.Type(t, "-to", "run", "true").Prints("").Says(`-to has taken the word "run" for its FILE`).Exits(125)
	l.Type(t, "-to", "/no/such/folder/file", "run", "true").Prints("").Says("/no/such/folder/file").Exits(125)
	l.Type(t, "child", "true").Prints("").Says("nobody types it").Exits(125)
}

// typed is a line that starts the program as the tests do, by its path, with
// sudo where the lesson needs root and who types is an ordinary user.
func (l Lesson) typed(args string) string {
	line := Program() + " " + args
	if l.Number > 1 && (l.user != nil || os.Geteuid() != 0) {
		line = "sudo " + line
	}
	return line
}

func (l Lesson) hasManual(t *testing.T) {
	for _, help := range []string{"-h", "help"} {
		manual := l.Type(t, help).IsSilent().PrintsMatch("run").Exits(0)
		manual.PrintsMatch(`(?s)(?i)^` + l.Name + ` .*go run (-exec sudo )?\./` + l.Name + ` run /bin/sh.*-json.*-pause.*-quiet`)
	}
}

func (l Lesson) explainsRoot(t *testing.T) {
	user := l.AsOrdinaryUser(t)
	result := user.Type(t, "run", "/bin/sh", "-c", "echo hi").Prints("").Exits(125)
	result.SaysMatch("EPERM|(?i)operation not permitted|EACCES|(?i)permission denied") // of clone, or of a cgroup's mkdir
	result.SaysExactly(user.typed("run /bin/sh -c 'echo hi'\n"))
	user.Type(t, "-quiet", "run", "/bin/true").SaysMatch("main.go:[0-9]+: .*(EPERM|EACCES)").SaysExactly(user.typed("-quiet run /bin/true\n")).Exits(125)
}

func (l Lesson) explainsRootfs(t *testing.T) {
	empty := t.TempDir()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no folder\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	missing := l.Type(t, "-rootfs", "/nonexistent", "run", "true").Prints("").Says("/nonexistent").Exits(125)
	noFolder := l.Type(t, "-rootfs", file, "run", "true").Prints("").Says(file).Exits(125)
	missing.SaysMatch("no such folder")
	noFolder.SaysMatch("is a file")
	if os.Geteuid() == 0 {
		l.Type(t, "-rootfs", empty, "run", "true").Prints("").Says("empty").Exits(127)
	}
}

func (l Lesson) usesRootfs(t *testing.T) {
	root := DefaultRoot(t)
	list := `ls -di /; exit 7`
	byDefault := l.Type(t, "run", "/bin/sh", "-c", list).Exits(7)
	l.Type(t, "-rootfs", root, "run", "/bin/sh", "-c", list).Prints(byDefault.Stdout).Exits(7)
	relative := l.command("-rootfs", "./"+filepath.Base(root), "run", "/bin/sh", "-c", list)
	relative.Dir = filepath.Dir(root)
	RunCommand(t, "", relative).Prints(byDefault.Stdout).Exits(7)
}

// outerShell starts an interactive shell on a terminal, as a reader has it,
// and returns when it is ready.
func (l Lesson) outerShell(t *testing.T) *Terminal {
	t.Helper()
	shell := exec.Command("/bin/sh", "-i")
	shell.Dir = shared.dir
	shell.Env = append(os.Environ(), "PS1=outer$ ", "ENV=", "TERM=xterm", "TMPDIR="+temporary())
	term := NewTerminal(t, 100, shell)
	term.Expect("outer$ ")
	return term
}

func (l Lesson) passesInterrupt(t *testing.T) {
	outer := l.outerShell(t)
	modes, foreground := outer.Modes(), outer.Foreground()
	outer.Type(Program() + " run /bin/sh\n")
	outer.Expect(map[bool]string{true: "container:/# ", false: "container:/"}[l.Number >= 4])
	outer.Type("echo ready $((40+2))\n")
	outer.Expect("ready 42")

	outer.Type("sleep 1234\n")
	outer.WaitForeground("sleep", "1234")
	outer.Type("\x03")
	outer.Type("echo still here $((50+3))\n")
	outer.Expect("still here 53")

	outer.Type("exit 3\n")
	outer.Expect("outer$ ")
	outer.Type("echo status $?\n")
	outer.Expect("status 3")
	outer.Expect("outer$ ")
	if !Eventually(Patience, func() bool { return outer.Modes() == modes && outer.Foreground() == foreground }) {
		t.Errorf("the terminal is not as it was: modes %+v, before %+v; foreground %d, before %d", outer.Modes(), modes, outer.Foreground(), foreground)
	}
	for _, warning := range []string{"job control", "can't access tty", "process group"} {
		if strings.Contains(outer.Screen(), warning) {
			t.Errorf("a warning of %q on the terminal:\n%s", warning, outer.Screen())
		}
	}
	outer.Type("exit 0\n")
	outer.Wait()
}

// givesTerminalBack has a parent without job control, as go run is: what the
// program did to the terminal nobody else will undo.
func (l Lesson) givesTerminalBack(t *testing.T) {
	parent := exec.Command("/bin/sh", "-c", Program()+` run /bin/sh; read line; echo "got $line"`)
	parent.Dir = shared.dir
	parent.Env = append(os.Environ(), "TERM=xterm", "TMPDIR="+temporary())
	term := NewTerminal(t, 100, parent)
	modes, foreground := term.Modes(), term.Foreground()
	term.Type("echo ready $((40+2))\n")
	term.Expect("ready 42")
	broken := term.Modes() // as a program that was killed may leave them
	broken.Lflag &^= unix.ECHO | unix.ISIG
	term.SetModes(broken)
	term.Type("exit\n")
	if !Eventually(Patience, func() bool {
		return len(alive(term.Command.Process.Pid)) == 0 && term.Modes() == modes && term.Foreground() == foreground
	}) {
		t.Errorf("the terminal is not as it was: modes %+v, before %+v; foreground %d, before %d", term.Modes(), modes, term.Foreground(), foreground)
	}
	term.Type("hello\n")
	term.Expect("got hello")
	term.Wait()
}

func (l Lesson) killedByThree(t *testing.T) {
	outer := l.outerShell(t)
	outer.Type(Program() + " run sleep 1235\n")
	find(t, outer.Command.Process.Pid, "sleep", "1235")
	outer.WaitForeground("sleep", "1235")
	for _, answer := range []string{
		"does not reach number 1 of a PID namespace.",
		"Once more within 2s kills the container.",
		"the container is killed.",
	} {
		outer.Type("\x03")
		outer.Expect(answer)
	}
	outer.Expect("outer$ ")
	outer.Type("echo status $?\n")
	outer.Expect("status 130")
	outer.Type("exit 0\n")
	outer.Wait()
}

func (l Lesson) endsWhenTold(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGHUP} {
		before := alive(os.Getpid())
		running := l.Start(t, "run", "sh", "-c", l.family())
		running.Line()
		running.Signal(sig)
		running.Wait().Exits(128 + int(sig))
		l.expectGone(t, before)
	}
}

func (l Lesson) diesWithParent(t *testing.T) {
	before := alive(os.Getpid())
	running := l.Start(t, "run", "sh", "-c", l.family())
	running.Line()
	running.Signal(unix.SIGKILL)
	l.expectGone(t, before)
	running.Wait().Exits(-9)
	l.Type(t, "run", "true").Exits(0) // sweeps what only the parent could have removed
}

// family is a command that tells when it runs and then sleeps; from step 03 on,
// when the kernel ends all processes of a PID namespace with its first, with a
// process in the background.
func (l Lesson) family() string {
	if l.Number < 3 {
		return "echo ready; exec sleep 1000"
	}
	return "sleep 1000 & echo ready; sleep 1000; true"
}

// expectGone expects all processes that were not there before to be gone
// soon.
func (l Lesson) expectGone(t *testing.T, before []process) {
	t.Helper()
	known := func(p process) bool {
		return slices.ContainsFunc(before, func(b process) bool { return b.pid == p.pid })
	}
	var left []process
	if !Eventually(Soon, func() bool {
		left = slices.DeleteFunc(alive(os.Getpid()), known)
		return len(left) == 0
	}) {
		t.Errorf("%v after the parent was told to end there are still: %v", Soon, left)
	}
}
