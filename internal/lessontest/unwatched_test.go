//go:build linux

package lessontest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Lessons are plain programs: without the line that has them watched, and the
// import that is then one too many, they build and keep all their promises.
func TestPromisesHoldUnwatched(t *testing.T) {
	root := NeedSource(t)
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755) // who called sudo builds, an ordinary user runs
	os.Chmod(dir, 0o755)
	for _, folder := range lessonFolders(t) {
		name := filepath.Base(folder)
		t.Run(name, func(t *testing.T) {
			source := filepath.Join(folder, "main.go")
			var kept []string
			for _, line := range lines(source) {
				if !strings.Contains(line, "narrate.Watch(source)") && !strings.Contains(line, `"gonsrun/internal/narrate"`) {
					kept = append(kept, line)
				}
			}
			if removed := len(lines(source)) - len(kept); removed != 2 {
				t.Fatalf("%s: %d lines name the narrator, expected 2: the import and narrate.Watch(source)", source, removed)
			}
			unwatched := filepath.Join(dir, name+".go")
			overlay := filepath.Join(dir, name+".json")
			replace, err := json.Marshal(map[string]map[string]string{"Replace": {source: unwatched}})
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{unwatched: strings.Join(kept, "\n") + "\n", overlay: string(replace)} {
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := goBuild(root, filepath.Join(dir, name), "-overlay", overlay, "./"+name); err != nil {
				t.Fatal(err)
			}
			tests := filepath.Join(dir, name+".test")
			if err := goTestBinary(root, tests, "./"+name); err != nil {
				t.Fatal(err)
			}
			promises := exec.Command(tests, "-built", dir, "-test.run", "^TestPromises$", "-test.v", "-test.short="+strconv.FormatBool(testing.Short()))
			promises.Dir = folder
			output, err := promises.CombinedOutput()
			if err != nil || !strings.Contains(string(output), "--- PASS: TestPromises ") {
				t.Errorf("%s without narrate.Watch(source): %v\n%s", name, err, output)
			}
		})
	}
}

// goTestBinary builds the tests of a package.
func goTestBinary(root, binary, folder string) error {
	command, err := GoTool("test", "-c", "-o", binary, folder)
	if err != nil {
		return err
	}
	if caller, ok := sudoCaller(); ok {
		os.Chown(filepath.Dir(binary), caller.uid, caller.gid)
		defer os.Chown(filepath.Dir(binary), 0, 0)
	}
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		return &buildError{command, string(output), err}
	}
	return nil
}
