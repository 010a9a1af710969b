package lessontest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// Narration checks what the lesson's own program says while it runs: that it is
// true, complete, in order, and where it belongs. A program given with -impl is
// not held to it.
func (l Lesson) Narration(t *testing.T) {
	l.NeedRoot(t)
	l.Type(t, "run", "true") // makes the root file system, and says so only this once
	for _, property := range []struct {
		lessons string // in which it is checked: what all have in common need not be checked six times
		name    string
		check   func(Lesson, *testing.T)
	}{
		{"123456", "it equals strace, both ways", Lesson.equalsStrace},
		{"123456", "it equals strace, when the kernel refuses a call", Lesson.equalsStraceRefused},
		{"123456", "each why stands above the line that makes the call", Lesson.whysAreComments},
		{"123456", "the text tells the same calls as -json", Lesson.textEqualsJSON},
		{"123456", "the text is the same at every run", Lesson.sameText},
		{"3", "the text is the same beside two busy loops", Lesson.sameTextBusy},
		{"3", "the text is the same where the host's side runs late", Lesson.sameTextLate},
		{"123456", "-quiet says nothing", Lesson.quietIsQuiet},
		{"123456", "-json has the fields that it should have", Lesson.jsonFields},
		{"3", "-json begins a line, whatever the command has left there", Lesson.jsonBeginsLine},
		{"123456", "-pause waits for Enter before each call", Lesson.pauses},
		{"36", "-pause: c, g, q, Ctrl-D", Lesson.pauseKeys},
		{"3", "-pause: Ctrl-C ends", Lesson.pauseInterrupt},
		{"13", "-pause: Ctrl-Z and fg", Lesson.pauseStops},
		{"3", "-pause: SIGTERM, and kill -9 of the watcher", Lesson.pauseEnds},
		{"36", "-pause without a terminal goes on", Lesson.pausesNowhere},
		{"36", "no line is wider than the terminal", Lesson.followsWidth},
		{"3", "color follows the terminal", Lesson.followsColor},
		{"3", "a resize changes the width, and tells nothing twice", Lesson.followsResize},
		{"3", "-short fits on a screen of 24 rows", Lesson.shortIsShort},
		{"3", "-to FILE", Lesson.narratesTo},
		{"3", "a reader that goes away, or stands still, stops nobody", Lesson.readersFail},
		{"36", "no argument reaches the terminal raw", Lesson.quotes},
		{"3", "long arguments pass quickly", Lesson.longArguments},
		{"36", "when the watcher is killed the program goes on", Lesson.watcherDies},
		{"3", "a watcher that comes too late does not watch", Lesson.watcherIsLate},
		{"136", "where it cannot watch, one sentence says so", Lesson.cannotWatch},
		{"123456", "in a PID namespace without its proc it tells the same calls", Lesson.withoutItsProc},
		{"3", "inside step03 it says nothing of strangers", Lesson.insideItself},
		{"123456", "the board is what the kernel says", Lesson.boardIsTrue},
		{"36", "the board knows what the starter has itself", Lesson.boardOfLimited},
	} {
		if !strings.Contains(property.lessons, strconv.Itoa(l.Number)) {
			continue
		}
		t.Run(property.name, func(t *testing.T) {
			Leftovers(t)
			property.check(l, t)
		})
	}
}

// examples are commands whose narration is held against strace: ones that work,
// ones that do not, one with an argument that needs care.
var examples = [][]string{
	{"run", "/bin/sh", "-c", "cd /; exit 3"},
	{"run", "nosuchcommand"},
	{"run", "/bin"},
	{"run", "/bin/echo", "two  blanks, a\ttab, \"quotes\" and \\ and ü and \x01\x7f\xff and \x1b[31m, in 0x1234, [3<x>"},
	{"run", "sh", "-c", "kill -9 $$; exit 4"},
}

// fewExamples are all examples or, with -test.short, one that works and one that
// does not: what has to do with arguments and exit statuses is held against strace.
func fewExamples() [][]string { return examples[:Sized(len(examples), 2)] }

// compared counts the calls that were held against strace.
var compared int

// straceCalls are the calls that strace records of a lesson. Not every processor
// has all.
const straceCalls = "?clone,?clone3,?fork,?vfork,unshare,setns,sethostname,setdomainname,chroot,chdir,fchdir,pivot_root,mount,umount2," +
	"?mkdir,mkdirat,?rmdir,unlinkat,write,prctl,execve,execveat,waitid,wait4,ptrace"

// compareRuns runs the lesson twice, with -json and with -quiet under strace, and
// holds the one against the other. do is what the test does to a program that
// runs; nil lets it run.
func (l Lesson) compareRuns(t *testing.T, do func(host int, running *Running), refusals []refusal, args ...string) {
	t.Helper()
	strace := NeedTool(t, "strace")
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o777) // strace may be an ordinary user's
	record := filepath.Join(dir, "record")

	narrates := l.command(append([]string{"-json"}, args...)...)
	silent := l.command(append([]string{"-quiet"}, args...)...)
	traced := exec.Command(strace, append([]string{"-f", "-yy", "-s", "1000000", "-e", "trace=" + straceCalls, "-o", record}, silent.Args...)...)
	traced.Dir, traced.Env, traced.SysProcAttr = silent.Dir, silent.Env, silent.SysProcAttr

	if refusals != nil {
		narrates.Dir, traced.Dir = "", "" // chdir may be refused to whoever starts them, too
	}
	loud := l.both(t, do, refusals, narrates)
	l.sweepGroups(t)
	quiet := l.both(t, do, refusals, traced)
	l.sweepGroups(t)
	if loud == nil || quiet == nil {
		t.FailNow() // one does not start
	}
	if loud.Status != quiet.Status || loud.Stdout != quiet.Stdout {
		loud.fail("the stdout and exit status of -quiet: %q and %d", quiet.Stdout, quiet.Status)
	}
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	calls := ParseStrace(string(text))
	for _, c := range calls {
		if c.Name == "ptrace" {
			quiet.fail("no watcher with -quiet, and not %s", c)
		}
	}
	said, made := told(loud.Narrated(), narrates.Process.Pid), seen(calls)
	if usesLeaf(said) || usesLeaf(made) {
		said, made = withoutLeaf(said), withoutLeaf(made)
	}
	problems, n := differences(said, made)
	compared += n
	if len(problems) > 0 {
		loud.fail("the narration is what strace sees\n            %s", strings.Join(problems, "\n            "))
	}
	if n == 0 && quiet.Status != 125 {
		quiet.fail("calls to compare")
	}
}

// both runs a command to its end, with the same disturbance.
func (l Lesson) both(t *testing.T, do func(host int, running *Running), refusals []refusal, command *exec.Cmd) (r *Result) {
	t.Helper()
	if do == nil {
		refusing(t, refusals, func() { r = RunCommand(t, "", command) })
		return r
	}
	running := StartCommand(t, command)
	host := running.Pid()
	if command.Args[0] != Program() { // strace's child
		host = findWhere(t, running.Pid(), func(p process) bool { return p.parent == running.Pid() && p.args[0] == Program() }, nil).pid
	}
	do(host, running)
	return running.Wait()
}

func (l Lesson) equalsStrace(t *testing.T) {
	compared = 0
	for _, example := range examples {
		l.compareRuns(t, nil, nil, example...)
	}
	for _, file := range []string{"/noexec", "/nointerpreter"} {
		l.compareRuns(t, nil, nil, l.withFiles(t, file)...)
	}
	l.compareRuns(t, func(host int, running *Running) {
		running.Line()
		waitCatches(t, host, unix.SIGTERM)
		unix.Kill(host, unix.SIGTERM)
	}, nil, "run", "sh", "-c", "echo ready; exec sleep 1000")
	l.compareRuns(t, func(host int, running *Running) {
		running.Line()
		unix.Kill(find(t, host, "sleep", "1003").pid, unix.SIGKILL)
	}, nil, "run", "sh", "-c", "echo ready; exec sleep 1003")
	l.compareRuns(t, func(host int, running *Running) {
		running.Line()
		unix.Kill(host, unix.SIGKILL)
	}, nil, "run", "sh", "-c", "echo ready; exec sleep 1000")
	if l.Number > 3 {
		l.compareRuns(t, nil, nil, "-rootfs", "/nonexistent", "run", "true")
	}
	user := l.AsOrdinaryUser(t)
	if l.Number > 3 {
		user.Type(t, "run", "true") // makes this user's root file system
	}
	user.compareRuns(t, nil, nil, "run", "/bin/sh", "-c", "exit 6")
	t.Logf("%d calls compared", compared)
}

// waitCatches waits until a process has a handler for a signal: the host's side
// takes signals over while the container's side starts.
func waitCatches(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if !Eventually(Patience, func() bool {
		caught, _ := strconv.ParseUint(proc.StatusField(itoa(pid), "SigCgt"), 16, 64)
		return caught&(1<<(sig-1)) != 0
	}) {
		t.Fatalf("process %d does not catch %v", pid, sig)
	}
}

// sweepGroups removes the cgroups that a run could not remove: the next run does, when
// the last process in them has ended.
func (l Lesson) sweepGroups(t *testing.T) {
	if l.Number != 6 {
		return
	}
	swept := func() bool {
		if len(Cgroups()) > 0 {
			Lesson{Number: l.Number, Name: l.Name}.Type(t, "-quiet", "run", "true").Exits(0)
		}
		return len(Cgroups()) == 0
	}
	if !Eventually(Patience, swept) {
		t.Errorf("these cgroups are left, whoever sweeps: %v", Cgroups())
	}
}

// withFiles is what to type to run a file that execve refuses: one that is no
// program (ENOEXEC), or one whose interpreter is not there (ENOENT).
func (l Lesson) withFiles(t *testing.T, file string) []string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"noexec": "no program\n", "nointerpreter": "#!/no/such/interpreter\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if l.Number < 4 {
		return []string{"run", dir + file}
	}
	os.Mkdir(filepath.Join(dir, "proc"), 0o755)
	return []string{"-rootfs", dir, "run", file}
}

// equalsStraceRefused has the kernel refuse one call after the other.
func (l Lesson) equalsStraceRefused(t *testing.T) {
	compared = 0
	for _, test := range []struct {
		since int
		refusal
	}{
		{1, refusal{unix.SYS_PRCTL, 0, ^uint32(0), unix.PR_SET_PDEATHSIG, unix.EINVAL}}, // Go: fork/exec … invalid argument
		{2, refusal{unix.SYS_CLONE, 0, unix.CLONE_NEWUTS, unix.CLONE_NEWUTS, unix.ENOSPC}},
		{2, refusal{unix.SYS_SETHOSTNAME, 0, 0, 0, unix.EPERM}},
		{4, refusal{unix.SYS_CHROOT, 0, 0, 0, unix.EACCES}},
		{4, refusal{unix.SYS_CHDIR, 0, 0, 0, unix.EACCES}},
		{5, refusal{unix.SYS_MOUNT, 3, ^uint32(0), unix.MS_REC | unix.MS_PRIVATE, unix.EPERM}},
		{5, refusal{unix.SYS_MOUNT, 3, ^uint32(0), unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, unix.EBUSY}},
		{6, refusal{unix.SYS_MKDIRAT, 0, 0, 0, unix.EDQUOT}},
		{6, refusal{unix.SYS_WRITE, 2, ^uint32(0), 2, unix.EIO}}, // "20" to pids.max
		{6, refusal{unix.SYS_UNLINKAT, 2, ^uint32(0), unix.AT_REMOVEDIR, unix.ENOTEMPTY}},
	} {
		if l.Number < test.since {
			continue
		}
		l.compareRuns(t, nil, []refusal{test.refusal}, "run", "/bin/sh", "-c", "exit 3")
	}
	t.Logf("%d calls compared", compared)
}

// madeAt is what the line of main.go must have that makes a call.
func madeAt(n Narrated) string {
	switch {
	case n.Call == "clone" || n.Call == "prctl" || isSecondExec(n) || n.Call == "wait4":
		return "lesson.Start("
	case n.Call == "execve":
		return "unix.Exec("
	case n.Call == "waitid":
		return "container.Wait()"
	case strings.HasPrefix(n.Call, "mkdir") || strings.Contains(n.Args, "cgroup.subtree_control") || strings.Contains(n.Args, "/gonsrun-leaf/"):
		return "group.mkdir()"
	case n.Call == "unlinkat" || n.Call == "rmdir":
		return "group.rmdir()"
	case n.Call == "write":
		file := strings.NewReplacer("memory.limit_in_bytes", "memory.max", "memory.memsw.limit_in_bytes", "memory.swap.max", "cpu.cfs_quota_us", "cpu.max").
			Replace(regexp.MustCompile(`/([a-z._]+)>`).FindString(n.Args))
		return `.write("` + strings.Trim(file, "/>") + `", `
	}
	return "unix." + strings.ToUpper(n.Call[:1]) + n.Call[1:] + "("
}

func isSecondExec(n Narrated) bool {
	return n.Call == "execve" && strings.HasPrefix(n.Args, `"/proc/self/exe", ["/proc/self/exe", "child", `)
}

// whysAreComments checks file, line and why of each call against main.go.
func (l Lesson) whysAreComments(t *testing.T) {
	source := lines(filepath.Join(NeedSource(t), l.Name, "main.go"))
	for _, example := range fewExamples() {
		result := l.Type(t, append([]string{"-json"}, example...)...)
		seen := map[int]bool{}
		for _, n := range result.Narrated() {
			if n.Call == "" {
				continue
			}
			if n.File != "main.go" || n.Line < 1 || n.Line > len(source) {
				result.fail("%s has a line of main.go, and not %s:%d", n, n.File, n.Line)
				continue
			}
			if text := source[n.Line-1]; !strings.Contains(text, madeAt(n)) {
				result.fail("%s is made by a line with %s, and not by line %d: %s", n, madeAt(n), n.Line, text)
			}
			byGo := n.Side == "container" && (n.Call == "prctl" || isSecondExec(n))
			comment := commentAbove(source, n.Line)
			switch {
			case comment == "":
				result.fail("line %d, which makes %s, has a comment above it", n.Line, n)
			case byGo || seen[n.Line]:
				if n.Why == "" || n.Why == comment {
					result.fail("%s is not what the comment above line %d is about: it has a why of its own, and not %q", n, n.Line, n.Why)
				}
			case n.Why != comment:
				result.fail("the why of %s is %q, and not %q", n, comment, n.Why)
			}
			if !byGo {
				seen[n.Line] = true
			}
		}
		if len(seen) == 0 && example[1] == "/bin/sh" {
			result.fail("calls are told")
		}
	}
}

// commentAbove is the comment that ends in the line above, as one line of text.
func commentAbove(source []string, line int) string {
	begin := line - 1
	for begin > 0 && strings.HasPrefix(strings.TrimSpace(source[begin-1]), "// ") {
		begin--
	}
	var words []string
	for _, text := range source[begin : line-1] {
		words = append(words, strings.TrimPrefix(strings.TrimSpace(text), "// "))
	}
	return strings.Join(words, " ")
}

// block is what the text says of one call of one side.
type block struct{ side, pid, where, text string }

var blockBegins = regexp.MustCompile(`(?m)^ (host|container) (\d+) *│`)

// blocks are the blocks of a narration in text. Their text has no white space.
func blocks(narration string) (all []block) {
	narration = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(colors.ReplaceAllString(narration, ""))
	begins := blockBegins.FindAllStringSubmatchIndex(narration, -1)
	for i, at := range begins {
		end := len(narration)
		if i+1 < len(begins) {
			end = begins[i+1][0]
		}
		b := block{side: narration[at[2]:at[3]], pid: narration[at[4]:at[5]]}
		for _, line := range strings.Split(narration[at[0]:end], "\n") {
			margin, text, ok := strings.Cut(line, "│")
			if line == "" {
				continue
			}
			if !ok {
				b.text += "\n" + line // the program's own
				continue
			}
			if strings.Contains(margin, ".go:") {
				b.where = strings.TrimSpace(margin)
			}
			b.text += tight(manPage.ReplaceAllString(text, ""))
		}
		all = append(all, b)
	}
	return all
}

// textEqualsJSON holds the text against -json: each side tells the same calls and
// answers in the same order, whatever the line breaks, and nothing else.
func (l Lesson) textEqualsJSON(t *testing.T) {
	for _, example := range fewExamples() {
		inJSON := l.Type(t, append([]string{"-json"}, example...)...)
		inText := l.Type(t, example...)
		said := map[string][]block{}
		for _, b := range blocks(inText.Stderr) {
			said[b.side] = append(said[b.side], b)
		}
		host := ""
		for _, n := range inJSON.Narrated() {
			if n.Call == "" {
				inText.Says(strings.Split(n.Why, "\n")...)
				continue
			}
			if len(said[n.Side]) == 0 {
				inText.fail("the text tells %s, too", n)
				continue
			}
			b := said[n.Side][0]
			said[n.Side] = said[n.Side][1:]
			question, answer := shownInText(n)
			if n.Call == "waitid" && len(said["host"]) > 0 { // its answer comes in a block of its own
				b.text += said["host"][0].text
				said["host"] = said["host"][1:]
			}
			for _, part := range []string{n.Why, question} {
				if !strings.Contains(changeless(b.text), changeless(part)) {
					inText.fail("of %s, the text has %s, and not %s", n.Call, tight(part), b.text)
				}
			}
			if !strings.Contains(changeless(b.text)+"\n", changeless(answer)) {
				inText.fail("of %s, the text has the answer %s, and not %s", n.Call, tight(answer), b.text)
			}
			if want := n.File + ":" + strconv.Itoa(n.Line); b.where != want {
				inText.fail("of %s, the left column says %s, and not %q", n.Call, want, b.where)
			}
			if n.Side == "container" && l.Number > 2 && b.pid != "1" || host != "" && n.Side == "host" && b.pid != host {
				inText.fail("of %s, the left column has the right pid, and not %s", n.Call, b.pid)
			}
			if n.Side == "host" {
				host = b.pid
			}
		}
		if rest := slices.Concat(said["host"], said["container"]); len(rest) > 0 {
			inText.fail("the text tells no more calls than -json, and not %v", rest)
		}
	}
	l.Type(t, "run", "/bin/echo", "two  blanks").SaysExactly(`"two  blanks"`)
}

// shownInText is how the text shows a call and its answer: of a clone it has the
// flags that the lesson asked for, of waitid no answer in its arguments.
func shownInText(n Narrated) (question, answer string) {
	question = n.Call + "(" + n.Args + ")"
	answer = "= " + strconv.Itoa(n.Ret)
	if n.Errno != "" {
		answer = "= -1 " + n.Errno + " ("
	}
	switch {
	case n.Call == "clone":
		if n.Errno == "" {
			answer = "=PID"
		}
		_, flags, _ := strings.Cut(n.Args, "flags=")
		flags, _, _ = strings.Cut(flags, ",")
		var asked []string
		for _, flag := range strings.Split(flags, "|") {
			if flag != "CLONE_VM" && flag != "CLONE_VFORK" && flag != "CLONE_PIDFD" {
				asked = append(asked, flag)
			}
		}
		question = "clone(flags=" + strings.Join(asked, "|") + "|…)"
	case n.Call == "waitid":
		args := splitArguments(n.Args)
		question = "waitid(" + strings.Join([]string{args[0], args[1], "…", args[3], args[4]}, ", ") + ")"
		if strings.HasPrefix(args[2], "{") {
			answer += "seen:" + regexp.MustCompile(`si_code=\w+`).FindString(args[2]) + regexp.MustCompile(`si_status=\w+`).FindString(args[2]) + ":"
		}
	case n.Call == "execve" && n.Errno == "" && !isSecondExec(n):
		answer = "" // it does not return
	}
	return question, answer
}

// changing are the numbers of a narration that differ from run to run, with
// what stands for them. White space is out: a longer pid breaks lines elsewhere.
var changing = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(clone\(flags=[^)]*\))=\d+`), "${1}=PID"},
	{regexp.MustCompile(`(clone\(flags=[^)]*\)…iswhatGoadds:[^=]*)=\d+`), "${1}=PID"},
	{regexp.MustCompile(`P_PID,\d+`), "P_PID,PID"},
	{regexp.MustCompile(`<pid:\d+>`), "<pid:PID>"},
	{regexp.MustCompile(`NSpid:\d+`), "NSpid:PID"},
	{regexp.MustCompile(`(gonsrun-step\d+)-\d+`), "$1-PID"},
	{regexp.MustCompile(`\d+</`), "FD</"},
	{regexp.MustCompile(`\d+<pid`), "FD<pid"},
	{regexp.MustCompile(`\[\d{6,}\]`), "[INODE]"},
	{regexp.MustCompile(`\d+:\d+/\d+`), "DEVICE/INODE"},
}

// changeless takes out of a text all that differs from run to run.
func changeless(text string) string {
	text = tight(text)
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.instead)
	}
	return text
}

// tight takes out all white space.
func tight(text string) string { return whitespace.ReplaceAllString(text, "") }

func (l Lesson) sameText(t *testing.T) { l.runsAlike(t, Sized(100, 8)) }

func (l Lesson) sameTextBusy(t *testing.T) {
	for range 2 {
		busy := StartCommand(t, exec.Command("/bin/sh", "-c", "while :; do :; done"))
		defer func() {
			busy.Signal(unix.SIGKILL)
			busy.Wait()
		}()
	}
	l.runsAlike(t, Sized(100, 8))
}

// runsAlike runs the lesson many times, and expects the same text each time.
func (l Lesson) runsAlike(t *testing.T, times int) {
	typed := func() *Result { return RunCommand(t, "", l.command("run", "/bin/sh", "-c", "exit 7")) }
	results := make([]*Result, times)
	results[0] = typed()
	// Behind a cgroup namespace a run may find the tree's root full of processes.
	// Then one run at a time: one that moves the processes back is in the way of
	// another. And lesson 6 sweeps what killed runs have left: another run that has
	// just ended looks like one.
	movesProcesses := func(r *Result) bool { return strings.Contains(r.Stderr, "/gonsrun-leaf") }
	inTurn := func(n int) int {
		if l.Number == 6 || movesProcesses(results[0]) {
			return 1
		}
		return n
	}
	inParallel(inTurn(4), len(results)-1, func(i int) { results[i+1] = typed() })
	leaf := slices.ContainsFunc(results, movesProcesses)
	normal := func(r *Result) (all []string) {
		story := ""
		for _, b := range blocks(r.Stderr) {
			if strings.HasSuffix(b.text, "=-1EINTR(interruptedsystemcall)") {
				continue // the kernel may answer so, and Go asks again, with the same why
			}
			if letter := leafLetter(b.text); leaf && letter != "" {
				story += letter
				continue
			}
			all = append(all, b.side+" "+b.where+" "+changeless(b.text))
		}
		if leaf && !leafStory.MatchString(story) {
			r.fail("of the tree's root one of the stories %s, and not %q", leafStory, story)
		}
		return all
	}
	first := normal(results[0])
	for i, r := range results {
		now := normal(r.Exits(7))
		for j := range max(len(now), len(first)) {
			if at(now, j) != at(first, j) {
				r.fail("run %d says the same as the first run, which said\n            %s\n            and not\n            %s", i+1, at(first, j), at(now, j))
				return
			}
		}
	}
	if len(first) < 5 {
		results[0].fail("a narration of more than %d blocks", len(first))
	}
}

func (l Lesson) quietIsQuiet(t *testing.T) {
	for _, flags := range [][]string{{"-quiet"}, {"-quiet", "-json"}, {"-quiet", "-pause", "-short"}} {
		l.Type(t, append(flags, "run", "/bin/sh", "-c", "echo hi; exit 7")...).IsSilent().Prints("hi\n").Exits(7)
	}
	// No process but the two sides: only the container's stands below the host's.
	running := l.Start(t, "-quiet", "run", "/bin/sh", "-c", "echo ready; read x")
	running.Line()
	if below := alive(running.Pid()); len(below) != 1 {
		t.Errorf("with -quiet there is one process below the host's side, and not %v", below)
	}
	running.Wait()
	// With a watcher there is one more: or that would prove nothing.
	running = l.Start(t, "run", "/bin/sh", "-c", "echo ready; read x")
	running.Line()
	if below := alive(running.Pid()); len(below) != 2 {
		t.Errorf("without -quiet there are two processes below the host's side, and not %v", below)
	}
	running.Wait()
}

func (l Lesson) jsonFields(t *testing.T) {
	for _, example := range fewExamples() {
		result := l.Type(t, append([]string{"-json"}, example...)...)
		for _, n := range result.Narrated() {
			if n.Lesson != l.Name || n.Side != "host" && n.Side != "container" || n.PID == 0 || n.Why == "" {
				result.fail("lesson %s, a side, a pid and a why in each line, not %+v", l.Name, n)
			}
			if n.Call != "" && !regexp.MustCompile(`^\w+\([27]\)$`).MatchString(n.Man) {
				result.fail("a manual page for %s, and not %q", n, n.Man)
			}
		}
	}
}

// jsonInFile has stderr in a file that had a line before: it gets no empty line, but
// the line's end that the command has left out.
func (l Lesson) jsonInFile(t *testing.T, script string, half bool) {
	for _, flag := range []int{os.O_TRUNC, os.O_APPEND} {
		stderr, err := os.OpenFile(filepath.Join(t.TempDir(), "stderr"), os.O_CREATE|os.O_WRONLY|flag, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer stderr.Close()
		stderr.WriteString("before\n")
		command := l.command("-json", "run", "/bin/sh", "-c", script)
		command.Stderr = stderr
		if err := command.Run(); err != nil {
			t.Fatal(err)
		}
		text, _ := os.ReadFile(stderr.Name())
		if strings.Contains(string(text), "\n\n") || half != strings.Contains(string(text), "half a line\n{") {
			t.Errorf("%s: no empty line in the file, and no record behind a half line:\n%s", script, text)
		}
	}
}

// jsonBeginsLine has a command that leaves a line unfinished.
func (l Lesson) jsonBeginsLine(t *testing.T) {
	command := `printf 'half a line' >&2; exit 7`
	result := l.Type(t, "-json", "run", "/bin/sh", "-c", command).Exits(7)
	records, halves := 0, 0
	for _, line := range strings.Split(result.Stderr, "\n") {
		switch {
		case line == "":
		case line == "half a line":
			halves++
		default:
			if _, err := readRecord(line); err != nil {
				result.fail("records and the command's half line, each in a line of its own, and not %s: %v", line, err)
			}
			records++
		}
	}
	if halves != 1 || records < 5 || !strings.Contains(result.Stderr, `"call":"waitid"`) {
		result.fail("the half line once, and records before and after it")
	}
	l.jsonInFile(t, "true", false)
	l.jsonInFile(t, "echo a line >&2", false)
	l.jsonInFile(t, "printf 'half a line' >&2", true)
	// In text, on a terminal: the narration goes on in a line of its own.
	term := NewTerminal(t, 100, l.command("run", "/bin/sh", "-c", command))
	if status := term.Wait(); status != 7 {
		t.Errorf("exit status %d on a terminal, expected 7", status)
	}
	screen := render(term.Raw(), 100)
	if !slices.Contains(screen, "half a line") || !slices.ContainsFunc(screen, func(line string) bool {
		return strings.HasPrefix(line, " host ") && strings.HasSuffix(line, "waitid = 0")
	}) {
		t.Errorf("expected: the command's half line and the narration's next line, each in a line of its own\nseen:\n%s", strings.Join(screen, "\n"))
	}
}

func (l Lesson) pausesNowhere(t *testing.T) {
	command := l.command("-pause", "run", "/bin/sh", "-c", "echo hi; exit 7")
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // has no terminal
	result := RunCommand(t, "", command).Prints("hi\n").Says("-pause", "terminal").Exits(7)
	if n := strings.Count(result.Stderr, "-pause"); n != 1 {
		result.fail("one sentence about -pause, and not %d", n)
	}
}
