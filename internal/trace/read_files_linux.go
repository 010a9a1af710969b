package trace

import (
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"
)

// fileReaders are for folders, files and links.
func fileReaders() map[string]reader {
	return map[string]reader{
		"mkdir": func(c *Call, v [6]uint64) []string { return []string{c.path(v[0]), mode(v[1])} },
		"mkdirat": func(c *Call, v [6]uint64) []string {
			return []string{c.directory(v[0]), c.path(v[1]), mode(v[2])}
		},
		"rmdir": func(c *Call, v [6]uint64) []string { return []string{c.path(v[0])} },
		"unlinkat": func(c *Call, v [6]uint64) []string {
			return []string{c.directory(v[0]), c.path(v[1]), flags(half(v[2]), atFlags)}
		},
		"unlink":    func(c *Call, v [6]uint64) []string { return []string{c.path(v[0])} },
		"symlink":   func(c *Call, v [6]uint64) []string { return []string{c.source(v[0]), c.path(v[1])} },
		"symlinkat": func(c *Call, v [6]uint64) []string { return []string{c.source(v[0]), c.directory(v[1]), c.path(v[2])} },
		"mknod":     func(c *Call, v [6]uint64) []string { return c.node(v[0], v[1], v[2]) },
		"mknodat": func(c *Call, v [6]uint64) []string {
			return append([]string{c.directory(v[0])}, c.node(v[1], v[2], v[3])...)
		},
		"open": func(c *Call, v [6]uint64) []string { return c.opened(v[0], v[1], v[2]) },
		"openat": func(c *Call, v [6]uint64) []string {
			return append([]string{c.directory(v[0])}, c.opened(v[1], v[2], v[3])...)
		},
		"openat2": (*Call).readOpenat2,
		"read":    (*Call).readRead,
		"write":   (*Call).readWrite,
		"pwrite64": func(c *Call, v [6]uint64) []string {
			return append(c.readWrite(v), strconv.FormatInt(int64(v[3]), 10))
		},
	}
}

func (c *Call) readWrite(v [6]uint64) []string {
	c.Path, _ = c.file(v[0])
	s := c.socket(v[0])
	if s.protocol == unix.NETLINK_ROUTE {
		c.Messages, _ = c.messages(s, c.some(v[1], v[2]))
	}
	return []string{s.text, c.bytes(v[1], v[2]), strconv.FormatUint(v[2], 10)}
}

func (c *Call) readRead(v [6]uint64) []string {
	c.Path, _ = c.file(v[0])
	c.receives = c.socket(v[0])
	return []string{c.receives.text, nullOr(v[1], left), strconv.FormatUint(v[2], 10)}
}

// answerRead reads what a read has brought.
func (c *Call) answerRead() {
	length := min(uint64(c.Result), c.Values[2])
	c.Arguments[1] = c.bytes(c.Values[1], length)
	if c.receives.protocol == unix.NETLINK_ROUTE {
		c.Messages, _ = c.messages(c.receives, c.some(c.Values[1], length))
	}
}

// node prints what mknod(2) makes: the device's numbers only where the mode says
// that it is one.
func (c *Call) node(path, mode, device uint64) []string {
	arguments := []string{c.path(path), fileMode(mode)}
	switch mode & unix.S_IFMT {
	case unix.S_IFCHR, unix.S_IFBLK:
		device = half(device)
		arguments = append(arguments, "makedev("+hex(uint64(unix.Major(device)))+", "+hex(uint64(unix.Minor(device)))+")")
	}
	return arguments
}

var fileKinds = []constant{{unix.S_IFREG, "S_IFREG"}, {unix.S_IFDIR, "S_IFDIR"}, {unix.S_IFLNK, "S_IFLNK"},
	{unix.S_IFCHR, "S_IFCHR"}, {unix.S_IFBLK, "S_IFBLK"}, {unix.S_IFIFO, "S_IFIFO"}, {unix.S_IFSOCK, "S_IFSOCK"}}

// fileMode prints the kind of file and its permissions.
func fileMode(value uint64) string {
	kind := constantName(value&unix.S_IFMT, fileKinds)
	if kind == "" && value&unix.S_IFMT != 0 {
		return mode(value)
	}
	var text string
	if kind != "" {
		text = kind + "|"
	}
	for _, bit := range []flag{{unix.S_ISUID, "S_ISUID|"}, {unix.S_ISGID, "S_ISGID|"}, {unix.S_ISVTX, "S_ISVTX|"}} {
		if value&bit.value != 0 {
			text += bit.name
		}
	}
	return text + mode(value&0o777)
}

// opened prints the permissions only where a file may be made.
func (c *Call) opened(path, bits, permissions uint64) []string {
	arguments := []string{c.path(path), openFlags(half(bits))}
	if bits&(unix.O_CREAT|realTmpfile) != 0 {
		arguments = append(arguments, mode(permissions))
	}
	return arguments
}

// readOpenat2 reads struct open_how: flags, mode, resolve.
func (c *Call) readOpenat2(v [6]uint64) []string {
	arguments := []string{c.directory(v[0]), c.path(v[1]), nullOr(v[2], left), strconv.FormatUint(v[3], 10)}
	const length = 24
	how, err := c.memory().Bytes(v[2], length)
	if v[3] < length || err != nil {
		return arguments
	}
	bits, permissions, resolve := binary.NativeEndian.Uint64(how), binary.NativeEndian.Uint64(how[8:]), binary.NativeEndian.Uint64(how[16:])
	text := "{flags=" + openFlags(bits)
	if bits&(unix.O_CREAT|realTmpfile) != 0 || permissions != 0 {
		text += ", mode=" + longMode(permissions)
	}
	arguments[2] = text + ", resolve=" + flags(resolve, resolveFlags) + c.more(v[2], length, v[3]) + "}"
	return arguments
}
