package narrate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each error that a learner meets has its hint, and its exit status.
func TestHintFor(t *testing.T) {
	const clone = "clone(…, flags=…|CLONE_NEWUTS|SIGCHLD)"
	for _, test := range []struct {
		call   string
		errno  unix.Errno
		hint   string
		status int
	}{
		{`execve("/bin/x", ["x"], …)`, unix.ENOENT, hintInterpreter, 127},
		{`execve("/bin/x", ["x"], …)`, unix.ENOEXEC, hintFormat, 126},
		{`execve("/bin/x", ["x"], …)`, unix.EACCES, hintNotExecutable, 126},
		{`execve("/bin/x", ["x"], …)`, unix.E2BIG, "", 126},
		{clone, unix.ENOSPC, hintNamespaceMax, 125},
		{clone, unix.EINVAL, hintNoNamespace, 125},
		{clone, unix.EAGAIN, hintNoProcess, 125},
		{`mount("proc", "/proc", "proc", 0, NULL)`, unix.ENOENT, hintProcMount, 125},
		{`mkdirat(AT_FDCWD, "/sys/fs/cgroup/x", 0755)`, unix.EROFS, hintReadOnly, 125},
		{`chdir("/")`, unix.EIO, "", 125},
	} {
		err := fmt.Errorf("wrapped: %w", &CallError{Call: test.call, Err: test.errno})
		want, _, _ := strings.Cut(test.hint, "%s")
		if hint := HintFor(err); !strings.HasPrefix(hint, want) || (want == "") != (hint == "") {
			t.Errorf("%v: the hint is %q, expected %q", err, hint, test.hint)
		}
		if status := ExitStatus(err); status != test.status {
			t.Errorf("%v: the exit status is %d, expected %d", err, status, test.status)
		}
	}
	if hint := HintFor(errors.New("something else")); hint != "" {
		t.Errorf("an error of no call has the hint %q", hint)
	}
}

// EPERM has three reasons, and a way out of each of the first two.
func TestHintForEPERM(t *testing.T) {
	defer func(before Config) { config = before }(config)
	config.Program, config.Args = "step03-pid", []string{"run", "/bin/sh", "-c", "echo hi"}
	hint := HintFor(&CallError{Call: "clone(…, flags=…|CLONE_NEWUTS|SIGCHLD)", Err: unix.EPERM})
	switch {
	case os.Geteuid() != 0:
		if want := "\n  go run -exec sudo ./step03-pid run /bin/sh -c 'echo hi'"; !strings.HasSuffix(hint, want) {
			t.Errorf("the hint for an ordinary user is %q, expected it to end with %q", hint, want)
		}
	case !mayAdminister():
		if hint != hintNotPrivileged {
			t.Errorf("the hint for root without CAP_SYS_ADMIN is %q", hint)
		}
	case hint != "":
		t.Errorf("root with CAP_SYS_ADMIN gets the hint %q", hint)
	}
}

// The book explains every hint: all must be in the list, and different.
func TestHints(t *testing.T) {
	hints := Hints()
	for i, hint := range hints {
		if hint == "" || slices.Contains(hints[:i], hint) {
			t.Errorf("hint %d is empty or there twice: %q", i, hint)
		}
	}
	source, err := os.ReadFile("hint_linux.go")
	if err != nil {
		t.Skip("the source is not here")
	}
	block, _, _ := strings.Cut(string(source), "// Hints lists")
	if defined := strings.Count(block, " = \""); defined != len(hints) {
		t.Errorf("%d hints are defined, and Hints lists %d", defined, len(hints))
	}
}

func TestLookUp(t *testing.T) {
	dir := t.TempDir()
	program, file := filepath.Join(dir, "program"), filepath.Join(dir, "file")
	os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755)
	os.WriteFile(file, nil, 0o644)
	environment := []string{"HOME=/", "PATH=/nonexistent:" + dir}
	for _, test := range []struct {
		name, want string
		status     int
		says       string
	}{
		{"program", program, 0, ""},
		{program, program, 0, ""},
		{"file", "", StatusCannotRun, file},
		{dir, "", StatusCannotRun, "EISDIR"},
		{"nosuch", "", StatusNotFound, "/nonexistent"},
		{"/no/such", "", StatusNotFound, "/no/such"},
		{program + "/x", "", StatusNotFound, program},
		{"", "", StatusNotFound, "empty"},
	} {
		path, err := LookUp(test.name, environment)
		if path != test.want || (err == nil) != (test.status == 0) {
			t.Errorf("LookUp(%q) is %q, %v; expected %q", test.name, path, err, test.want)
			continue
		}
		if err != nil && (ExitStatus(err) != test.status || !strings.Contains(err.Error(), test.says) || HintFor(err) == "") {
			t.Errorf("LookUp(%q): exit status %d, %q, hint %q; expected %d and %q", test.name, ExitStatus(err), err, HintFor(err), test.status, test.says)
		}
	}
}
