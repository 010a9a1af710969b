//go:build linux

// Package mounts builds the tree of files that a container sees: a private
// mount namespace, a root that is thrown away at the end, and what is mounted
// in it. All of it happens in the container's own mount namespace, so that the
// kernel removes every mount with the last process in there.
package mounts

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/narrate"
)

// Mount is one mount, named as in the OCI runtime-spec (config.md, Mounts).
type Mount struct {
	Destination string   `json:"destination"` // in the container, absolute
	Type        string   `json:"type,omitempty"`
	Source      string   `json:"source,omitempty"`
	Options     []string `json:"options,omitempty"` // as in mount(8)

	Why string `json:"-"` // for the narration
}

// flags of mount(2), in the order in which strace prints them.
var flags = []struct {
	bit          uintptr
	name, option string
}{
	{unix.MS_RDONLY, "MS_RDONLY", "ro"},
	{unix.MS_NOSUID, "MS_NOSUID", "nosuid"},
	{unix.MS_NODEV, "MS_NODEV", "nodev"},
	{unix.MS_NOEXEC, "MS_NOEXEC", "noexec"},
	{unix.MS_REMOUNT, "MS_REMOUNT", "remount"},
	{unix.MS_NOATIME, "MS_NOATIME", "noatime"},
	{unix.MS_BIND, "MS_BIND", "bind"},
	{unix.MS_REC, "MS_REC", ""},
	{unix.MS_PRIVATE, "MS_PRIVATE", ""},
	{unix.MS_RELATIME, "MS_RELATIME", "relatime"},
	{unix.MS_STRICTATIME, "MS_STRICTATIME", "strictatime"},
}

// mount narrates one mount(2).
func mount(why, source, target, kind string, bits uintptr, data string) error {
	var names []string
	for _, flag := range flags {
		if bits&flag.bit != 0 {
			names = append(names, flag.name)
		}
	}
	text := "0"
	if names != nil {
		text = strings.Join(names, "|")
	}
	dataText := "NULL"
	if data != "" {
		dataText = narrate.Quote(data)
	}
	kindText := narrate.Quote(kind)
	if kind == "" {
		kindText = "…" // the kernel does not look at it
	}
	return narrate.Try(why,
		fmt.Sprintf("mount(%s, %s, %s, %s, %s)", narrate.Quote(source), short(target), kindText, text, dataText),
		func() error { return unix.Mount(source, target, kind, bits, data) })
}

// below is the folder that paths are narrated from: "…/dev/pts".
var below string

// short writes a path for the narration.
func short(path string) string {
	if rest, ok := strings.CutPrefix(path, below+"/"); ok && below != "" {
		return `"…/` + narrate.Quote(rest)[1:]
	}
	return narrate.Quote(path)
}

// Private cuts the mount namespace's ties to the one it was copied from.
func Private() error {
	return mount("The new mount namespace is a copy of the host's, and what is mounted in one still appears in the other. Private: no mount made here reaches the host.",
		"none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
}

// Overlay mounts, at root, a writable view of the folder lower. What is written
// goes into layers, a folder that holds upper and work. With memory a tmpfs is
// mounted on it: an overlay's upper layer cannot lie on another overlay, and
// Docker's own root is one.
func Overlay(lower, layers, root string, memory bool) error {
	if memory {
		err := mount("What the container writes goes into memory, and is gone with it.",
			"tmpfs", layers, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
		if err != nil {
			return err
		}
	}
	upper, work := layers+"/upper", layers+"/work"
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			return err
		}
	}
	defer func() { below = root }()
	return mount("An overlay is two folders seen as one: the root file system below, never written to, and the upper one.",
		"overlay", root, "overlay", unix.MS_NODEV, "lowerdir="+escape(lower)+",upperdir="+upper+",workdir="+work)
}

// escape writes a path for overlay's options, where a colon and a comma have a
// meaning of their own.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace(path)
}

// Mapped returns a mount of dir, at no place yet, on which the users of the
// user namespace of process pid own what the users of the same numbers own in
// dir. File systems that cannot do that, and kernels before 5.19, show the
// files as nobody's. See mount_setattr(2), ID-mapped mounts.
func Mapped(dir string, pid int) (int, error) {
	tree, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("open_tree %s: %w", dir, err)
	}
	// The copy is a peer of the mount it was made from: without this, what the
	// container mounts on it would appear on the host.
	private := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &private); err != nil {
		unix.Close(tree)
		return 0, fmt.Errorf("mount_setattr %s, MS_PRIVATE: %w", dir, err)
	}
	user, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
	if err != nil {
		unix.Close(tree)
		return 0, err
	}
	defer user.Close()
	mapping := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(user.Fd())}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &mapping); err != nil {
		narrate.Note("Files of the root file system will be nobody's in there: %v.", err)
	}
	return tree, nil
}

// Attach mounts, at target, a mount that has no place yet.
func Attach(tree int, target string) error {
	return narrate.Try("The root file system was handed over as a mount without a place, on which root is this namespace's root.",
		fmt.Sprintf("move_mount(…, \"\", AT_FDCWD, %s, MOVE_MOUNT_F_EMPTY_PATH)", narrate.Quote(target)),
		func() error { return unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH) })
}

// Bind mounts lower itself at root, for the machines that have no overlay.
func Bind(lower, root string) error {
	err := mount("The root file system itself becomes the container's root.", lower, root, "", unix.MS_BIND|unix.MS_REC, "")
	if err != nil {
		return err
	}
	return mount("Without an overlay nothing may be written to it.", "none", root, "", unix.MS_RDONLY|unix.MS_REMOUNT|unix.MS_BIND, "")
}

// In makes one mount below root. Its destination is made when it is missing,
// and is resolved as if root were /: no symbolic link in the image leads out.
func In(root string, m Mount) error {
	bits, data := parse(m.Options)
	file := bits&unix.MS_BIND != 0 && !isFolder(m.Source)
	target, err := resolve(root, m.Destination, file)
	if err != nil {
		return err
	}
	if bits&unix.MS_BIND == 0 {
		return mount(m.Why, m.Source, target, m.Type, bits, data)
	}
	if err := mount(m.Why, m.Source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	bits &^= unix.MS_BIND | unix.MS_REC
	if bits == 0 {
		return nil
	}
	locked := lockedFlags(target)
	return mount("A bind mount takes its options only in a second step.", "none", target, "", bits|locked|unix.MS_REMOUNT|unix.MS_BIND, "")
}

// parse separates mount(8)'s options into the flags of mount(2) and the rest,
// which is for the file system.
func parse(options []string) (bits uintptr, data string) {
	var rest []string
next:
	for _, option := range options {
		if option == "rbind" {
			bits |= unix.MS_BIND | unix.MS_REC
			continue
		}
		for _, flag := range flags {
			if flag.option == option {
				bits |= flag.bit
				continue next
			}
		}
		if option != "rw" {
			rest = append(rest, option)
		}
	}
	return bits, strings.Join(rest, ",")
}

// lockedFlags are those that a mount already has: in a user namespace a remount
// must not leave out any, mount_namespaces(7).
func lockedFlags(path string) (bits uintptr) {
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) != nil {
		return 0
	}
	for _, flag := range []struct{ st, ms uintptr }{
		{unix.ST_RDONLY, unix.MS_RDONLY}, {unix.ST_NOSUID, unix.MS_NOSUID}, {unix.ST_NODEV, unix.MS_NODEV},
		{unix.ST_NOEXEC, unix.MS_NOEXEC}, {unix.ST_NOATIME, unix.MS_NOATIME}, {unix.ST_RELATIME, unix.MS_RELATIME},
	} {
		if uintptr(fs.Flags)&flag.st != 0 {
			bits |= flag.ms
		}
	}
	return bits
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

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
	path := filepath.Join(real, base)
	return narrate.Try("", fmt.Sprintf("symlinkat(%s, AT_FDCWD, %s)", narrate.Quote(target), short(path)),
		func() error { return unix.Symlinkat(target, unix.AT_FDCWD, path) })
}

// Pivot makes root the root of the mount namespace, and lets go of the old one.
func Pivot(root string) error {
	err := narrate.Try("Step to where the new root is, so that the old and the new one can swap places.",
		fmt.Sprintf("chdir(%s)", narrate.Quote(root)),
		func() error { return unix.Chdir(root) })
	if err != nil {
		return err
	}
	err = narrate.Try("The root of the whole mount namespace becomes this folder. The old root is stacked on it: unlike with chroot, it can be taken away.",
		`pivot_root(".", ".")`,
		func() error { return unix.PivotRoot(".", ".") })
	if err != nil {
		return err
	}
	err = narrate.Try("The old root goes, and with it every path to the host.",
		`umount2(".", MNT_DETACH)`,
		func() error { return unix.Unmount(".", unix.MNT_DETACH) })
	if err != nil {
		return err
	}
	return Enter("/", "Now there is only one root.")
}

// Enter makes dir the working directory.
func Enter(dir, why string) error {
	return narrate.Try(why, fmt.Sprintf("chdir(%s)", narrate.Quote(dir)), func() error { return unix.Chdir(dir) })
}

// Chroot is the older way to a new root, kept to show what it lacks.
func Chroot(root string) error {
	err := narrate.Try("Paths begin here from now on. The host's tree is still mounted: root can climb out.",
		fmt.Sprintf("chroot(%s)", narrate.Quote(root)), func() error { return unix.Chroot(root) })
	if err != nil {
		return err
	}
	return Enter("/", "The working directory is still outside: leave it.")
}

// Mask hides paths: a file behind /dev/null, a folder behind an empty tmpfs.
// Those that do not exist are left out.
func Mask(paths []string) error {
	for _, path := range paths {
		var st unix.Stat_t
		if unix.Lstat(path, &st) != nil {
			continue
		}
		var err error
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			err = mount("", "tmpfs", path, "tmpfs", unix.MS_RDONLY, "size=0")
		} else {
			err = mount("", "/dev/null", path, "", unix.MS_BIND, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ReadOnly makes paths read-only, by binding each to itself. Those that do not
// exist are left out.
func ReadOnly(paths []string) error {
	for _, path := range paths {
		if unix.Access(path, unix.F_OK) != nil {
			continue
		}
		if err := mount("", path, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return err
		}
		if err := remountReadOnly(path, ""); err != nil {
			return err
		}
	}
	return nil
}

// ReadOnlyRoot makes the root itself read-only; what is mounted in it stays as it is.
func ReadOnlyRoot() error {
	return remountReadOnly("/", "Nothing more is to be written to the root.")
}

func remountReadOnly(path, why string) error {
	return mount(why, "none", path, "", lockedFlags(path)|unix.MS_RDONLY|unix.MS_REMOUNT|unix.MS_BIND, "")
}
