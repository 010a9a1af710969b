package narrate

import (
	"errors"
	"fmt"
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

// An error of LookUp has the exit status that docker-run(1) has, and a hint.
func TestLookUp(t *testing.T) {
	for name, status := range map[string]int{"nosuch": 127, "": 127, t.TempDir(): 126} {
		if path, err := LookUp(name, []string{"PATH=/nonexistent"}); err == nil || ExitStatus(err) != status || HintFor(err) == "" {
			t.Errorf("LookUp(%q) is %q, %v, exit status %d, hint %q; expected %d", name, path, err, ExitStatus(err), HintFor(err), status)
		}
	}
	if path, err := LookUp("sh", []string{"PATH=/nonexistent:/bin"}); path != "/bin/sh" || err != nil {
		t.Errorf("LookUp(sh) is %q, %v; expected /bin/sh", path, err)
	}
}
