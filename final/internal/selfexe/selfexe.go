//go:build linux

// Package selfexe gives a container a copy of this program that it cannot
// write to.
//
// The container's side is this very program, until its execve. Whoever can
// make it run once more in the container, as /proc/self/exe, can open that
// file, and with the rights of root overwrite the program on the host
// (CVE-2019-5736). So the container's side is started through a read-only
// mount of the file that is attached nowhere, or, without the right to mount,
// from a sealed copy in memory.
package selfexe

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// aboveFiles is above every descriptor that a new process is given: until its
// execve, these are put in place over what was there.
const aboveFiles = 64

// Open returns a file descriptor of the protected program. Start it as
// /proc/self/fd/N; the descriptor can be closed then.
func Open() (int, error) {
	fd, err := readOnlyMount()
	if err != nil {
		fd, err = sealedCopy()
	}
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	above, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, aboveFiles)
	if err != nil {
		return 0, fmt.Errorf("fcntl(F_DUPFD_CLOEXEC, %d): %w; allow more open files:\n  ulimit -n 1024", aboveFiles, err)
	}
	return above, nil
}

// readOnlyMount clones the mount that the program's file is on, for that file
// alone, and makes it read-only: open_tree(2), mount_setattr(2), Linux 5.12.
func readOnlyMount() (int, error) {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return 0, err
	}
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attributes); err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// sealedCopy copies the program into memory that nobody can change any more,
// memfd_create(2).
func sealedCopy() (int, error) {
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		return 0, fmt.Errorf("open /proc/self/exe: %w", err)
	}
	defer program.Close()
	fd, err := unix.MemfdCreate("final", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return 0, fmt.Errorf("memfd_create: %w", err)
	}
	copied := os.NewFile(uintptr(fd), "final")
	defer copied.Close()
	for { // not with io.Copy, which takes it through our own memory in small pieces
		n, err := unix.Sendfile(fd, int(program.Fd()), nil, 1<<30)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("copy this program into memory: sendfile: %w", err)
		}
		if n == 0 {
			break
		}
	}
	if _, err := unix.FcntlInt(copied.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return 0, fmt.Errorf("seal the copy of this program: %w", err)
	}
	// Opened again for reading: a program that is open for writing cannot be run.
	return unix.Open(fmt.Sprintf("/proc/self/fd/%d", copied.Fd()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
}
