package trace

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// sessionReaders are for sessions, terminals, keyrings and descriptors: what a
// process has from the one that made it.
func sessionReaders() map[string]reader {
	return map[string]reader{
		"setsid":  func(*Call, [6]uint64) []string { return []string{} },
		"setpgid": func(_ *Call, v [6]uint64) []string { return []string{signed(v[0]), signed(v[1])} },
		"keyctl":  (*Call).readKeyctl,
		"ioctl":   (*Call).readIoctl,
		"close_range": func(_ *Call, v [6]uint64) []string {
			return []string{unsigned(v[0]), unsigned(v[1]), flags(half(v[2]), closeRangeFlags)}
		},
	}
}

// readIoctl names the requests for the controlling terminal and for an interface's
// flags, by which some bring lo up. Of the many others the argument is left out.
func (c *Call) readIoctl(v [6]uint64) []string {
	c.Path, _ = c.file(v[0])
	file := c.descriptor(v[0])
	c.Kind = constantName(half(v[1]), requests)
	switch half(v[1]) {
	case unix.TIOCSCTTY:
		return []string{file, c.Kind, signed(v[2])}
	case unix.TIOCNOTTY:
		return []string{file, c.Kind}
	case unix.SIOCSIFFLAGS:
		return []string{file, c.Kind, c.interfaceFlags(v[2])}
	}
	return []string{file, hex(half(v[1])), left}
}

var requests = []constant{{unix.TIOCSCTTY, "TIOCSCTTY"}, {unix.TIOCNOTTY, "TIOCNOTTY"}, {unix.SIOCSIFFLAGS, "SIOCSIFFLAGS"}}

// interfaceFlags reads struct ifreq of netdevice(7), of which the kernel takes 40
// bytes: a name and flags.
func (c *Call) interfaceFlags(address uint64) string {
	const length = 40
	b, err := c.memory().Bytes(address, length)
	if err != nil {
		return nullOr(address, left)
	}
	name := word(b[:unix.IFNAMSIZ])
	c.Value = name[:min(len(name), unix.IFNAMSIZ-1)]
	text := Quote(c.Value)
	if len(name) == unix.IFNAMSIZ {
		text += left
	}
	return fmt.Sprintf("{ifr_name=%s, ifr_flags=%s}", text, flags(uint64(binary.NativeEndian.Uint16(b[unix.IFNAMSIZ:])), interfaceFlags))
}
