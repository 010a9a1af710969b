//go:build linux

package mounts

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Private cuts the mount namespace's ties to the one it was copied from: until
// then, what is mounted in one may appear in the other.
func Private() error {
	return mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
}

// Overlay mounts, at root, a writable view of the folder lower. What is written
// goes into layers, a folder that holds upper and work. With memory a tmpfs is
// mounted on it: an overlay's upper layer cannot lie on another overlay, and
// Docker's own root is one.
func Overlay(lower, layers, root string, memory bool) error {
	if memory {
		if err := mount("tmpfs", layers, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			return err
		}
	}
	upper, work := layers+"/upper", layers+"/work"
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return mount("overlay", root, "overlay", unix.MS_NODEV, "lowerdir="+escape(lower)+",upperdir="+upper+",workdir="+work)
}

// escape writes a path for overlay's options, where a colon and a comma have a
// meaning of their own.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace(path)
}

// Clone returns a mount of dir, at no place yet: see open_tree(2).
func Clone(dir string) (tree int, err error) {
	tree, err = unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, &os.PathError{Op: "open_tree", Path: dir, Err: err}
	}
	// The copy is a peer of the mount it was made from: without this, what the
	// container mounts on it would appear on the host.
	private := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &private); err != nil {
		unix.Close(tree)
		return -1, &os.PathError{Op: "mount_setattr", Path: dir + ", MS_PRIVATE", Err: err}
	}
	return tree, nil
}

// MapIDs has a mount that has no place yet show files as owned by the users of
// the user namespace of process pid: those of the same numbers as on the host.
// File systems that cannot do that, and kernels before 5.19, show the files as
// nobody's. See mount_setattr(2), ID-mapped mounts.
func MapIDs(tree, pid int) error {
	user, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
	if err != nil {
		return err
	}
	defer user.Close()
	mapping := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(user.Fd())}
	return os.NewSyscallError("mount_setattr MOUNT_ATTR_IDMAP", unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &mapping))
}

// Attach mounts, at target, a mount that has no place yet.
func Attach(tree int, target string) error {
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: target, Err: err}
	}
	return nil
}

// Bind mounts lower itself at root, read-only, for the machines that have no overlay.
func Bind(lower, root string) error {
	if err := mount(lower, root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return mount("none", root, "", unix.MS_RDONLY|unix.MS_REMOUNT|unix.MS_BIND, "")
}

// Pivot makes root the root of the mount namespace, and lets go of the old one.
func Pivot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	// With the new root as the working directory, the old one is stacked on it:
	// it needs no folder of its own in the image, and can be taken away.
	if err := unix.PivotRoot(".", "."); err != nil {
		return &os.PathError{Op: "pivot_root", Path: root, Err: err}
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return &os.PathError{Op: "umount2", Path: "the old root, MNT_DETACH", Err: err}
	}
	return os.Chdir("/")
}

// Chroot is the older way to a new root, kept to show what it lacks: the host's
// tree is still mounted around it, and root can climb out.
func Chroot(root string) error {
	if err := unix.Chroot(root); err != nil {
		return &os.PathError{Op: "chroot", Path: root, Err: err}
	}
	return os.Chdir("/") // the working directory is still outside
}
