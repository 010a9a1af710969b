package narrate

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	wholeRoot    = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff"
	dockersRoot  = "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb"
	ordinaryUser = "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000"
	setUserID    = "Uid:\t1000\t0\t0\t0\nCapEff:\t000001ffffffffff"
)

// Each error that a learner meets has its hint.
func TestHint(t *testing.T) {
	for _, test := range []struct {
		call   string
		errno  unix.Errno
		status string
		hint   string
	}{
		{"execve", unix.ENOENT, wholeRoot, hintInterpreter},
		{"execve", unix.ENOEXEC, wholeRoot, hintFormat},
		{"execve", unix.EACCES, ordinaryUser, HintNotExecutable},
		{"execve", unix.E2BIG, wholeRoot, ""},
		{"clone", unix.ENOSPC, wholeRoot, hintNamespaceMax},
		{"clone", unix.EINVAL, wholeRoot, hintNoNamespace},
		{"clone", unix.EAGAIN, wholeRoot, hintNoProcess},
		{"mount", unix.ENOENT, wholeRoot, hintMount},
		{"mkdirat", unix.EROFS, dockersRoot, hintDockersTree},
		{"mkdirat", unix.EROFS, wholeRoot, hintReadOnly}, // a machine of one's own, or the enclosure
		{"mkdirat", unix.EROFS, ordinaryUser, hintReadOnly},
		{"mkdirat", unix.EROFS, "", hintReadOnly},
		{"chdir", unix.EIO, wholeRoot, ""},
		{"clone", unix.EPERM, ordinaryUser, hintNotRoot},
		{"openat", unix.EACCES, ordinaryUser, hintNotRoot},
		{"clone", unix.EPERM, dockersRoot, hintNotPrivileged},
		{"clone", unix.EPERM, wholeRoot, ""},
		{"clone", unix.EPERM, setUserID, ""},
		{"clone", unix.EPERM, "", ""}, // whoever that was, /proc does not say
	} {
		hint := Hint(test.call, test.errno, test.status, "sudo step03-pid run /bin/sh")
		want, _, _ := strings.Cut(test.hint, "%s")
		if !strings.HasPrefix(hint, want) || (want == "") != (hint == "") {
			t.Errorf("%s, %v, %q: the hint is %q, expected %q", test.call, test.errno, test.status, hint, test.hint)
		}
		if test.hint == hintNotRoot && !strings.HasSuffix(hint, "\n  sudo step03-pid run /bin/sh") {
			t.Errorf("%s, %v: the hint does not end with the line to type: %q", test.call, test.errno, hint)
		}
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
