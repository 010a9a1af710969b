//go:build linux

// Package mounts builds the tree of files that a container sees: a private
// mount namespace, a root that is thrown away at the end, and what is mounted
// in it. All of it happens in the container's own mount namespace, so that the
// kernel removes every mount with the last process in there.
package mounts

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount is one mount, named as in the OCI runtime-spec (config.md, Mounts).
type Mount struct {
	Destination string   `json:"destination"` // in the container, absolute
	Type        string   `json:"type,omitempty"`
	Source      string   `json:"source,omitempty"`
	Options     []string `json:"options,omitempty"` // as in mount(8)
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

// mount is mount(2), with an error that names what was to be mounted, where and how.
func mount(source, target, kind string, bits uintptr, data string) error {
	err := unix.Mount(source, target, kind, bits, data)
	if err == nil {
		return nil
	}
	what := source + " on " + target
	var names []string
	for _, flag := range flags {
		if bits&flag.bit != 0 {
			names = append(names, flag.name)
		}
	}
	if names != nil {
		what += ", " + strings.Join(names, "|")
	}
	if data != "" {
		what += fmt.Sprintf(", %q", data)
	}
	return &os.PathError{Op: "mount", Path: what, Err: err}
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
		return mount(m.Source, target, m.Type, bits, data)
	}
	if err := mount(m.Source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	bits &^= unix.MS_BIND | unix.MS_REC
	if bits == 0 {
		return nil
	}
	// A bind mount takes its options only in a second step.
	locked := lockedFlags(target)
	return mount("none", target, "", bits|locked|unix.MS_REMOUNT|unix.MS_BIND, "")
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
			err = mount("tmpfs", path, "tmpfs", unix.MS_RDONLY, "size=0")
		} else {
			err = mount("/dev/null", path, "", unix.MS_BIND, "")
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
		if err := mount(path, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return err
		}
		if err := remountReadOnly(path); err != nil {
			return err
		}
	}
	return nil
}

// ReadOnlyRoot makes the root itself read-only; what is mounted in it stays as it is.
func ReadOnlyRoot() error { return remountReadOnly("/") }

func remountReadOnly(path string) error {
	return mount("none", path, "", lockedFlags(path)|unix.MS_RDONLY|unix.MS_REMOUNT|unix.MS_BIND, "")
}
