package proc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLookUp(t *testing.T) {
	dir := t.TempDir()
	program, file := filepath.Join(dir, "program"), filepath.Join(dir, "file")
	os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755)
	os.WriteFile(file, nil, 0o644)
	environment := []string{"HOME=/", "PATH=/nonexistent:" + dir}
	for _, test := range []struct {
		name, want string
		wraps      error
		says       string
	}{
		{"program", program, nil, ""},
		{program, program, nil, ""},
		{"file", "", ErrNotExecutable, file + " cannot be run: EACCES (permission denied)"},
		{dir, "", ErrNotExecutable, "EISDIR"},
		{"nosuch", "", ErrNotFound, "/nonexistent"},
		{"/no/such", "", ErrNotFound, "/no/such"},
		{program + "/x", "", ErrNotFound, program},
		{"", "", ErrNotFound, "empty"},
	} {
		path, err := LookUp(test.name, environment)
		if path != test.want || !errors.Is(err, test.wraps) {
			t.Errorf("LookUp(%q) is %q, %v; expected %q, %v", test.name, path, err, test.want, test.wraps)
		} else if err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("LookUp(%q) says %q, expected it to say %q", test.name, err, test.says)
		}
	}
}
