package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/gotool"
)

// canLayOut reports whether a folder may be made: only mine, and others whose names
// begin so, which git ignores.
func canLayOut(folder string) bool { return strings.HasPrefix(filepath.Base(folder), "mine") }

// layOut copies a lesson's program into a folder, unless there is one. What it makes
// belongs to who called sudo.
func layOut(root, folder, lesson string) (done bool, err error) {
	if _, err := os.Lstat(folder); err == nil || !canLayOut(folder) {
		return false, nil
	}
	if !slices.Contains(slices.Collect(maps.Values(folders)), lesson) {
		return false, fmt.Errorf("-from %s: there is no lesson of this name. The first one is %s", lesson, folders[1])
	}
	uid, gid := owner(filepath.Dir(folder))
	if err := os.Mkdir(folder, 0o755); err != nil {
		return false, err
	}
	defer os.Chown(folder, uid, gid)
	for _, name := range []string{"main.go", "cgroup.go"} {
		text, err := os.ReadFile(filepath.Join(root, lesson, name))
		if errors.Is(err, os.ErrNotExist) && name != "main.go" {
			continue
		}
		if err != nil {
			return false, err
		}
		path := filepath.Join(folder, name)
		if err := write(path, ownHead(string(text), filepath.Base(folder), lesson), uid, gid); err != nil {
			return false, err
		}
	}
	return true, nil
}

// owner is who called sudo, or else who owns the folder above.
func owner(above string) (uid, gid int) {
	var status unix.Stat_t
	if caller, ok := gotool.SudoCaller(); ok {
		return caller.UID, caller.GID
	}
	if unix.Stat(above, &status) != nil {
		return 0, 0
	}
	return int(status.Uid), int(status.Gid)
}

func write(path, text string, uid, gid int) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Chown(uid, gid), file.Close())
}

// head is the comment that a lesson begins with. Its first word is the program's
// name, in errors and lines to type, too.
var head = regexp.MustCompile(`(?s)\A(//go:build [^\n]*\n\n)?// Step\d\d-.*?\npackage main\n`)

// ownHead puts another head on a lesson's program. It has as many lines, so the line
// numbers in the book are those of the copy, too.
func ownHead(text, name, lesson string) string {
	program := strings.ToUpper(name[:1]) + name[1:]
	return head.ReplaceAllString(text, fmt.Sprintf(`${1}// %s is a container that I build myself. It began as a copy of %s.
//
//	go run -exec sudo ./%s run /bin/sh
//
// Each time that this file is saved,  go run -exec sudo ./docs/learn  says
// what is right, and the one next thing that is wrong.
package main
`, program, lesson, name))
}
