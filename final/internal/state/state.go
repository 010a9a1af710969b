//go:build linux

// Package state keeps, on disk, what is known of each container, so that
// whatever dies can be found and removed later. A container's folder is made
// before the first thing that it describes, and removed after the last.
//
//	/run/gonsrun/ID/lock         held by the process that looks after the container
//	/run/gonsrun/ID/config.json  the description that it was started from
//	/run/gonsrun/ID/state.json   what has become of it
//	/run/gonsrun/ID/log          what a detached container printed
//
// A folder whose lock nobody holds belongs to a container whose keeper is gone.
package state

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is the folder of one container.
type Dir struct {
	ID   string
	Path string
	lock int // file descriptor, 0 when we do not hold it
}

// Root is the folder of all containers: /run/gonsrun for root, else a folder in
// the user's runtime directory.
func Root() string {
	if os.Geteuid() == 0 {
		return "/run/gonsrun"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && unix.Access(dir, unix.W_OK) == nil {
		return filepath.Join(dir, "gonsrun")
	}
	return fmt.Sprintf("/tmp/gonsrun-%d", os.Geteuid())
}

// NewID returns an id as Docker's: 12 hexadecimal digits.
func NewID() string {
	random := make([]byte, 6)
	unix.Getrandom(random, 0) // so few bytes it always gives, getrandom(2)
	return hex.EncodeToString(random)
}

// Create makes the folder of a new container and holds its lock until this
// process, and each that inherits the lock, has ended.
func Create(id string) (*Dir, error) {
	// Nobody may find the folder without its lock and take it for a dead one's.
	unlock, err := lockAll(".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	root := Root()
	d := &Dir{ID: id, Path: filepath.Join(root, id)}
	building := filepath.Join(root, "."+id)
	if err := os.Mkdir(building, 0o755); err != nil {
		return nil, err
	}
	if d.lock, err = lockFile(building+"/lock", unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, err
	}
	if err := os.Rename(building, d.Path); err != nil {
		return nil, err
	}
	return d, nil
}

// ownRoot makes the folder of all containers, and refuses one that another
// user has put there.
func ownRoot() (string, error) {
	root := Root()
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return "", err
	}
	if err := os.Mkdir(root, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return root, checkOwn(root)
}

// checkOwn refuses a folder that another user has made, or can write to: what
// is in there would be believed, processes be killed and folders be removed.
func checkOwn(root string) error {
	var st unix.Stat_t
	if err := unix.Lstat(root, &st); err != nil {
		return fmt.Errorf("lstat %s: %w", root, err)
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o022 != 0 {
		return fmt.Errorf("%s is not a folder that only you can write to: remove it, or set XDG_RUNTIME_DIR", root)
	}
	return nil
}

func lockFile(path string, how int) (int, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", path, err)
	}
	if err := unix.Flock(fd, how); err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("flock %s: %w", path, err)
	}
	return fd, nil
}

// LockNames holds a lock while a name is looked for and taken, and returns the
// function that lets go of it.
func LockNames() (unlock func(), err error) { return lockAll(".names") }

// lockAll holds a lock over all containers of this user. Whoever waited for a
// file that Tidy has removed meanwhile waits at the new one.
func lockAll(name string) (unlock func(), err error) {
	for range 1000 {
		var root string
		var fd int
		if root, err = ownRoot(); err == nil {
			fd, err = lockFile(filepath.Join(root, name), unix.LOCK_EX)
		}
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Nlink > 0 {
			return func() { unix.Close(fd) }, nil
		}
		unix.Close(fd)
	}
	return nil, err
}

// Tidy removes the folder of all containers if there is none. It takes the lock
// of [LockNames].
func Tidy() {
	if unix.Access(Root(), unix.F_OK) != nil {
		return
	}
	var locks []string
	for _, name := range []string{".names", ".lock"} { // in the order in which a start takes them
		unlock, err := lockAll(name)
		if err != nil {
			return
		}
		defer unlock()
		locks = append(locks, filepath.Join(Root(), name))
	}
	if entries, err := os.ReadDir(Root()); err != nil || len(entries) > len(locks) {
		return
	}
	for _, path := range locks {
		os.Remove(path)
	}
	os.Remove(Root())
}

// Kept reports whether a living process looks after the container. It opens the
// lock for reading: that a file that could be written to was closed is how whoever
// follows the log learns that the keeper has ended.
func (d *Dir) Kept() bool {
	fd, err := unix.Open(d.Path+"/lock", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK
}

// Claim takes the lock of a container that nobody looks after, and reports
// false when somebody does.
func (d *Dir) Claim() bool {
	fd, err := lockFile(d.Path+"/lock", unix.LOCK_EX|unix.LOCK_NB)
	d.lock = fd
	return err == nil
}

// Release lets go of the lock.
func (d *Dir) Release() {
	unix.Close(d.lock)
	d.lock = 0
}

// Save writes value as name.json, in one step: a reader sees the old or the new one.
func (d *Dir) Save(name string, value any) error {
	text, err := json.MarshalIndent(value, "", "\t")
	if err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	path := filepath.Join(d.Path, name+".json")
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Load reads name.json into value.
func (d *Dir) Load(name string, value any) error {
	text, err := os.ReadFile(filepath.Join(d.Path, name+".json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("load %s of %s: %w", name, d.ID, err)
	}
	return nil
}

// Remove removes the folder, and after the last one that of all containers. It
// goes out of sight first, so that nobody finds half of it.
func (d *Dir) Remove() error {
	gone := filepath.Join(filepath.Dir(d.Path), "."+d.ID)
	if err := os.Rename(d.Path, gone); err != nil {
		return err
	}
	err := os.RemoveAll(gone)
	Tidy()
	return err
}

// List returns the folders of all containers. What a killed process left half
// made or half removed is removed.
func List() ([]*Dir, error) {
	root := Root()
	entries, err := os.ReadDir(root)
	if err == nil {
		err = checkOwn(root)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var dirs []*Dir
	for _, entry := range entries {
		path := filepath.Join(root, entry.Name())
		switch {
		case !entry.IsDir():
		case strings.HasPrefix(entry.Name(), "."):
			removeHalf(path)
		default:
			dirs = append(dirs, &Dir{ID: entry.Name(), Path: path})
		}
	}
	return dirs, nil
}

// removeHalf removes a folder that is out of sight. While we hold the lock
// nobody is making it.
func removeHalf(path string) {
	if unlock, err := lockAll(".lock"); err == nil {
		defer unlock()
		os.RemoveAll(path)
	}
}
