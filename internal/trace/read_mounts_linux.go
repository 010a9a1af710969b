package trace

import (
	"strings"

	"golang.org/x/sys/unix"
)

// mountReaders are for the mounts and the root.
func mountReaders() map[string]reader {
	return map[string]reader{
		"mount": (*Call).readMount,
		"umount2": func(c *Call, v [6]uint64) []string {
			return []string{c.path(v[0]), flags(half(v[1]), umountFlags)}
		},
		"pivot_root": func(c *Call, v [6]uint64) []string { return []string{c.path(v[0]), c.string(v[1])} },
		"chroot":     func(c *Call, v [6]uint64) []string { return []string{c.path(v[0])} },
		"chdir":      func(c *Call, v [6]uint64) []string { return []string{c.path(v[0])} },
		"fchdir":     (*Call).readFchdir,
	}
}

func (c *Call) readFchdir(v [6]uint64) []string {
	c.Path, _ = c.file(v[0])
	return []string{c.descriptor(v[0])}
}

// readMount prints the type and the data only where the kernel looks at them.
func (c *Call) readMount(v [6]uint64) []string {
	source, target := c.source(v[0]), c.path(v[1])
	kind, data := nullOr(v[2], left), nullOr(v[4], left)
	const (
		ignoresData = unix.MS_BIND | unix.MS_MOVE | unix.MS_SHARED | unix.MS_PRIVATE | unix.MS_SLAVE | unix.MS_UNBINDABLE
		ignoresKind = unix.MS_REMOUNT | ignoresData
	)
	if c.MountFlags()&ignoresKind == 0 {
		kind = c.kind(v[2])
	}
	if c.MountFlags()&unix.MS_REMOUNT != 0 || c.MountFlags()&ignoresData == 0 {
		data = valueArgument(c, v[4])
	}
	return []string{source, target, kind, mountText(v[3]), data}
}

// mountMagic in the upper half of mount's flags means nothing: programs of before
// 2001 set it. See mount(2), MS_MGC_VAL.
const mountMagic = 0xc0ed0000

func hasMagic(value uint64) bool { return value&0xffff0000 == mountMagic }

// MountFlags are the flags of a mount, as the kernel takes them.
func (c *Call) MountFlags() uint64 {
	if hasMagic(c.Values[3]) {
		return c.Values[3] &^ 0xffff0000
	}
	return c.Values[3]
}

// mountText prints the flags of mount(2).
func mountText(value uint64) string {
	if !hasMagic(value) {
		return flags(value, mountFlags)
	}
	return strings.TrimSuffix("MS_MGC_VAL|"+flags(value&^mountMagic, mountFlags), "|0")
}
