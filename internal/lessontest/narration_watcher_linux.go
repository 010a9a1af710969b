package lessontest

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// readerPatience is how long a run may take whose narration nobody reads.
const readerPatience = 6 * time.Second

// fullPipe is a pipe that takes no byte more. Its reader never reads.
func fullPipe(t *testing.T) (writer *os.File) {
	t.Helper()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pipe[0]) })
	for size := 4096; size > 0; {
		if _, err := unix.Write(pipe[1], make([]byte, size)); err != nil {
			size /= 2
		}
	}
	unix.SetNonblock(pipe[1], false)
	writer = os.NewFile(uintptr(pipe[1]), "a full pipe")
	t.Cleanup(func() { writer.Close() })
	return writer
}

// readersFail runs the lesson for readers who have gone, or stand still.
func (l Lesson) readersFail(t *testing.T) {
	run := func(what string, args []string, stderr *os.File) {
		t.Helper()
		command := l.command(args...)
		var stdout bytes.Buffer
		command.Stdout, command.Stderr = &stdout, stderr
		begin := time.Now()
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		limit := time.AfterFunc(runLimit, func() { command.Process.Kill() })
		command.Wait()
		limit.Stop()
		if took, status := time.Since(begin), statusOf(command.ProcessState); status != 7 || stdout.String() != "hi\n" || took > Sized(readerPatience, 10*readerPatience) {
			t.Errorf("%s, %v: expected exit status 7, stdout \"hi\\n\", within %v; seen %d, %q, %v", what, args, readerPatience, status, stdout.String(), took)
		}
	}
	for _, flags := range [][]string{nil, {"-json"}, {"-short"}} {
		args := append(flags, "run", "/bin/sh", "-c", "echo hi; exit 7")
		gone, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		gone.Close()
		run("a reader that has gone", args, writer)
		writer.Close()
		run("a reader that stands still", args, fullPipe(t))
	}
	if bash, err := exec.LookPath("bash"); err == nil {
		command := l.command()
		command.Args = []string{bash, "-c", `"$@" 2> >(head -5 >/dev/null)`, "bash", Program(), "run", "/bin/sh", "-c", "echo hi; exit 7"}
		command.Path = bash
		RunCommand(t, "", command).Prints("hi\n").Exits(7)
	}

	// A signal still ends everything.
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGHUP} {
		before := alive(os.Getpid())
		command := l.command("run", "sh", "-c", l.family())
		command.Stderr = fullPipe(t)
		command.WaitDelay = 2 * time.Second
		reader, stdout, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		command.Stdout = stdout
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		stdout.Close()
		limit := time.AfterFunc(runLimit, func() { command.Process.Kill() })
		reader.Read(make([]byte, 100)) // ready
		begin := time.Now()
		command.Process.Signal(sig)
		command.Wait()
		limit.Stop()
		reader.Close()
		if took, status := time.Since(begin), statusOf(command.ProcessState); status != 128+int(sig) || took > Sized(readerPatience, 10*readerPatience) {
			t.Errorf("%v, when the narration's reader stands still: expected exit status %d within %v, seen %d after %v", sig, 128+int(sig), readerPatience, status, took)
		}
		l.expectGone(t, before)
	}
}

// watcherDies kills the watcher at any moment: early in the run, and while the
// command runs.
func (l Lesson) watcherDies(t *testing.T) {
	early := 0
	for range Sized(20, 5) {
		running := l.Start(t, "run", "/bin/sh", "-c", "echo hi; exit 7")
		if !Eventually(Patience, func() bool {
			for _, p := range alive(running.Pid()) {
				if p.parent == running.Pid() && len(p.args) > 1 && p.args[1] == "watch" {
					unix.Kill(p.pid, unix.SIGKILL)
					return true
				}
			}
			p, ok := readProcess(running.Pid())
			return !ok || p.state == "Z"
		}) {
			t.Fatal("no watcher appears")
		}
		result := running.Wait().Prints("hi\n").Exits(7)
		if !strings.Contains(result.Stderr, "exit 7") {
			early++
		}
		if said := strings.Count(result.Stderr, "cannot watch"); said > 1 {
			result.fail("at most one sentence about the watcher")
		}
	}
	t.Logf("%d times the watcher died before the container's side began", early)

	running := l.Start(t, "run", "/bin/sh", "-c", "echo ready; read x; echo hi; exit 7")
	running.Line()
	unix.Kill(watcherOf(t, running.Pid()), unix.SIGKILL)
	running.Answer("on with it")
	running.Wait().Prints("hi\n").Exits(7)

	// The host's side killed, everything ends: the watcher, too.
	before := alive(os.Getpid())
	running = l.Start(t, "run", "/bin/sh", "-c", l.family())
	running.Line()
	watcherOf(t, running.Pid())
	running.Signal(unix.SIGKILL)
	l.expectGone(t, before)
	running.Wait().Exits(-9)
	l.Type(t, "run", "true").Exits(0) // sweeps what only the host's side could have removed
}

// watcherIsLate starts a watcher for a program that has given it up: that has said that
// nobody watches. Here this is the test itself.
func (l Lesson) watcherIsLate(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Write(pair[0], []byte("{}\n"))
	unix.Close(pair[0])
	socket := os.NewFile(uintptr(pair[1]), "a socket")
	defer socket.Close()
	command := l.command("watch")
	command.ExtraFiles = []*os.File{socket, os.Stderr}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("a watcher that is late ends with %v", err)
		}
	case <-time.After(Patience):
		t.Error("a watcher that is late goes on watching")
		command.Process.Kill()
		<-ended
	}
	if tracer := proc.StatusField("self", "TracerPid"); tracer != "0" {
		t.Errorf("process %s still traces this one", tracer)
	}
}

var cannotWatchSentence = regexp.MustCompile(`^The narrator cannot watch: [^\n]+\. The program goes on, silently\.\n$`)

// cannotWatch takes the right to trace away.
func (l Lesson) cannotWatch(t *testing.T) {
	silently := func(what, because string, result, quiet *Result) {
		t.Helper()
		sentence, rest, _ := strings.Cut(result.Stderr, "\n")
		if !cannotWatchSentence.MatchString(sentence+"\n") || !strings.Contains(sentence, because) {
			result.fail("%s: one sentence, with %q", what, because)
		}
		if !strings.Contains(quiet.command, "-quiet") || rest != strings.ReplaceAll(quiet.Stderr, "-quiet ", "") {
			result.fail("%s: then what -quiet says: %q", what, quiet.Stderr)
		}
		result.Prints(quiet.Stdout).Exits(quiet.Status)
	}
	strace := NeedTool(t, "strace")
	for _, args := range [][]string{{"run", "/bin/sh", "-c", "echo hi; exit 7"}, {"run", "nosuchcommand"}} {
		quiet := l.Type(t, append([]string{"-quiet"}, args...)...)
		command := l.command(args...)
		command.Args = append([]string{strace, "-f", "-o", os.DevNull, "-e", "trace=none"}, command.Args...)
		command.Path = strace
		silently("traced already", `"strace"`, RunCommand(t, "", command), quiet)

		for _, errno := range []syscall.Errno{unix.EPERM, unix.ENOSYS} {
			refusing(t, []refusal{{unix.SYS_PTRACE, 0, 0, 0, errno}}, func() {
				silently("a filter that refuses ptrace", "filter", RunCommand(t, "", l.command(args...)), quiet)
			})
		}
		refusing(t, []refusal{{unix.SYS_PTRACE, 0, 0, 0, unix.EPERM}}, func() {
			jsonToo := RunCommand(t, "", l.command(append([]string{"-json"}, args...)...))
			if strings.Count(jsonToo.Stderr, "The narrator cannot watch: ") != 1 {
				jsonToo.fail("one sentence with -json, too")
			}
			jsonToo.Prints(quiet.Stdout).Exits(quiet.Status)
		})
		// On old kernels: the request is not known.
		refusing(t, []refusal{{unix.SYS_PTRACE, 0, ^uint32(0), unix.PTRACE_SEIZE, unix.EIO}}, func() {
			silently("PTRACE_SEIZE refused", "PTRACE_SEIZE", RunCommand(t, "", l.command(args...)), quiet)
		})
		refusing(t, []refusal{{unix.SYS_PTRACE, 0, ^uint32(0), unix.PTRACE_GET_SYSCALL_INFO, unix.EIO}}, func() {
			silently("PTRACE_GET_SYSCALL_INFO refused", "5.3", RunCommand(t, "", l.command(args...)), quiet)
		})
	}
}

// withoutItsProc runs the lesson in a new PID namespace, where /proc is another one's,
// and its numbers are strangers.
func (l Lesson) withoutItsProc(t *testing.T) {
	l.amongStrangers(t, func(args ...string) *Result {
		command := l.command(args...)
		command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
		if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 { // who may make one only with a user namespace
			command.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
			command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
			command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		}
		return RunCommand(t, "", command)
	})
}

// insideItself runs the lesson in a container that the lesson made: there /proc is
// another PID namespace's, too.
func (l Lesson) insideItself(t *testing.T) {
	l.amongStrangers(t, func(args ...string) *Result {
		return l.Type(t, append([]string{"-quiet", "run", Program()}, args...)...)
	})
}

func (l Lesson) amongStrangers(t *testing.T, inside func(args ...string) *Result) {
	quiet := inside("-quiet", "run", "/bin/sh", "-c", "echo hi; exit 7").Prints("hi\n").Exits(7)
	outside := l.Type(t, "-json", "run", "/bin/sh", "-c", "echo hi; exit 7")
	result := inside("-json", "run", "/bin/sh", "-c", "echo hi; exit 7").Prints(quiet.Stdout).Exits(quiet.Status)
	calls := func(r *Result) (all []string) {
		for _, n := range r.Narrated() {
			all = append(all, n.Side+" "+n.Call+" "+n.File+":"+itoa(n.Line)+" "+n.Why)
			if n.Side == "container" && l.Number >= 3 && n.PID != 1 || n.Side == "host" && r == result && n.PID != 1 {
				r.fail("each side is number 1 of a PID namespace, and not %d (%s)", n.PID, n)
			}
			if strings.Contains(n.Args, "<pid:") && r == result {
				r.fail("no pid from another PID namespace's /proc: %s", n)
			}
		}
		return all
	}
	if in, out := calls(result), calls(outside); !slices.Equal(in, out) {
		result.fail("inside the same calls are told as outside\n            %s\n            and not\n            %s", strings.Join(out, "\n            "), strings.Join(in, "\n            "))
	}
	text := inside("run", "/bin/sh", "-c", "echo hi; exit 7").Prints("hi\n").Exits(7)
	for _, b := range blocks(text.Stderr) {
		if b.pid != "1" && (l.Number >= 3 || b.side == "host") {
			text.fail("pid 1 in the left column, and not %s", b.pid)
		}
	}
	if regexp.MustCompile(`NSpid|\[\d{6,}\]|will have of its own`).MatchString(text.Stderr) {
		text.fail("no evidence from another PID namespace's /proc")
	}
	text.Says("si_code=CLD_EXITED si_status=7") // this the kernel has said to the program itself
}
