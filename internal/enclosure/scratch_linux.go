package enclosure

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	scratchPrefix = "gonsrun-test-"
	scratchLock   = "lock"
)

// Scratch makes a folder for what is done in enclosures. It is in use as long as
// somebody holds the lock in it.
func Scratch() (dir string, lock *os.File, err error) {
	if dir, err = os.MkdirTemp("", scratchPrefix); err != nil {
		return "", nil, err
	}
	// It gets its name when it is held, so that nobody sees it free before.
	name := filepath.Join(dir, scratchLock)
	if lock, err = os.Create(name + ".new"); err != nil {
		return "", nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", nil, err
	}
	return dir, lock, os.Rename(name+".new", name)
}

// Sweep removes what was left by programs of ours that were killed: their scratch
// folders, which nobody holds any more, and their cgroups.
func Sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), scratchPrefix+"*"))
	for _, dir := range dirs {
		var st unix.Stat_t
		if unix.Lstat(dir, &st) != nil || int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, scratchLock), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			names := map[string]bool{}
			for _, tree := range Trees() {
				groups, _ := filepath.Glob(filepath.Join(tree.Dir, groupName("*", dir)))
				for _, group := range groups {
					names[filepath.Base(group)] = true
				}
			}
			for name := range names {
				removeGroups(name)
			}
			os.RemoveAll(dir)
		}
		lock.Close()
	}
}
