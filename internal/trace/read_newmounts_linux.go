package trace

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"golang.org/x/sys/unix"
)

// newMountReaders are for the calls of Linux 5.2 and later that take mount(2) apart:
// each step works on a file descriptor.
func newMountReaders() map[string]reader {
	return map[string]reader{
		"open_tree": func(c *Call, v [6]uint64) []string {
			return []string{c.directory(v[0]), c.path(v[1]), flags(half(v[2]), openTreeFlags)}
		},
		"move_mount": (*Call).readMoveMount,
		"fsopen": func(c *Call, v [6]uint64) []string {
			return []string{c.kind(v[0]), flags(half(v[1]), []flag{{unix.FSOPEN_CLOEXEC, "FSOPEN_CLOEXEC"}})}
		},
		"fsconfig": (*Call).readFsconfig,
		"fsmount": func(c *Call, v [6]uint64) []string {
			return []string{c.descriptor(v[0]), flags(half(v[1]), []flag{{unix.FSMOUNT_CLOEXEC, "FSMOUNT_CLOEXEC"}}), flags(half(v[2]), only(mountAttributes, fsmountAttributes))}
		},
		"fspick": func(c *Call, v [6]uint64) []string {
			return []string{c.directory(v[0]), c.path(v[1]), flags(half(v[2]), fspickFlags)}
		},
		"mount_setattr": func(c *Call, v [6]uint64) []string {
			return []string{c.directory(v[0]), c.path(v[1]), flags(half(v[2]), setattrFlags), c.mountAttributes(v[3], v[4]), strconv.FormatUint(v[4], 10)}
		},
		"statmount": (*Call).readStatmount,
	}
}

// readMoveMount takes for the target what its descriptor is open on, where no path
// follows that.
func (c *Call) readMoveMount(v [6]uint64) []string {
	arguments := []string{c.directory(v[0]), c.source(v[1]), c.directory(v[2]), c.path(v[3]), flags(half(v[4]), moveMountFlags)}
	if c.Path == "" && v[4]&unix.MOVE_MOUNT_T_EMPTY_PATH != 0 {
		c.Path, _ = c.file(v[2])
	}
	return arguments
}

// readFsconfig prints the key and the value where the command has such.
func (c *Call) readFsconfig(v [6]uint64) []string {
	key, value, number := nullOr(v[2], left), nullOr(v[3], left), signed(v[4])
	command := half(v[1])
	if command <= unix.FSCONFIG_SET_FD {
		key = c.optionText(v[2], &c.Kind)
	}
	switch command {
	case unix.FSCONFIG_SET_STRING:
		value = c.optionText(v[3], &c.Value)
	case unix.FSCONFIG_SET_PATH, unix.FSCONFIG_SET_PATH_EMPTY:
		value, number = valueArgument(c, v[3]), c.directory(half(v[4]))
	case unix.FSCONFIG_SET_FD:
		number = c.descriptor(v[4])
	}
	return []string{c.descriptor(v[0]), choice(command, fsconfigCommands), key, value, number}
}

// optionText reads a key or value of an option, of which the kernel takes 256 bytes,
// and strace prints so many.
func (c *Call) optionText(address uint64, content *string) (text string) {
	const most = 256
	text, *content = c.readString(address)
	if len(*content) >= most {
		return Quote((*content)[:most]) + left
	}
	return text
}

// mountAttributes reads struct mount_attr: what is set, what is cleared, the
// propagation, the user namespace whose ids the mount gets.
func (c *Call) mountAttributes(address, length uint64) string {
	const known = unix.MOUNT_ATTR_SIZE_VER0
	b, err := c.memory().Bytes(address, known)
	if length < known || err != nil {
		return nullOr(address, left)
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
	namespace := strconv.FormatUint(word(3), 10)
	if (word(0)|word(1))&unix.MOUNT_ATTR_IDMAP != 0 && word(3) <= math.MaxInt32 {
		namespace = c.descriptor(word(3))
	}
	return fmt.Sprintf("{attr_set=%s, attr_clr=%s, propagation=%s, userns_fd=%s%s}", flags(word(0), mountAttributes),
		flags(word(1), mountAttributes), choice(word(2), propagations), namespace, c.more(address, known, length))
}

// readStatmount reads struct mnt_id_req: which mount, and what is asked of it. Strace
// 6.1 is older than this call; this is how later ones begin.
func (c *Call) readStatmount(v [6]uint64) []string {
	const requestLength = 24 // MNT_ID_REQ_SIZE_VER0
	request := nullOr(v[0], left)
	if b, err := c.memory().Bytes(v[0], requestLength); err == nil {
		size := binary.NativeEndian.Uint32(b)
		request = fmt.Sprintf("{size=%d, mnt_id=%s, param=%s", size, hex(binary.NativeEndian.Uint64(b[8:])), flags(binary.NativeEndian.Uint64(b[16:]), statmountParts))
		request += c.more(v[0], requestLength, uint64(size)) + "}"
	}
	return []string{request, nullOr(v[1], left), strconv.FormatUint(v[2], 10), hex(half(v[3]))}
}
