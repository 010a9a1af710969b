//go:build linux

package check_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"gonsrun/internal/check"
	"gonsrun/internal/lessontest"
)

// On every kernel the lessons' own programs keep their promises, and the next
// lesson's exercise is what comes after them.
func TestLessonsKeepTheirPromises(t *testing.T) {
	lessontest.NeedRoot(t)
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	for i, name := range []string{"step01-exec", "step02-uts", "step03-pid", "step04-chroot", "step05-proc", "step06-cgroups"} {
		t.Run(name, func(t *testing.T) {
			program := lessontest.BuiltProgram(name)
			if program == "" {
				program = filepath.Join(dir, name)
				if err := lessontest.Build(filepath.Join(lessontest.NeedSource(t), name), program); err != nil {
					t.Fatal(err)
				}
			}
			report, err := check.Program(context.Background(), i+1, program)
			if err != nil {
				t.Fatal(err)
			}
			if cause := report.First(); cause != "" || !report.Keeps() {
				t.Errorf("a right program is accused: %s\n%v", cause, report.Output)
			}
			t.Logf("checked in %v", report.Took)
			next, err := check.Program(context.Background(), 6, program)
			if err != nil {
				t.Fatal(err)
			}
			if place := next.Place(); place != max(2, i+2) {
				t.Errorf("after %s comes lesson %d, expected %d: %s", name, place, i+2, next.First())
			}
		})
	}
}
