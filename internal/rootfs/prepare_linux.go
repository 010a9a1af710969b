package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Prepare returns the absolute path, without symlinks, of the root file system
// to use: the folder dir, or the default one when dir is "". The default one
// is made when it is not there yet or no longer fits, which takes less than a
// second; note is then one sentence about that, and "" otherwise. An error
// says what to type, on lines of its own.
func Prepare(dir string) (root, note string, err error) {
	if dir != "" {
		root, err = given(dir)
		return root, "", err
	}
	folder, err := Folder()
	if err != nil {
		return "", "", err
	}
	return prepare(folder, searchPath(os.Getenv("PATH")))
}

// Folder returns the folder that the default root file system is kept in. It
// need not be there yet.
func Folder() (string, error) {
	cache, err := cacheFolder(unix.Geteuid(), os.Getenv, "/etc/passwd")
	return filepath.Join(cache, "gonsrun"), err
}

// Empty reports whether dir is a folder with nothing in it.
func Empty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0
}

// howToMakeOne is what to type instead of a folder that cannot be used.
const howToMakeOne = "Leave -rootfs out, and one is made from this machine's own programs. Or make one yourself:\n" +
	"  sudo debootstrap --variant=minbase stable DIR\n" +
	"  mkdir DIR && docker export $(docker create debian) | tar -x -C DIR"

// given checks the folder that the user named.
func given(dir string) (string, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR):
		return "", fmt.Errorf("-rootfs %s: there is no such folder\n%s", dir, howToMakeOne)
	case errors.Is(err, fs.ErrPermission):
		return "", unreadable(dir, err)
	case err != nil:
		return "", fmt.Errorf("-rootfs %s: %w\n%s", dir, err, howToMakeOne)
	case !info.IsDir():
		return "", fmt.Errorf("-rootfs %s: this is a file, and a root file system is a folder\n%s", dir, howToMakeOne)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.R_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return "", unreadable(dir, err)
	}
	if Empty(dir) {
		return "", emptyError(dir)
	}
	return resolve(dir)
}

// emptyError is the error for an empty folder: no command will be found in it.
type emptyError string

// Error says what is wrong, and what to type.
func (dir emptyError) Error() string {
	return fmt.Sprintf("-rootfs %s: this folder is empty, so no command can be found in it\n%s", string(dir), howToMakeOne)
}

// ExitStatus is the one for a command that is not found.
func (emptyError) ExitStatus() int { return 127 }

// unreadable is the error for a folder that this user may not look into.
func unreadable(dir string, err error) error {
	var call *fs.PathError
	if errors.As(err, &call) {
		err = call.Err
	}
	return fmt.Errorf("-rootfs %s: this folder cannot be read by user %d: %w\n"+
		"See who may:  ls -ld %s\n%s", dir, unix.Geteuid(), err, dir, howToMakeOne)
}

// resolve makes dir absolute and free of symlinks.
func resolve(dir string) (string, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("-rootfs %s: %w", dir, err)
	}
	return filepath.EvalSymlinks(absolute)
}

// A store is the folder that the default root file system is kept in, and the
// folders that its programs are looked for in.
type store struct {
	folder string
	dirs   []string
}

func (s store) root() string     { return filepath.Join(s.folder, "rootfs") }
func (s store) manifest() string { return filepath.Join(s.folder, "rootfs.manifest") }

// prepare returns the root file system in folder, made from the programs in
// dirs unless the one that is there still fits.
func prepare(folder string, dirs []string) (root, note string, err error) {
	if err := ownFolder(folder); err != nil {
		return "", "", err
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return "", "", err
	}
	s := store{folder, dirs}
	if s.misfit() == "" {
		return s.root(), "", nil
	}

	unlock, err := s.lock()
	if err != nil {
		return "", "", err
	}
	defer unlock()
	reason := s.misfit() // again: another process may have made it while we waited
	if reason == "" {
		return s.root(), "", nil
	}
	note, err = s.remake(reason)
	return s.root(), note, err
}

// firstTime is the misfit of a root file system that is not there at all.
const firstTime = "there is none yet"

// misfit says why the root file system cannot be used as it is, "" when it
// can. Then it is held: nobody removes it as long as this process lives.
func (s store) misfit() string {
	if _, err := os.Lstat(s.root()); errors.Is(err, fs.ErrNotExist) {
		return firstTime
	}
	m, err := readManifest(s.manifest())
	if err != nil {
		return "what it was made from is not known"
	}
	if reason := m.outdated(s.dirs); reason != "" {
		return reason
	}
	dir, err := openFolder(s.root())
	if err != nil {
		return "it cannot be read"
	}
	if reason := m.damaged(dir); reason != "" {
		unix.Close(dir)
		return reason
	}
	hold(dir)
	return ""
}

// remake builds a root file system beside the place it belongs and then moves
// it there: whoever is killed on the way leaves a temporary folder at most.
// The manifest goes first and comes last, so a root with one is complete.
func (s store) remake(reason string) (note string, err error) {
	start := time.Now()
	defer delaySignals()()
	release() // what we hold ourselves may go
	if err := unmounted(s.root()); err != nil {
		return "", fmt.Errorf("the root file system must be made anew (%s), but %w", reason, err)
	}
	defer func() {
		if left := s.sweep(); left != nil && err == nil {
			note += fmt.Sprintf("; an old one is still there: %v", left)
		}
	}()

	temporary, err := os.MkdirTemp(s.folder, "rootfs.tmp-")
	if err != nil {
		return "", explain(err)
	}
	m, contents, err := build(temporary, s.dirs)
	if err != nil {
		return "", explain(err)
	}
	if err := m.write(temporary + ".manifest"); err != nil {
		return "", explain(err)
	}
	if err := s.replace(temporary); err != nil {
		return "", explain(err)
	}
	if dir, err := openFolder(s.root()); err == nil {
		hold(dir)
	}
	return s.note(reason, contents, time.Since(start)), nil
}

// delaySignals has signals wait until all is at its place, and nothing temporary
// left: the function that it returns sends them once more. Who has taken them over
// gets them at once, too.
func delaySignals() (resume func()) {
	caught := make(chan os.Signal, 8)
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		if !signal.Ignored(sig) {
			signal.Notify(caught, sig)
		}
	}
	return func() {
		signal.Stop(caught)
		select {
		case sig := <-caught:
			unix.Kill(unix.Getpid(), sig.(syscall.Signal))
		default:
		}
	}
}

// replace moves the root file system in temporary to its place.
func (s store) replace(temporary string) error {
	if err := os.Remove(s.manifest()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(s.root(), temporary+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(temporary, s.root()); err != nil {
		return err
	}
	return os.Rename(temporary+".manifest", s.manifest())
}

// note is the sentence about what was made.
func (s store) note(reason, contents string, took time.Duration) string {
	made := "made"
	if reason != firstTime {
		made = "made anew, since " + reason + ","
	}
	return fmt.Sprintf("The default root file system was %s from %s in %.2f s: %s", made, contents, took.Seconds(), s.root())
}

// explain adds to the error of a build what the reader can do.
func explain(err error) error {
	what := "Is that folder yours, and is there room?  df -h"
	if errors.Is(err, errNoShell) {
		what = "Install one:  sudo apt-get install busybox-static"
	}
	return fmt.Errorf("cannot make the root file system: %w\n%s\nOr give a root file system of your own:  -rootfs DIR", err, what)
}
