package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/check"
	"gonsrun/internal/gotool"
	"gonsrun/internal/lessontest"
	"gonsrun/internal/narrate"
)

// asLearn makes of this test the program itself.
const asLearn = "GONSRUN_LEARN"

func TestMain(m *testing.M) {
	check.Main()
	if os.Getenv(asLearn) != "" {
		main()
	}
	os.Exit(m.Run())
}

// What is laid out is the lesson, under the learner's own name, and builds.
func TestLayOut(t *testing.T) {
	root := clone(t)
	for lesson := 1; lesson <= lastLesson; lesson++ {
		folder := filepath.Join(root, fmt.Sprint("mine", lesson))
		if done, err := layOut(root, folder, folders[lesson]); !done || err != nil {
			t.Fatalf("%s is laid out: %v, %v", folders[lesson], done, err)
		}
		text := read(t, folder+"/main.go")
		manual := narrate.ParseManual(text)
		if manual.Program != filepath.Base(folder) || strings.Contains(manual.Text, "./step") {
			t.Errorf("%s: the program's own name is %q, its manual:\n%s", folders[lesson], manual.Program, manual.Text)
		}
		_, mine, _ := strings.Cut(text, "\npackage main\n")
		_, theirs, _ := strings.Cut(read(t, filepath.Join(root, folders[lesson], "main.go")), "\npackage main\n")
		if mine != theirs || mine == "" {
			t.Errorf("%s: below its head comment, the copy is not the lesson", folders[lesson])
		}
		if a, b := strings.Count(text, "\n"), strings.Count(read(t, filepath.Join(root, folders[lesson], "main.go")), "\n"); a != b {
			t.Errorf("%s: the copy has %d lines, the lesson %d", folders[lesson], a, b)
		}
		if err := gotool.BuildProgram(root, folder, folder+"/built"); err != nil {
			t.Errorf("%s: %v", folders[lesson], err)
		}
	}
}

func TestLayOutNeverOverwrites(t *testing.T) {
	root := lessontest.NeedSource(t)
	dir := t.TempDir()
	for _, name := range []string{"mine", "mine3"} {
		os.Mkdir(filepath.Join(dir, name), 0o755)
		file := filepath.Join(dir, name, "main.go")
		os.WriteFile(file, []byte("my own work"), 0o644)
		if done, err := layOut(root, filepath.Dir(file), folders[1]); done || err != nil || read(t, file) != "my own work" {
			t.Errorf("where there is a folder %s: %v, %v, and the file is now %q", name, done, err, read(t, file))
		}
	}
	os.WriteFile(dir+"/mine-file", []byte("a file"), 0o644)
	os.Symlink("/nowhere", dir+"/mine-link")
	for _, name := range []string{"mine-file", "mine-link", "other"} {
		if done, err := layOut(root, filepath.Join(dir, name), folders[1]); done || err != nil {
			t.Errorf("at %s: %v, %v", name, done, err)
		}
	}
	if read(t, dir+"/mine-file") != "a file" {
		t.Error("a file was overwritten")
	}
	for _, lesson := range []string{"docs", "final", "step07", ""} {
		if _, err := layOut(root, dir+"/mine-new", lesson); err == nil {
			t.Errorf("a copy of %q could be made", lesson)
		}
	}
	if _, err := os.Stat(dir + "/mine-new"); err == nil {
		t.Error("a folder was left behind")
	}
}

// Under sudo the files belong to who called it, else to the owner of the folder above.
func TestLayOutOwner(t *testing.T) {
	lessontest.NeedRoot(t)
	root := lessontest.NeedSource(t)
	for _, c := range []struct{ sudo, above, expected int }{{0, 0, 0}, {0, 4711, 4711}, {12345, 0, 12345}, {12345, 4711, 12345}} {
		t.Setenv("SUDO_UID", "")
		t.Setenv("SUDO_GID", "")
		if c.sudo != 0 {
			t.Setenv("SUDO_UID", "12345")
			t.Setenv("SUDO_GID", "12345")
		}
		dir := t.TempDir()
		os.Chown(dir, c.above, c.above)
		if done, err := layOut(root, dir+"/mine", folders[6]); !done || err != nil {
			t.Fatal(done, err)
		}
		for _, path := range []string{dir + "/mine", dir + "/mine/main.go", dir + "/mine/cgroup.go"} {
			var status unix.Stat_t
			if err := unix.Stat(path, &status); err != nil || int(status.Uid) != c.expected || int(status.Gid) != c.expected {
				t.Errorf("sudo by %d in a folder of %d: %s belongs to %d:%d, expected %d (%v)", c.sudo, c.above, filepath.Base(path), status.Uid, status.Gid, c.expected, err)
			}
		}
	}
}

// The place is found by looking at the program.
func TestFindsThePlace(t *testing.T) {
	lessontest.NeedRoot(t)
	root := lessontest.NeedSource(t)
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o755)
	for lesson := 1; lesson <= lastLesson; lesson++ {
		os.Mkdir(dir+"/"+folders[lesson], 0o755)
		l := &learner{root: root, folder: filepath.Join(root, folders[lesson]), name: folders[lesson], program: dir + "/" + folders[lesson] + "/mine"}
		l.place(l.look(context.Background(), 0))
		if l.last.err != nil || l.last.broken != nil || l.lesson != lesson+1 {
			t.Errorf("with %s the next exercise is that of lesson %d, expected %d (%v, %v)", folders[lesson], l.lesson, lesson+1, l.last.err, l.last.broken)
		}
	}
}

// clone is the repository as a reader has it, with what a program needs.
func clone(t *testing.T) string {
	t.Helper()
	root := lessontest.NeedSource(t)
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o755)
	for _, name := range append([]string{"go.mod", "go.sum", "internal"}, slices.Collect(maps.Values(folders))...) {
		var err error
		if strings.HasPrefix(name, "go.") {
			err = os.WriteFile(filepath.Join(dir, name), []byte(read(t, filepath.Join(root, name))), 0o644)
		} else {
			err = os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(root, name)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// watched is a learner's folder that learn looks at, on a terminal.
type watched struct {
	*lessontest.Terminal
	t    *testing.T
	file string
}

// firstBuild is how long a busy machine may take to compile all that a program uses.
const firstBuild = time.Minute

// hasLooked is how a screen ends when the program was looked at.
var hasLooked = regexp.MustCompile(`\(\d+\.\d s\)`)

// startLearn starts it in a clone, in which there is no program yet, and waits until
// it has looked at the first one.
func startLearn(t *testing.T, args ...string) *watched {
	t.Helper()
	lessontest.NeedRoot(t)
	root := clone(t)
	command := exec.Command("/proc/self/exe", args...)
	command.Dir = root
	command.Env = append(os.Environ(), asLearn+"=1", "NO_COLOR=1", "TERM=xterm", "SUDO_UID=")
	w := &watched{lessontest.NewTerminal(t, 80, command), t, root + "/mine/main.go"}
	if !lessontest.Eventually(firstBuild, func() bool { return hasLooked.MatchString(w.Screen()) }) {
		t.Fatalf("nothing was looked at within %v:\n%s", firstBuild, w.Screen())
	}
	return w
}

// save writes the program, with a change, and returns how long it takes until the
// screen says what is expected.
func (w *watched) save(text, expected string) time.Duration {
	w.t.Helper()
	if err := os.WriteFile(w.file, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	began := time.Now()
	w.Expect("Saved. Building")
	w.Expect(expected)
	return time.Since(began)
}

// Each save gets a verdict, Enter a hint, and q gives the terminal back.
func TestSaveGetsVerdict(t *testing.T) {
	w := startLearn(t)
	w.Expect("A copy of lesson 1 is in ")
	w.Expect("Exercise 1 of 5: A hostname of its own")
	w.Expect("✗ The container has a hostname of its own.")
	w.Expect("· Good citizenship")
	first := read(t, w.file)
	for _, hint := range []string{"Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 1 of 3"} {
		w.Type("\r")
		w.Expect(hint)
	}
	flag := strings.Replace(first, "\t\tPdeathsig:", "\t\tCloneflags: unix.CLONE_NEWUTS,\n\t\tPdeathsig:", 1)
	took := w.save(flag, "No process of your container ever called sethostname.")
	w.save(strings.Replace(flag, "unix.CLONE_NEWUTS", "unix.CLONE_UTS", 1), "mine/main.go:42:20: undefined: unix.CLONE_UTS")
	w.Expect("(The package has no such name.")
	done := strings.Replace(flag, "func child(command []string) {\n", "func child(command []string) {\n\tmust(unix.Sethostname([]byte(\"box\")))\n", 1)
	took = max(took, w.save(done, "✓ Lesson 2 is done."))
	w.Expect("Exercise 2 of 5: Number 1")
	t.Logf("from a save to the verdict: %.1f s", took.Seconds())

	os.RemoveAll(filepath.Dir(w.file))
	w.Expect("is gone. Put your program back; or type q and")
	w.Type("q")
	if status := w.Wait(); status != 0 {
		t.Errorf("exit status %d after q", status)
	}
	if w.Modes().Lflag&(unix.ICANON|unix.ECHO) != unix.ICANON|unix.ECHO {
		t.Errorf("after the end, what is typed is not shown, or not taken in lines: %+v", w.Modes())
	}
}

// When all is done, what is broken after that is told all the same.
func TestBrokenAfterTheLast(t *testing.T) {
	w := startLearn(t, "-from", "step06-cgroups")
	w.Expect("All six lessons are done.")
	text := read(t, w.file)
	w.save(strings.Replace(text, "unix.CLONE_NEWPID", "unix.CLONE_NEWIPC", 1), "No clone or unshare asked for CLONE_NEWPID")
	os.Rename(filepath.Dir(w.file), filepath.Dir(w.file)+"-kept")
	w.Expect("is gone. Put your program back")
	os.Rename(filepath.Dir(w.file)+"-kept", filepath.Dir(w.file))
	w.Expect("No clone or unshare asked for CLONE_NEWPID")
	w.Type("q")
	w.Wait()
}

// It begins where the reader is.
func TestFrom(t *testing.T) {
	w := startLearn(t, "-from", "step04-chroot")
	w.Expect("A copy of lesson 4 is in ")
	w.Expect("Exercise 4 of 5: Mounts that nobody else sees")
	w.Type("\x03") // Ctrl-C
	if status := w.Wait(); status != 0 {
		t.Errorf("exit status %d after Ctrl-C", status)
	}
}

// Whatever is shown fits on a terminal of 80 columns and 24 rows.
func TestScreenFits(t *testing.T) {
	for lesson := firstLesson; lesson <= lastLesson; lesson++ {
		l := &learner{name: "mine", lesson: lesson, laidOut: true, begins: 1, last: result{took: time.Second}}
		l.last.report = check.Report{Lesson: lesson}
		for range 12 {
			l.last.report.Output = append(l.last.report.Output, "some output of the program")
		}
		for n := 1; n <= lesson; n++ {
			for _, text := range check.Promises(n) {
				v := check.Verdict{Lesson: n, Right: n < lesson, Promise: text}
				if v.Right || len(l.last.report.Promises) == 0 || l.last.report.Promises[len(l.last.report.Promises)-1].Right {
					v.Cause = strings.Repeat("four words of cause ", 18)
					l.last.report.Promises = append(l.last.report.Promises, v)
				}
			}
		}
		for l.hint = 0; l.hint <= 3; l.hint++ {
			l.laidOut = l.hint == 0
			lines := l.screen(79, 21)
			if len(lines) > 21 {
				t.Errorf("lesson %d with hint %d takes %d lines, and there are 21", lesson, l.hint, len(lines))
			}
			for _, line := range lines {
				if n := len([]rune(line.Text)); n > 79 {
					t.Errorf("%d columns: %s", n, line.Text)
				}
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
