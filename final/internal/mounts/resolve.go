//go:build linux

package mounts

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// resolve returns the real path of destination below root, and makes what is
// missing of it: folders, and at the end a folder, or an empty file.
func resolve(root, destination string, file bool) (string, error) {
	dir, err := openIn(unix.AT_FDCWD, root)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", root, err)
	}
	defer unix.Close(dir)
	return resolveIn(dir, destination, file)
}

// resolveIn is resolve below an open root.
func resolveIn(dir int, destination string, file bool) (string, error) {
	if fd, err := openIn(dir, destination); err == nil {
		defer unix.Close(fd)
		return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	}
	parent, name := filepath.Split(filepath.Clean(destination))
	if name == "" {
		return "", fmt.Errorf("resolve %s in the root file system: %w", destination, unix.ENOENT)
	}
	path, err := resolveIn(dir, parent, false)
	if err != nil {
		return "", err
	}
	path = filepath.Join(path, name)
	if !file {
		err = unix.Mkdir(path, 0o755)
	} else {
		var fd int
		if fd, err = unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644); err == nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return "", fmt.Errorf("make the mount point %s in the root file system: %w", destination, err)
	}
	return path, nil
}

// openIn opens path for its name only, as if dir were /, openat2(2).
func openIn(dir int, path string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC}
	if dir != unix.AT_FDCWD {
		how.Resolve = unix.RESOLVE_IN_ROOT
	}
	return unix.Openat2(dir, path, &how)
}

// WriteFile writes a file below root, and replaces what is there, even a
// symbolic link.
func WriteFile(root, path, content string) error {
	dir, name := filepath.Split(path)
	real, err := resolve(root, dir, false)
	if err != nil {
		return err
	}
	real = filepath.Join(real, name)
	if err := os.Remove(real); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(real, []byte(content), 0o644)
}

// ReadFile reads a small file below root, as the container will see it. It is ""
// when that is not there.
func ReadFile(root, path string) string {
	dir, err := openIn(unix.AT_FDCWD, root)
	if err != nil {
		return ""
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK, Resolve: unix.RESOLVE_IN_ROOT}
	fd, err := unix.Openat2(dir, path, &how)
	if err != nil {
		return ""
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 1<<20))
	return string(text)
}

// Symlink makes the symbolic link name → target below root.
func Symlink(root, target, name string) error {
	dir, base := filepath.Split(name)
	real, err := resolve(root, dir, false)
	if err != nil {
		return err
	}
	return os.Symlink(target, filepath.Join(real, base))
}
