package narrate

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// missing skips a test, with what this machine lacks for it. Where every test
// must run, in CI, that is an error.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// The why of a call is the nearest comment in main.go above a line that makes it,
// in whatever function, and however the program is built.
func TestWhy(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		missing(t, "the go tool is not in PATH")
	}
	for name, flags := range map[string][]string{
		"as usual":                {},
		"stripped, without paths": {"-trimpath", "-ldflags=-s -w"},
		"not optimized":           {"-gcflags=-N -l"},
		"with C, loaded anywhere": {"-tags=withc", "-buildmode=pie"},
	} {
		if testing.Short() && len(flags) > 0 {
			continue // each builds for a while
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withC := strings.Contains(name, "with C")
			if _, err := exec.LookPath("gcc"); withC && err != nil {
				missing(t, "gcc is not installed")
			}
			program := filepath.Join(t.TempDir(), "why")
			build := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), "./testdata/why")...)
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if withC {
				build.Env = append(os.Environ(), "CGO_ENABLED=1")
			}
			if out, err := build.CombinedOutput(); err != nil {
				missing(t, "%v: %v\n%s", build.Args, err, out)
			}
			run := exec.Command(program, "-json", "run", "x")
			var said, errors bytes.Buffer
			run.Stdout, run.Stderr = &errors, &said
			limit := time.AfterFunc(20*time.Second, func() { run.Process.Kill() })
			defer limit.Stop()
			if err := run.Run(); err != nil {
				t.Fatalf("%v\n%s", err, said.String())
			}
			n := 0
			for _, line := range strings.Split(strings.TrimSpace(said.String()), "\n") {
				var r record
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatalf("%v: %q", err, line)
				}
				n++
				why := `"` + r.Why + `"`
				if r.Args == `"/catalogue"` {
					why = `"/catalogue"`
					if r.Why != lookUp(aboutPath("chdir", "/catalogue"), false, true).why {
						t.Errorf("line %d: the why is %q, expected the catalogue's", r.Line, r.Why)
					}
				}
				if r.Call != "chdir" || why != r.Args || r.Errno != "ENOENT" {
					t.Errorf("line %d: the why of %s(%s) is %q", r.Line, r.Call, r.Args, r.Why)
				}
			}
			if n != 15 {
				t.Errorf("%d calls are told, expected 15:\n%s", n, said.String())
			}
		})
	}
}

// A comment is what stands directly above.
func TestComment(t *testing.T) {
	p := &program{}
	p.setSource("// one\n//   two\n\tcall()\n\ncall()\n// three\n\ncall()\n//\ncall()\n//go:noinline\nfunc f() { call() }\n")
	for line, want := range map[int]string{0: "", 1: "", 2: "one", 3: "one two", 4: "", 5: "", 8: "", 10: "", 12: "", 13: "", 1000: ""} {
		if got := p.comment(line); got != want {
			t.Errorf("above line %d: %q, expected %q", line, got, want)
		}
	}
	for text, want := range map[string]bool{"go:noinline": true, "nolint:all": true, " why: a reason": false, "why: a reason": false, "note:": false, ":x": false, "": false} {
		if isDirective(text) != want {
			t.Errorf("%q is a directive: %v", text, !want)
		}
	}
}
