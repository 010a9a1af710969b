package trace

import "golang.org/x/sys/unix"

// sessionReaders are for sessions, terminals, keyrings and descriptors: what a
// process has from the one that made it.
var sessionReaders = map[string]reader{
	"setsid":  func(*Call, [6]uint64) []string { return []string{} },
	"setpgid": func(_ *Call, v [6]uint64) []string { return []string{signed(v[0]), signed(v[1])} },
	"keyctl":  (*Call).readKeyctl,
	"ioctl":   (*Call).readIoctl,
	"close_range": func(_ *Call, v [6]uint64) []string {
		return []string{unsigned(v[0]), unsigned(v[1]), flags(half(v[2]), closeRangeFlags)}
	},
}

// readIoctl names the requests for the controlling terminal. Of the many others the
// argument is left out.
func (c *Call) readIoctl(v [6]uint64) []string {
	c.Path, _ = c.file(v[0])
	file := c.descriptor(v[0])
	switch half(v[1]) {
	case unix.TIOCSCTTY:
		return []string{file, "TIOCSCTTY", signed(v[2])}
	case unix.TIOCNOTTY:
		return []string{file, "TIOCNOTTY"}
	}
	return []string{file, hex(half(v[1])), left}
}
