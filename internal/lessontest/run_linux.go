package lessontest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// runLimit is the time after which a program is taken to hang.
var runLimit = 30 * time.Second

// Result is what came of a line that was typed. Its methods say what was
// expected; one that does not hold fails the test, and shows the line, what was
// expected and what was seen.
type Result struct {
	t       testing.TB
	command string // as it can be typed
	Stdout  string
	Stderr  string
	Status  int // the exit status, or -n when signal n ended the program itself
}

// Type runs the lesson's program with these arguments, stdin empty, and waits
// until it has ended.
func (l Lesson) Type(t testing.TB, args ...string) *Result {
	t.Helper()
	return l.TypeInto(t, "", args...)
}

// TypeInto is Type with something to read on stdin.
func (l Lesson) TypeInto(t testing.TB, stdin string, args ...string) *Result {
	t.Helper()
	return RunCommand(t, stdin, l.command(args...))
}

// Program returns the path of the program under test.
func Program() string {
	watchSources()
	return shared.program
}

// command makes a command of the lesson's program.
func (l Lesson) command(args ...string) *exec.Cmd {
	command := exec.Command(Program(), args...)
	command.Dir = shared.dir
	command.Env = append(os.Environ(), "TMPDIR="+temporary())
	if l.user != nil {
		command.Env = append(command.Env, "HOME="+l.user.home, "XDG_CACHE_HOME=")
		command.SysProcAttr = &syscall.SysProcAttr{Credential: l.user.credential()}
	}
	return command
}

// RunCommand runs a command and waits until it has ended.
func RunCommand(t testing.TB, stdin string, command *exec.Cmd) *Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &stdout, &stderr
	command.WaitDelay = 2 * time.Second // a process left behind may hold the pipes
	r := &Result{t: t, command: shellLine(command)}
	if err := command.Start(); err != nil {
		t.Fatalf("%s\n  does not start: %v", r.command, err)
	}
	timer := time.AfterFunc(runLimit, func() { command.Process.Kill() })
	err := command.Wait()
	inTime := timer.Stop()
	r.Stdout, r.Stderr, r.Status = stdout.String(), stderr.String(), statusOf(command.ProcessState)
	if !inTime {
		r.fail("an end within %v", runLimit)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		r.fail("no process that lives on and holds stdout or stderr")
	}
	return r
}

// statusOf is the exit status, or -n when signal n ended the process.
func statusOf(state *os.ProcessState) int {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return -int(wait.Signal())
	}
	return state.ExitCode()
}

// Prints expects exactly this on stdout.
func (r *Result) Prints(stdout string) *Result {
	r.t.Helper()
	if r.Stdout != stdout {
		r.fail("stdout is exactly %q", stdout)
	}
	return r
}

// PrintsMatch expects stdout to match a regular expression.
func (r *Result) PrintsMatch(pattern string) *Result {
	r.t.Helper()
	if !regexp.MustCompile(pattern).MatchString(r.Stdout) {
		r.fail("stdout matches %q", pattern)
	}
	return r
}

// Exits expects this exit status.
func (r *Result) Exits(status int) *Result {
	r.t.Helper()
	if r.Status != status {
		r.fail("exit status %d", status)
	}
	return r
}

// Says expects each of these texts on stderr, however it is broken into lines.
func (r *Result) Says(texts ...string) *Result {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(tight(unwrap(r.Stderr)), tight(text)) {
			r.fail("stderr says %q", text)
		}
	}
	return r
}

// SaysMatch expects stderr, as one line without labels, to match a regular
// expression.
func (r *Result) SaysMatch(pattern string) *Result {
	r.t.Helper()
	if !regexp.MustCompile(pattern).MatchString(unwrap(r.Stderr)) {
		r.fail("stderr matches %q", pattern)
	}
	return r
}

// IsSilent expects nothing on stderr.
func (r *Result) IsSilent() *Result {
	r.t.Helper()
	if r.Stderr != "" {
		r.fail("stderr is empty")
	}
	return r
}

// fail says what was run, what was expected and what was seen.
func (r *Result) fail(format string, args ...any) {
	r.t.Helper()
	status := fmt.Sprintf("exit status %d", r.Status)
	if r.Status < 0 {
		status = fmt.Sprintf("ended by signal %d (%v)", -r.Status, syscall.Signal(-r.Status))
	}
	r.t.Errorf("\n  ran:      %s\n  expected: %s\n  seen:     %s\n  stdout:   %s\n  stderr:   %s", r.command,
		fmt.Sprintf(format, args...), status, indent(r.Stdout), indent(r.Stderr))
}

// indent shows output inside a message.
func indent(output string) string {
	if output == "" {
		return "(empty)"
	}
	return strings.ReplaceAll(strings.TrimSuffix(output, "\n"), "\n", "\n            ")
}

var (
	colors     = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
	label      = regexp.MustCompile(`(?m)^(?: ?(?:host|container) \d+ ?)? *│ ?`)
	manPage    = regexp.MustCompile(`(?m)  man [27] \w+$`)
	whitespace = regexp.MustCompile(`\s+`)
)

// unwrap takes colors, labels and line breaks out of a narration.
func unwrap(narration string) string {
	text := colors.ReplaceAllString(narration, "")
	text = label.ReplaceAllString(text, "")
	return squeeze(manPage.ReplaceAllString(text, ""))
}

// squeeze makes every white space one blank.
func squeeze(text string) string {
	return strings.TrimSpace(whitespace.ReplaceAllString(text, " "))
}

// shellLine is a command as it can be typed. The program under test is gone
// after the test: it is shown as go run starts it.
func shellLine(command *exec.Cmd) string {
	var words []string
	sudo := "-exec sudo "
	if command.SysProcAttr != nil && command.SysProcAttr.Credential != nil {
		words, sudo = append(words, "(as an ordinary user)"), ""
	}
	if os.Geteuid() != 0 {
		sudo = ""
	}
	for _, arg := range command.Args {
		if arg == shared.program && *builtDir == "" {
			words = append(words, "go run "+sudo+"./"+filepath.Base(arg))
			continue
		}
		words = append(words, shellQuote(arg))
	}
	return strings.Join(words, " ")
}

func shellQuote(arg string) string {
	if regexp.MustCompile(`^[-\w./:=,@%+]+$`).MatchString(arg) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// Running is a program that has been started and not waited for.
type Running struct {
	t       testing.TB
	Command *exec.Cmd
	stdin   io.WriteCloser
	stdout  lineWriter
	stderr  bytes.Buffer
	ended   chan error
	limit   *time.Timer
}

// lineWriter sends each line that is written to it.
type lineWriter struct {
	begun string // of a line that is not ended
	lines chan string
}

// Write never fails.
func (w *lineWriter) Write(text []byte) (int, error) {
	w.begun += string(text)
	for {
		line, rest, ended := strings.Cut(w.begun, "\n")
		if !ended {
			return len(text), nil
		}
		w.lines <- line
		w.begun = rest
	}
}

// Start starts the lesson's program with these arguments. It is killed at the
// end of the test, if it then still lives.
func (l Lesson) Start(t testing.TB, args ...string) *Running {
	t.Helper()
	return StartCommand(t, l.command(args...))
}

// StartCommand starts a command whose stdin and stdout the test holds.
func StartCommand(t testing.TB, command *exec.Cmd) *Running {
	t.Helper()
	r := &Running{t: t, Command: command, stdout: lineWriter{lines: make(chan string, 10000)}, ended: make(chan error, 1)}
	command.Stdout, command.Stderr = &r.stdout, &r.stderr
	command.WaitDelay = 2 * time.Second // a process left behind may hold the pipes
	var err error
	if r.stdin, err = command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("%s\n  does not start: %v", shellLine(command), err)
	}
	r.limit = time.AfterFunc(runLimit, func() { command.Process.Kill() })
	go func() {
		err := command.Wait()
		close(r.stdout.lines)
		r.ended <- err
	}()
	t.Cleanup(func() {
		if r.limit.Stop() {
			command.Process.Kill()
		}
	})
	return r
}

// Pid is the pid of the host's side.
func (r *Running) Pid() int { return r.Command.Process.Pid }

// Line waits for the next line of stdout.
func (r *Running) Line() string {
	r.t.Helper()
	select {
	case line, ok := <-r.stdout.lines:
		if !ok {
			r.t.Fatalf("\n  ran:      %s\n  expected: a line on stdout\n  seen:     its end\n  stderr:   %s", shellLine(r.Command), indent(r.stderr.String()))
		}
		return line
	case <-time.After(Patience):
		r.t.Fatalf("\n  ran:      %s\n  expected: a line on stdout within %v", shellLine(r.Command), Patience)
	}
	return ""
}

// Signal sends a signal to the host's side.
func (r *Running) Signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.Command.Process.Signal(sig); err != nil {
		r.t.Fatalf("kill(%d, %v): %v", r.Pid(), sig, err)
	}
}

// Answer writes a line to the command's stdin.
func (r *Running) Answer(line string) { io.WriteString(r.stdin, line+"\n") }

// Wait closes stdin, waits until the program has ended, and returns what came
// of it. Stdout is what no Line has taken.
func (r *Running) Wait() *Result {
	r.t.Helper()
	r.stdin.Close()
	result := &Result{t: r.t, command: shellLine(r.Command)}
	for line := range r.stdout.lines {
		result.Stdout += line + "\n"
	}
	err := <-r.ended
	result.Stderr, result.Status = r.stderr.String(), statusOf(r.Command.ProcessState)
	if !r.limit.Stop() {
		result.fail("an end within %v", runLimit)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		result.fail("no process that lives on and holds stdout or stderr")
	}
	return result
}

// NeedRoot skips the test unless root runs it.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		wd, _ := os.Getwd()
		t.Skipf("needs root: go test -exec sudo ./%s", filepath.Base(wd))
	}
}

// NeedTool skips the test where a tool is missing. In CI that is a failure:
// there it should have been installed.
func NeedTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "%s is not installed", name)
	}
	return path
}

// Missing skips the test, or fails it in CI.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// AsOrdinaryUser returns the lesson as an ordinary user types it: whoever runs
// the test or, when that is root, user 65534 (nobody) with an empty home.
func (l Lesson) AsOrdinaryUser(t testing.TB) Lesson {
	if os.Geteuid() == 0 {
		nobody := ordinaryUser{uid: 65534, gid: 65534, home: t.TempDir()}
		os.Chown(nobody.home, nobody.uid, nobody.gid)
		for dir := nobody.home; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			os.Chmod(dir, 0o755)
		}
		l.user = &nobody
	}
	return l
}
