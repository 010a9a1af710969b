package trace

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// processReaders are for what makes a process, changes it and waits for it.
func processReaders() map[string]reader {
	return map[string]reader{
		"clone":   (*Call).readClone,
		"clone3":  (*Call).readClone3,
		"fork":    func(*Call, [6]uint64) []string { return []string{} },
		"vfork":   func(*Call, [6]uint64) []string { return []string{} },
		"unshare": func(_ *Call, v [6]uint64) []string { return []string{flags(v[0], only(cloneFlags, unshared))} },
		"setns": func(c *Call, v [6]uint64) []string {
			return []string{c.descriptor(v[0]), flags(half(v[1]), only(cloneFlags, namespaces))}
		},
		"sethostname":   (*Call).readHostname,
		"setdomainname": (*Call).readHostname,
		"execve": func(c *Call, v [6]uint64) []string {
			return []string{c.path(v[0]), c.vector(v[1]), nullOr(v[2], left)}
		},
		"execveat": func(c *Call, v [6]uint64) []string {
			return []string{c.directory(v[0]), c.path(v[1]), c.vector(v[2]), nullOr(v[3], left), flags(half(v[4]), atFlags)}
		},
		"waitid": func(c *Call, v [6]uint64) []string {
			return []string{choice(half(v[0]), waitKinds), c.waitedFor(), nullOr(v[2], left), flags(half(v[3]), waitFlags), nullOr(v[4], left)}
		},
		"wait4": func(c *Call, v [6]uint64) []string {
			return []string{signed(v[0]), nullOr(v[1], left), flags(half(v[2]), waitFlags), nullOr(v[3], left)}
		},
	}
}

// readClone prints the flags in the order of their values, and the signal last.
func (c *Call) readClone(v [6]uint64) []string {
	asked := c.cloned()
	text := flags(asked.flags, cloneFlags)
	if asked.signal != 0 {
		text = strings.TrimPrefix(text+"|", "0|") + signalName(asked.signal)
	}
	arguments := []string{"child_stack=" + nullOr(v[1], left), "flags=" + text}
	if asked.flags&(unix.CLONE_PIDFD|unix.CLONE_PARENT_SETTID) != 0 {
		arguments = append(arguments, "parent_tid="+left)
	}
	if asked.flags&unix.CLONE_SETTLS != 0 {
		arguments = append(arguments, "tls="+left)
	}
	if asked.flags&(unix.CLONE_CHILD_SETTID|unix.CLONE_CHILD_CLEARTID) != 0 {
		arguments = append(arguments, "child_tidptr="+left)
	}
	return arguments
}

func (c *Call) readClone3(v [6]uint64) []string {
	asked := c.cloned()
	if asked.unreadable {
		return []string{nullOr(v[0], left), strconv.FormatUint(v[1], 10)}
	}
	text := "{flags=" + flags(asked.flags, cloneFlags)
	for _, written := range []flag{ // where the kernel writes to
		{unix.CLONE_PIDFD, "pidfd"},
		{unix.CLONE_CHILD_SETTID | unix.CLONE_CHILD_CLEARTID, "child_tid"},
		{unix.CLONE_PARENT_SETTID, "parent_tid"},
	} {
		if asked.flags&written.value != 0 {
			text += ", " + written.name + "=" + left
		}
	}
	return []string{text + ", exit_signal=" + signalName(asked.signal) + ", …}", strconv.FormatUint(v[1], 10)}
}

func (c *Call) readHostname(v [6]uint64) []string {
	return []string{c.bytes(v[0], half(v[1])), unsigned(v[1])}
}
