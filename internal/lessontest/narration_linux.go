package lessontest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf8"
)

// Narration checks what the lesson's own program says while it runs: that it is
// true, complete, in order, and where it belongs. A program given with -impl is
// not held to it.
func (l Lesson) Narration(t *testing.T) {
	ownProgramOnly(t)
	l.NeedRoot(t)
	l.Type(t, "run", "true") // makes the root file system, and says so only this once
	for _, property := range []struct {
		name  string
		check func(Lesson, *testing.T)
	}{
		{"it equals strace, both ways", Lesson.equalsStrace},
		{"the text tells the same calls as -json", Lesson.textEqualsJSON},
		{"the order is the same at every run", Lesson.sameOrder},
		{"-quiet says nothing", Lesson.quietIsQuiet},
		{"-json has the fields that it should have", Lesson.jsonFields},
		{"-pause waits for Enter before each call", Lesson.pauses},
		{"-pause without a terminal goes on", Lesson.pausesNowhere},
		{"color and width follow the terminal", Lesson.followsTerminal},
	} {
		t.Run(property.name, func(t *testing.T) {
			Leftovers(t)
			property.check(l, t)
		})
	}
}

// EqualsStrace runs a command that narrates in JSON under strace, and checks
// that it told what strace saw, both ways. Of what its two sides do, it must
// have told the calls for which listed is true. It returns what was narrated.
func EqualsStrace(t testing.TB, command *exec.Cmd, listed func(SystemCall) bool) []Narrated {
	t.Helper()
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o777) // strace may be an ordinary user's
	trace := filepath.Join(dir, "trace")
	traced := UnderStrace(t, command, trace)
	result := RunCommand(t, "", traced)
	narrated := result.Narrated()
	recorded, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if problems := Compare(narrated, ParseStrace(string(recorded)), listed); len(problems) > 0 {
		result.fail("the narration is what strace sees\n            %s", strings.Join(problems, "\n            "))
	}
	return narrated
}

// tracedCalls are the calls that strace records. Not every processor has all.
const tracedCalls = "?clone,?clone3,?fork,?vfork,unshare,setns,sethostname,chroot,chdir,pivot_root,mount,umount2," +
	"?mkdir,mkdirat,write,execve,?execveat,waitid,prctl,capset,setresuid,setresgid,setgroups,seccomp,?mknod,mknodat,?symlink,symlinkat,sendto"

// UnderStrace returns command under strace, whose record goes to the file trace.
func UnderStrace(t testing.TB, command *exec.Cmd, trace string) *exec.Cmd {
	t.Helper()
	strace := NeedTool(t, "strace")
	traced := exec.Command(strace, append([]string{"-f", "-y", "-s", "8192", "-e", "trace=" + tracedCalls, "-o", trace}, command.Args...)...)
	traced.Dir, traced.Env, traced.SysProcAttr = command.Dir, command.Env, command.SysProcAttr
	return traced
}

// Narrated reads what -json wrote to stderr. Every line must be one object with
// exactly the fields that it should have.
func (r *Result) Narrated() (all []Narrated) {
	r.t.Helper()
	fields := []string{"lesson", "side", "pid", "call", "args", "ret", "errno", "why", "man"}
	for _, line := range strings.Split(strings.TrimSuffix(r.Stderr, "\n"), "\n") {
		var n Narrated
		var object map[string]any
		err := json.Unmarshal([]byte(line), &object)
		if err == nil {
			err = json.Unmarshal([]byte(line), &n)
		}
		for _, field := range fields {
			if _, ok := object[field]; !ok && err == nil {
				err = fmt.Errorf("it has no field %q", field)
			}
		}
		if err == nil && len(object) != len(fields) {
			err = fmt.Errorf("it has %d fields, not %d", len(object), len(fields))
		}
		if err != nil {
			r.fail("each line on stderr is a JSON object with the fields %s\n            line %s\n            %v", strings.Join(fields, ", "), line, err)
		}
		all = append(all, n)
	}
	return all
}

// examples are commands whose narration is held against strace: one that works,
// ones that do not, one with an argument that needs care.
var examples = [][]string{
	{"run", "/bin/sh", "-c", "cd /; exit 3"},
	{"run", "nosuchcommand"},
	{"run", "/bin"},
	{"run", "/bin/echo", "two  blanks, a\ttab, \"quotes\" and \\ and ü"},
	{"run", "sh", "-c", "kill -9 $$; exit 4"},
}

// fewExamples are all examples or, with -test.short, one that works and one that
// does not: what has to do with arguments and exit statuses is held against strace.
func fewExamples() [][]string { return examples[:Sized(len(examples), 2)] }

func (l Lesson) equalsStrace(t *testing.T) {
	for _, example := range examples {
		EqualsStrace(t, l.command(append([]string{"-json"}, example...)...), Listed)
	}
	if l.Number > 1 { // the clone fails, and is narrated
		user := l.AsOrdinaryUser(t)
		user.Type(t, "run", "true") // makes this user's root file system
		EqualsStrace(t, user.command("-json", "run", "true"), Listed)
	}
}

// textEqualsJSON holds the text against -json: the same calls and answers, in
// the same order, whatever the line breaks.
func (l Lesson) textEqualsJSON(t *testing.T) {
	for _, example := range fewExamples() {
		inJSON := l.Type(t, append([]string{"-json"}, example...)...)
		inText := l.Type(t, example...)
		text := comparable(unwrap(inText.Stderr))
		for _, n := range inJSON.Narrated() {
			call := n.Call + "(" + n.Args + ")"
			if n.Call == "" {
				call = n.Why
			} else if n.Call != "execve" || !strings.Contains(n.Why, "becomes") { // that one does not return
				call = n.String()
			}
			_, behind, found := strings.Cut(text, comparable(call))
			if !found {
				inText.fail("the text has, behind what -json says before it: %s", call)
				return
			}
			text = behind
		}
	}
	l.Type(t, "run", "/bin/echo", "two  blanks").SaysExactly(`"two  blanks"`)
}

// SaysExactly expects a text on stderr, in one line, blank for blank.
func (r *Result) SaysExactly(text string) *Result {
	r.t.Helper()
	if !strings.Contains(r.Stderr, text) {
		r.fail("stderr has, in one line, %s", text)
	}
	return r
}

// tight takes out all white space.
func tight(text string) string { return whitespace.ReplaceAllString(text, "") }

// changing are the numbers of a narration that differ from run to run, with
// what stands for them. White space is out: a longer pid breaks lines elsewhere.
var changing = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(clone\([^=]*=[^=]*\)=)\d+`), "${1}PID"},
	{regexp.MustCompile(`P_PID,\d+`), "P_PID,PID"},
	{regexp.MustCompile(`NSpid:\d+`), "NSpid:PID"},
	{regexp.MustCompile(`(gonsrun-step\d+)-\d+`), "$1-PID"},
	{regexp.MustCompile(`(cgroup\.procs>,)"\d+",\d+\)=\d+`), `$1"PID",LENGTH)=LENGTH`},
	{regexp.MustCompile(`\[\d{6,}\]`), "[INODE]"},
	{regexp.MustCompile(`\d+:\d+/\d+`), "DEVICE/INODE"},
}

// comparable takes out of a text all that differs from run to run.
func comparable(text string) string {
	text = whitespace.ReplaceAllString(text, "")
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.instead)
	}
	return text
}

// leafStory are the letters of what a run says of the cgroup tree's root: it
// hands controllers down, at once or after having moved the processes in it, and
// at the end may move them back. Which of it happens depends on what others do.
var leafStory = regexp.MustCompile(`^(d|lm*d)(um*)?$`)

// leafLetter is a letter for what leafStory knows, "" for all else.
func leafLetter(said string) string {
	has := func(text string) bool { return strings.Contains(said, text) }
	switch {
	case has("/cgroup.subtree_control") && has(`, "-`):
		return "u"
	case has("/cgroup.subtree_control"):
		return "d"
	case has("mkdirat(") && has("/gonsrun-leaf"):
		return "l"
	case has("It moves."):
		return "m"
	}
	return ""
}

func (l Lesson) sameOrder(t *testing.T) {
	typed := func() *Result { return RunCommand(t, "", l.command("run", "/bin/sh", "-c", "exit 7")) }
	results := make([]*Result, Sized(100, 8))
	results[0] = typed()
	workers := 4
	// Behind a cgroup namespace a run may find the tree's root full of processes.
	// Then one run at a time: one that moves the processes back is in the way of
	// another.
	movesProcesses := func(r *Result) bool { return strings.Contains(r.Stderr, "/gonsrun-leaf") }
	if movesProcesses(results[0]) {
		workers = 1
	}
	leaf := false
	normal := func(r *Result) []string {
		said := label.ReplaceAllStringFunc(r.Stderr, func(l string) string {
			if strings.Contains(l, "host") {
				return "\x00host: "
			}
			if strings.Contains(l, "container") {
				return "\x00container: "
			}
			return ""
		})
		var blocks []string
		story := ""
		for _, block := range strings.Split(said, "\x00") {
			block = unwrap(block)
			if letter := leafLetter(block); leaf && letter != "" {
				story += letter
				continue
			}
			blocks = append(blocks, comparable(block))
		}
		if leaf && !leafStory.MatchString(story) {
			r.fail("of the tree's root one of the stories %s, and not %q", leafStory, story)
		}
		return blocks
	}
	var wait sync.WaitGroup
	work := make(chan int)
	for range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range work {
				results[i] = typed()
			}
		}()
	}
	for i := 1; i < len(results); i++ {
		work <- i
	}
	close(work)
	wait.Wait()
	leaf = slices.ContainsFunc(results, movesProcesses)
	first := normal(results[0])
	for i, r := range results {
		blocks := normal(r.Exits(7))
		for j := range max(len(blocks), len(first)) {
			if at(blocks, j) != at(first, j) {
				r.fail("run %d says the same as the first run, which said\n            %s\n            and not\n            %s", i+1, at(first, j), at(blocks, j))
				return
			}
		}
	}
}

func (l Lesson) quietIsQuiet(t *testing.T) {
	l.Type(t, "-quiet", "run", "/bin/sh", "-c", "echo hi; exit 7").IsSilent().Prints("hi\n").Exits(7)
}

func (l Lesson) jsonFields(t *testing.T) {
	for _, example := range fewExamples() {
		result := l.Type(t, append([]string{"-json"}, example...)...)
		for _, n := range result.Narrated() {
			if n.Lesson != l.Name || n.Side != "host" && n.Side != "container" || n.PID == 0 || n.Why == "" {
				result.fail("lesson %s, a side, a pid and a why in each line, not %+v", l.Name, n)
			}
			if n.Call != "" && !strings.HasSuffix(n.Man, ")") {
				result.fail("a manual page for %s", n)
			}
		}
	}
}

func (l Lesson) pauses(t *testing.T) {
	// Under strace, too: behind a cgroup namespace each process there is, is moved.
	traced := UnderStrace(t, l.command("-json", "run", "cat"), filepath.Join(t.TempDir(), "trace"))
	steps := RunCommand(t, "", traced).Narrated()
	// The container's first execve is past when it can speak, and the last one
	// waits for the Enter that the host's wait is waiting for.
	steps = slices.DeleteFunc(steps, func(n Narrated) bool { return n.Call == "execve" })

	trace := filepath.Join(t.TempDir(), "trace")
	command := UnderStrace(t, l.command("-pause", "run", "cat"), trace)
	var stdout strings.Builder
	command.Stdin, command.Stdout = strings.NewReader("data"), &stdout
	term := NewTerminal(t, 100, command)
	for i, step := range steps {
		term.Expect(step.Call + "(")
		term.Expect("press Enter ")
		made := madeSoFar(t, trace)
		if want := steps[:i]; len(made) != len(want) {
			t.Fatalf("%s\n  expected: before Enter was pressed %d times, these calls\n    %v\n  seen:\n    %v", shellLine(command), i+1, want, made)
		}
		term.Type("\n")
	}
	if status := term.Wait(); status != 0 || stdout.String() != "data" {
		t.Errorf("%s\n  expected: stdout \"data\" and exit status 0\n  seen:     stdout %q and exit status %d\n%s", shellLine(command), stdout.String(), status, term.Screen())
	}
}

// madeSoFar are the calls in a trace that -pause waits before.
func madeSoFar(t *testing.T, trace string) []SystemCall {
	recorded, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(ParseStrace(string(recorded)), func(c SystemCall) bool {
		return c.Name == "execve" || !Listed(c) && !c.MakesProcess()
	})
}

func (l Lesson) pausesNowhere(t *testing.T) {
	command := l.command("-pause", "run", "/bin/sh", "-c", "echo hi; exit 7")
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // has no terminal
	RunCommand(t, "", command).Prints("hi\n").Says("-pause", "terminal").Exits(7)
}

func (l Lesson) followsTerminal(t *testing.T) {
	on := func(columns int, environment ...string) string {
		command := l.command("run", "true")
		command.Env = append(command.Env, append(environment, "TERM=xterm-256color")...)
		term := NewTerminal(t, columns, command)
		if status := term.Wait(); status != 0 {
			t.Errorf("%s on a terminal: exit status %d\n%s", shellLine(command), status, term.Screen())
		}
		return term.Screen()
	}
	for _, columns := range Sized([]int{60, 80, 100, 200}, []int{60, 200}) {
		screen := on(columns)
		if !strings.Contains(screen, "\x1b[") {
			t.Errorf("no color on a terminal of %d columns:\n%s", columns, screen)
		}
		expectWidth(t, min(columns, 100), screen)
	}
	if screen := on(100, "NO_COLOR=1"); strings.Contains(screen, "\x1b") {
		t.Errorf("color in spite of NO_COLOR:\n%q", screen)
	}
	inPipe := l.Type(t, "run", "true")
	if strings.Contains(inPipe.Stderr, "\x1b") {
		inPipe.fail("no color in a pipe")
	}
	expectWidth(t, 80, inPipe.Stderr)
}

// expectWidth expects no line to be wider than that many columns.
func expectWidth(t *testing.T, columns int, text string) {
	t.Helper()
	for _, line := range strings.Split(colors.ReplaceAllString(text, ""), "\n") {
		if n := utf8.RuneCountInString(line); n > columns {
			t.Errorf("a line of %d columns where there are %d: %s", n, columns, line)
		}
	}
}
