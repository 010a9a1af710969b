package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// lock waits until nobody else makes a root file system in this folder.
func (s store) lock() (unlock func(), err error) {
	path := filepath.Join(s.folder, "rootfs.lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, explain(err)
	}
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, unix.EINTR) {
			file.Close()
			return nil, explain(fmt.Errorf("flock %s: %w", path, err))
		}
	}
}

// held is the root file system that this process uses, with a shared lock on
// it: a container in there may live as long as this process does, and keeps
// its programs even if the root file system is made anew meanwhile.
var held struct {
	sync.Mutex
	is  bool
	dir int // a file descriptor
}

// hold keeps dir, instead of what was held before. A file system that has no
// locks for folders (NFS) does without.
func hold(dir int) {
	_ = unix.Flock(dir, unix.LOCK_SH|unix.LOCK_NB)
	release()
	held.Lock()
	defer held.Unlock()
	held.dir, held.is = dir, true
}

// openFolder opens a folder. It does so without the runtime's poller, which
// os.Open asks first, and which a folder has no use for.
func openFolder(path string) (int, error) {
	return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// release gives up what hold keeps.
func release() {
	held.Lock()
	defer held.Unlock()
	if held.is {
		unix.Close(held.dir)
		held.is = false
	}
}

// inUse reports whether a process holds the root file system dir.
func inUse(dir string) bool {
	file, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// sweep removes what builds have left: temporary folders of those that were
// killed, and old root file systems that nobody uses any more.
func (s store) sweep() error {
	left, err := filepath.Glob(filepath.Join(s.folder, "rootfs.tmp-*"))
	for _, path := range left {
		if !inUse(path) {
			err = errors.Join(err, removeTree(path))
		}
	}
	return err
}

// removeTree removes path and what is in it, but follows no mount.
func removeTree(path string) error {
	if err := unmounted(path); err != nil {
		return err
	}
	if os.RemoveAll(path) == nil {
		return nil
	}
	// An ordinary user cannot empty a folder without its w and x permission.
	filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(name, 0o700)
		}
		return err
	})
	return os.RemoveAll(path)
}

// unmounted returns an error when something is mounted on path or below it:
// removing the tree would remove what is mounted there, which may be the
// user's home. path is absolute and has no symlinks.
func unmounted(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("whether something is mounted in %s cannot be seen: %w", path, err)
	}
	for _, point := range mountPoints(string(data)) {
		if point == path || strings.HasPrefix(point, path+"/") {
			return fmt.Errorf("something is mounted on %s. Type:\n  sudo umount '%s'", point, point)
		}
	}
	return nil
}

// mountPoints returns the fifth field of each line of a mountinfo file, see
// proc_pid_mountinfo(5). The last mounted comes first: it must be unmounted first.
func mountPoints(mountinfo string) []string {
	var points []string
	for line := range strings.Lines(mountinfo) {
		if field := strings.Fields(line); len(field) > 4 {
			points = append([]string{unescape(field[4])}, points...)
		}
	}
	return points
}

// unescape undoes the octal escapes of mountinfo, as \040 for a space.
func unescape(field string) string {
	var text strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] == '\\' && i+3 < len(field) {
			if code, err := strconv.ParseUint(field[i+1:i+4], 8, 8); err == nil {
				text.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		text.WriteByte(field[i])
	}
	return text.String()
}
