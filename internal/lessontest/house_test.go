//go:build linux

package lessontest

import (
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What a lesson may be at most, in lines. The difference to its neighbor is
// what a reader has to learn.
const (
	maxChanged = 30
	maxMain    = 100
	maxMain6   = 120 // step06-cgroups
	maxCgroup  = 150
)

// lessonFolders returns the lessons' folders, in order.
func lessonFolders(t *testing.T) []string {
	t.Helper()
	watchSources()
	folders, _ := filepath.Glob(filepath.Join(NeedSource(t), "step0*"))
	if len(folders) != 6 {
		t.Fatalf("there are six lessons, not %d: %v", len(folders), folders)
	}
	return folders
}

func TestNeighborsDifferInFewLines(t *testing.T) {
	folders := lessonFolders(t)
	for i := range folders[1:] {
		command := exec.Command(NeedTool(t, "diff"), folders[i]+"/main.go", folders[i+1]+"/main.go")
		output, _ := command.Output() // exit status 1: they differ
		changed := 0
		for _, line := range strings.Split(string(output), "\n") {
			if strings.HasPrefix(line, "<") || strings.HasPrefix(line, ">") {
				changed++
			}
		}
		if changed == 0 || changed > maxChanged {
			t.Errorf("%s\n  expected: 1 to %d changed lines\n  seen:     %d\n%s", shellLine(command), maxChanged, changed, output)
		}
	}
}

func TestLessonsAreShort(t *testing.T) {
	for _, folder := range lessonFolders(t) {
		limits := map[string]int{"main.go": maxMain}
		if filepath.Base(folder) == "step06-cgroups" {
			limits = map[string]int{"main.go": maxMain6, "cgroup.go": maxCgroup}
		}
		for file, most := range limits {
			path := filepath.Join(folder, file)
			if n := len(lines(path)); n > most {
				t.Errorf("%s has %d lines, expected %d at most", path, n, most)
			}
		}
	}
}

// TestLessonsImport holds the rule who may know whom.
func TestLessonsImport(t *testing.T) {
	for _, folder := range lessonFolders(t) {
		allowed := []string{"gonsrun/internal/narrate", "gonsrun/internal/lesson", "golang.org/x/sys/unix"}
		if filepath.Base(folder) >= "step04" {
			allowed = append(allowed, "gonsrun/internal/rootfs")
		}
		files, _ := filepath.Glob(filepath.Join(folder, "*.go"))
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Error(err)
				continue
			}
			for _, spec := range parsed.Imports {
				path, _ := strconv.Unquote(spec.Path.Value)
				first, _, _ := strings.Cut(path, "/")
				inProject := first == "gonsrun"
				test := strings.HasSuffix(file, "_test.go") && path == "gonsrun/internal/lessontest"
				if (inProject || strings.Contains(first, ".")) && !slices.Contains(allowed, path) && !test {
					t.Errorf("%s imports %s, expected the standard library or one of %v", file, path, allowed)
				}
			}
		}
	}
}

// TestBuildsEverywhere builds and vets all packages for the systems that
// readers have.
func TestBuildsEverywhere(t *testing.T) {
	root := NeedSource(t)
	watchSources()
	for _, platform := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"} {
		t.Run(platform, func(t *testing.T) {
			system, processor, _ := strings.Cut(platform, "/")
			for _, args := range [][]string{{"build", "-buildvcs=false", "./..."}, {"vet", "./..."}} {
				command, err := GoTool(args...)
				if err != nil {
					Missing(t, "%v", err)
				}
				command.Dir = root
				command.Env = append(command.Env, "GOOS="+system, "GOARCH="+processor)
				if output, err := command.CombinedOutput(); err != nil {
					t.Errorf("GOOS=%s GOARCH=%s %s\n  %v\n%s", system, processor, strings.Join(command.Args, " "), err, output)
				}
			}
		})
	}
}
