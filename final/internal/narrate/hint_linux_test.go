package narrate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	catalog "gonsrun/internal/narrate"
)

// An error's hint is the catalog's for its call, and its exit status the one
// that docker-run(1) has.
func TestHintFor(t *testing.T) {
	for _, test := range []struct {
		call   string
		errno  unix.Errno
		hint   string
		status int
	}{
		{`execve("/bin/x", ["x"], …)`, unix.ENOENT, "The file is there", 127},
		{`execve("/bin/x", ["x"], …)`, unix.ENOEXEC, "The kernel does not know this format", 126},
		{`execve("/bin/x", ["x"], …)`, unix.EACCES, catalog.HintNotExecutable, 126},
		{`execve("/bin/x", ["x"], …)`, unix.E2BIG, "", 126},
		{"clone(…, flags=…|CLONE_NEWUTS|SIGCHLD)", unix.ENOSPC, "The limit for namespaces", 125},
		{`chdir("/")`, unix.EIO, "", 125},
	} {
		err := fmt.Errorf("wrapped: %w", &CallError{Call: test.call, Err: test.errno})
		if hint := HintFor(err); !strings.HasPrefix(hint, test.hint) || (test.hint == "") != (hint == "") {
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
