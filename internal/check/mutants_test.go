//go:build linux

package check_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gonsrun/internal/check"
	"gonsrun/internal/lessontest"
)

// A learner is a program that somebody has written for a lesson: one of
// testdata/mutants, which is the lesson's own with a mistake, or one of
// testdata/right.
type learner struct {
	name   string
	lesson string            // step03-pid
	files  map[string]string // name → text

	mistake string         // "" when it is right
	cause   *regexp.Regexp // what the sentence about it must match
}

func (l learner) number() int {
	n, _ := strconv.Atoi(l.lesson[len("step") : len("step")+2])
	return n
}

var only = flag.String("only", "", "check only the programs in testdata whose names match this regular expression")

// Every wrong program applies and builds; most get a sentence that names the
// right cause, and no right program gets any.
func TestLearners(t *testing.T) {
	root := lessontest.NeedSource(t)
	wrong, right := mutants(t, root), rightPrograms(t, root)
	if *only != "" {
		other := func(l learner) bool { return !regexp.MustCompile(*only).MatchString(l.name) }
		wrong, right = slices.DeleteFunc(wrong, other), slices.DeleteFunc(right, other)
	} else if len(wrong) < 40 || len(right) < 12 {
		t.Errorf("there are %d wrong programs and %d right ones, expected 40 and 12", len(wrong), len(right))
	}
	programs := build(t, root, append(wrong, right...))
	lessontest.NeedRoot(t)
	if testing.Short() {
		t.Skip("-short: they are built, not checked")
	}
	results := checkAll(t, append(wrong, right...), programs)

	var table strings.Builder
	named := 0
	for i, l := range wrong {
		verdict := "NOT NAMED"
		if results[i].err == nil && l.cause.MatchString(results[i].sentence) {
			named++
			verdict = "named"
		}
		fmt.Fprintf(&table, "%-9s %-28s %4.1fs  %s\n", verdict, l.name, results[i].took.Seconds(), oneLine(results[i].sentence))
		if verdict != "named" {
			fmt.Fprintf(&table, "%-9s %-28s        expected: %s\n", "", "", l.cause)
		}
	}
	for i, l := range right {
		result := results[len(wrong)+i]
		verdict := "right"
		if result.sentence != "" {
			verdict = "ACCUSED"
			t.Errorf("%s is right, and the verdict is: %s", l.name, oneLine(result.sentence))
		}
		fmt.Fprintf(&table, "%-9s %-28s %4.1fs  %s\n", verdict, l.name, result.took.Seconds(), oneLine(result.sentence))
	}
	t.Logf("%d of %d causes are named.\n%s", named, len(wrong), table.String())
	if 10*named < 9*len(wrong) {
		t.Errorf("%d of %d wrong programs get a sentence that names the right cause, expected nine of ten", named, len(wrong))
	}
}

// A mutant's file begins with what is to be known about it, "# lesson: …". The
// rest is what diff -u says, of the lesson's program, or of one of testdata/right
// when there is a line "# program: pivotroot".
func mutants(t *testing.T, root string) (all []learner) {
	t.Helper()
	names, _ := filepath.Glob("testdata/mutants/*.diff")
	for _, name := range names {
		text := read(t, name)
		header := map[string]string{}
		for strings.HasPrefix(text, "# ") {
			line, rest, _ := strings.Cut(text, "\n")
			key, value, _ := strings.Cut(line[len("# "):], ": ")
			header[key], text = value, rest
		}
		for _, key := range []string{"lesson", "mistake", "cause", "seen"} {
			if header[key] == "" {
				t.Errorf("%s has no line # %s:", name, key)
			}
		}
		cause, err := regexp.Compile("(?is)" + header["cause"])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		source := header["lesson"]
		if program := header["program"]; program != "" {
			source = "internal/check/testdata/right/" + program
		}
		l := learner{
			name:   strings.TrimSuffix(filepath.Base(name), ".diff"),
			lesson: header["lesson"], mistake: header["mistake"], cause: cause,
			files: programFiles(t, filepath.Join(root, source)),
		}
		if err := patch(l.files, source, text); err != nil {
			t.Errorf("%s does not apply: %v", name, err)
			continue
		}
		all = append(all, l)
	}
	return all
}

// rightPrograms are those in testdata/right, whose first line names their lesson,
// and the lessons themselves.
func rightPrograms(t *testing.T, root string) (all []learner) {
	t.Helper()
	lessons, _ := filepath.Glob(root + "/step0*")
	for _, dir := range lessons {
		all = append(all, learner{name: filepath.Base(dir), lesson: filepath.Base(dir), files: programFiles(t, dir)})
	}
	dirs, _ := filepath.Glob("testdata/right/*")
	for _, dir := range dirs {
		l := learner{name: filepath.Base(dir), files: programFiles(t, dir)}
		line, _, _ := strings.Cut(l.files["main.go"], "\n")
		lesson, ok := strings.CutPrefix(line, "// lesson: ")
		if !ok {
			t.Fatalf("%s/main.go does not begin with // lesson:", dir)
		}
		l.lesson = lesson
		all = append(all, l)
	}
	return all
}

// programFiles reads the Go files in a folder, but for tests.
func programFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	paths, _ := filepath.Glob(dir + "/*.go")
	for _, path := range paths {
		if !strings.HasSuffix(path, "_test.go") {
			files[filepath.Base(path)] = read(t, path)
		}
	}
	return files
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// patch applies what diff -u says to the files of the program in a folder. Lines may
// have moved since: a hunk is looked for where its old lines are, which must be one
// place.
func patch(files map[string]string, folder, diff string) error {
	file, hunks := "", 0
	for _, part := range strings.SplitAfter("\n"+diff, "\n@@ ") {
		if _, hunk, ok := strings.Cut(part, " @@\n"); ok && file != "" {
			var before, after string
			for _, line := range strings.SplitAfter(strings.TrimSuffix(hunk, "@@ "), "\n") {
				switch {
				case line == "":
				case line[0] == '-':
					before += line[1:]
				case line[0] == '+':
					after += line[1:]
				case line[0] == ' ':
					before, after = before+line[1:], after+line[1:]
				}
			}
			if n := strings.Count(files[file], before); n != 1 {
				return fmt.Errorf("these lines are in %s/%s %d times:\n%s", folder, file, n, before)
			}
			files[file] = strings.Replace(files[file], before, after, 1)
			hunks++
		}
		if _, path, ok := strings.Cut(part, "\n+++ b/"+folder+"/"); ok {
			file, _, _ = strings.Cut(path, "\n")
		}
	}
	if hunks == 0 {
		return fmt.Errorf("there is nothing in it for a file of %s", folder)
	}
	return nil
}

// build builds the programs, all at once: in the module, by an overlay that has
// them in folders which are not there. Neither a folder's name nor a program's
// tells what is wrong with it.
func build(t *testing.T, root string, learners []learner) (programs []string) {
	t.Helper()
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755) // under sudo the go tool is run as the user who called
	out := dir + "/out/"
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chmod(out, 0o777)
	replace := map[string]string{}
	args := []string{"build", "-buildvcs=false", "-overlay", dir + "/overlay.json", "-o", out}
	for i, l := range learners {
		folder := fmt.Sprintf("learner%d", i)
		args = append(args, "./"+folder)
		for name, text := range l.files {
			file := fmt.Sprintf("%s/%d-%s", dir, i, name)
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			replace[filepath.Join(root, folder, name)] = file
		}
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": replace})
	if err := os.WriteFile(dir+"/overlay.json", overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	openSources(root)
	command, err := lessontest.GoTool(args...)
	if err != nil {
		t.Fatal(err)
	}
	command.Dir = root
	output, err := command.CombinedOutput()
	if err != nil {
		text := regexp.MustCompile(`learner(\d+)`).ReplaceAllStringFunc(string(output), func(folder string) string {
			i, _ := strconv.Atoi(folder[len("learner"):])
			return learners[i].name
		})
		t.Fatalf("not all programs build: %v\n%s", err, text)
	}
	for i := range learners {
		program := fmt.Sprintf("%s/%d/mine", dir, i)
		os.Mkdir(filepath.Dir(program), 0o755)
		if err := os.Rename(fmt.Sprintf("%slearner%d", out, i), program); err != nil {
			t.Fatal(err)
		}
		programs = append(programs, program)
	}
	return programs
}

// openSources lets the go command know that this test depends on what the
// programs are built from, or it would keep the result when that has changed.
func openSources(root string) {
	for _, dir := range []string{"lesson", "narrate", "proc", "rootfs", "trace"} {
		filepath.WalkDir(filepath.Join(root, "internal", dir), func(path string, entry fs.DirEntry, err error) error {
			if file, err := os.Open(path); err == nil {
				file.Close()
			}
			return nil
		})
	}
}

type result struct {
	sentence string
	err      error // the check itself has failed
	took     time.Duration
}

// atOnce is how many programs are checked at the same time: most of the time they
// wait.
const atOnce = 4

// checkAll checks the programs, and returns for each the first thing that is
// wrong with it.
func checkAll(t *testing.T, learners []learner, programs []string) []result {
	t.Helper()
	results := make([]result, len(learners))
	next := make(chan int)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range next {
				start := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				report, err := check.Program(ctx, learners[i].number(), programs[i])
				cancel()
				sentence := report.First()
				if err != nil {
					sentence = "The check itself has failed: " + err.Error()
				}
				results[i] = result{sentence, err, time.Since(start)}
			}
		}()
	}
	for i := range learners {
		next <- i
	}
	close(next)
	workers.Wait()
	return results
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
