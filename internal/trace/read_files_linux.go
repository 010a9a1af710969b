package trace

import "strconv"

// fileReaders are for folders, files and links.
var fileReaders = map[string]reader{
	"mkdir": func(c *Call, v [6]uint64) []string { return []string{c.path(v[0]), mode(v[1])} },
	"mkdirat": func(c *Call, v [6]uint64) []string {
		return []string{c.directory(v[0]), c.path(v[1]), mode(v[2])}
	},
	"rmdir": func(c *Call, v [6]uint64) []string { return []string{c.path(v[0])} },
	"unlinkat": func(c *Call, v [6]uint64) []string {
		return []string{c.directory(v[0]), c.path(v[1]), flags(half(v[2]), atFlags)}
	},
	"write": func(c *Call, v [6]uint64) []string {
		c.Path, _ = c.file(v[0])
		return []string{c.descriptor(v[0]), c.bytes(v[1], v[2]), strconv.FormatUint(v[2], 10)}
	},
}
