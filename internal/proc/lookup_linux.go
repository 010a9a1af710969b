package proc

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotFound and ErrNotExecutable are what LookUp's errors wrap.
var (
	ErrNotFound      = errors.New("command not found")
	ErrNotExecutable = errors.New("cannot be run")
)

// LookUp returns the path of the command name as execve(2) needs it: looked for
// in the PATH of environment, unless it holds a slash. The error wraps
// ErrNotFound, or ErrNotExecutable for a file that is there and cannot be run.
func LookUp(name string, environment []string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("%w: its name is empty", ErrNotFound)
	}
	candidates, where := []string{name}, ""
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, variable := range environment {
			if list, ok := strings.CutPrefix(variable, "PATH="); ok {
				where = list
			}
		}
		for _, dir := range strings.Split(where, ":") {
			candidates = append(candidates, dir+"/"+name)
		}
	}
	var refused error
	for _, path := range candidates {
		err := executable(path)
		if err == nil {
			return path, nil
		}
		if where != "" && !canSee(path) {
			continue // as for a shell: what is in a folder that is closed to us is not found
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			refused = fmt.Errorf("%s %w: %s (%w)", path, ErrNotExecutable, unix.ErrnoName(err.(unix.Errno)), err)
		}
	}
	switch {
	case refused != nil:
		return "", refused
	case where != "":
		return "", fmt.Errorf("%w: %s is in none of the folders of PATH, %s", ErrNotFound, name, strings.ReplaceAll(where, ":", " "))
	}
	return "", fmt.Errorf("%w: %s does not exist", ErrNotFound, name)
}

// canSee reports whether the folders on the way to a file are open to us.
func canSee(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) != unix.EACCES
}

// executable says why path cannot be run, nil when it can.
func executable(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	return unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS)
}
