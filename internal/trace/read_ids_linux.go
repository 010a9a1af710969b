package trace

import (
	"encoding/binary"
	"strings"
)

// idReaders are for the user and groups of a process, and the owner of a file.
func idReaders() map[string]reader {
	return map[string]reader{
		"setuid":    oneID,
		"setgid":    oneID,
		"setfsuid":  oneID,
		"setfsgid":  oneID,
		"setreuid":  func(_ *Call, v [6]uint64) []string { return []string{id(v[0]), id(v[1])} },
		"setregid":  func(_ *Call, v [6]uint64) []string { return []string{id(v[0]), id(v[1])} },
		"setresuid": func(_ *Call, v [6]uint64) []string { return []string{id(v[0]), id(v[1]), id(v[2])} },
		"setresgid": func(_ *Call, v [6]uint64) []string { return []string{id(v[0]), id(v[1]), id(v[2])} },
		"setgroups": func(c *Call, v [6]uint64) []string { return []string{signed(v[0]), c.groups(v[1], v[0])} },
		"chown":     (*Call).readChown,
		"lchown":    (*Call).readChown,
		"fchown": func(c *Call, v [6]uint64) []string {
			c.Path, _ = c.file(v[0])
			return []string{c.descriptor(v[0]), id(v[1]), id(v[2])}
		},
		"fchownat": func(c *Call, v [6]uint64) []string {
			return []string{c.directory(v[0]), c.path(v[1]), id(v[2]), id(v[3]), flags(half(v[4]), atFlags)}
		},
	}
}

func oneID(_ *Call, v [6]uint64) []string { return []string{id(v[0])} }

func (c *Call) readChown(v [6]uint64) []string { return []string{c.path(v[0]), id(v[1]), id(v[2])} }

// groups reads the list of setgroups(2).
func (c *Call) groups(address, length uint64) string {
	const most = 65536 // NGROUPS_MAX
	length = half(length)
	if length == 0 {
		return nullOr(address, "[]")
	}
	list, err := c.memory().Bytes(address, 4*min(length, most))
	if err != nil || length > most {
		return nullOr(address, left)
	}
	var all []string
	for ; len(list) > 0; list = list[4:] {
		all = append(all, id(uint64(binary.NativeEndian.Uint32(list))))
	}
	return "[" + strings.Join(all, ", ") + "]"
}
