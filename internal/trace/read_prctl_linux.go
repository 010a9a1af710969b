package trace

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// privilegeReaders are for what a process may do, and as whom.
func privilegeReaders() map[string]reader {
	return map[string]reader{
		"prctl":   (*Call).readPrctl,
		"capset":  (*Call).readCapset,
		"seccomp": (*Call).readSeccomp,
		"bpf":     (*Call).readBPF,
	}
}

func (c *Call) readPrctl(v [6]uint64) []string {
	option := half(v[0])
	arguments := []string{choice(option, prctlOptions)}
	switch option {
	case unix.PR_SET_SECCOMP:
		return append(arguments, c.seccompMode(v[1:])...)
	case unix.PR_CAP_AMBIENT:
		return append(arguments, c.ambient(v[1:])...)
	}
	for i, print := range prctlArguments(option) {
		arguments = append(arguments, print(c, v[i+1]))
	}
	return arguments
}

// ambient is what follows PR_CAP_AMBIENT: what to do, and with which capability.
func (c *Call) ambient(v []uint64) []string {
	second := hex(v[1])
	switch v[0] {
	case unix.PR_CAP_AMBIENT_RAISE, unix.PR_CAP_AMBIENT_LOWER, unix.PR_CAP_AMBIENT_IS_SET:
		second = capabilityArgument(c, v[1])
	}
	return []string{choice(v[0], ambientNames), second, hex(v[2]), hex(v[3])}
}

// seccompMode is what follows PR_SET_SECCOMP, the older form of seccomp(2).
func (c *Call) seccompMode(v []uint64) []string {
	mode := choice(v[0], []constant{{0, "SECCOMP_MODE_DISABLED"}, {1, "SECCOMP_MODE_STRICT"}, {2, "SECCOMP_MODE_FILTER"}})
	switch v[0] {
	case unix.SECCOMP_MODE_STRICT:
		return []string{mode}
	case unix.SECCOMP_MODE_FILTER:
		return []string{mode, c.filter(v[1])}
	}
	return []string{mode, hex(v[1]), hex(v[2]), hex(v[3])}
}

func (c *Call) readSeccomp(v [6]uint64) []string {
	operation, bits := choice(half(v[0]), seccompOperations), hex(half(v[1]))
	switch half(v[0]) {
	case unix.SECCOMP_SET_MODE_FILTER:
		return []string{operation, flags(half(v[1]), seccompFlags), c.filter(v[2])}
	case unix.SECCOMP_GET_ACTION_AVAIL:
		return []string{operation, bits, c.word32(v[2], func(action uint32) string { return choice(uint64(action), seccompActions) })}
	}
	return []string{operation, bits, nullOr(v[2], left)}
}

// filter reads struct sock_fprog: how many instructions, and where they are.
func (c *Call) filter(address uint64) string {
	program, err := c.memory().Bytes(address, 16)
	if err != nil {
		return nullOr(address, left)
	}
	c.Length = int(binary.NativeEndian.Uint16(program))
	return fmt.Sprintf("{len=%d, filter=%s}", c.Length, nullOr(binary.NativeEndian.Uint64(program[8:]), left))
}

// word32 reads what an argument points to.
func (c *Call) word32(address uint64, print func(uint32) string) string {
	word, err := c.memory().Bytes(address, 4)
	if err != nil {
		return nullOr(address, left)
	}
	return "[" + print(binary.NativeEndian.Uint32(word)) + "]"
}

// Versions of the structures of capset(2): the first has 32 capabilities.
var capabilityVersions = []constant{
	{unix.LINUX_CAPABILITY_VERSION_1, "_LINUX_CAPABILITY_VERSION_1"},
	{unix.LINUX_CAPABILITY_VERSION_2, "_LINUX_CAPABILITY_VERSION_2"},
	{unix.LINUX_CAPABILITY_VERSION_3, "_LINUX_CAPABILITY_VERSION_3"},
}

func (c *Call) readCapset(v [6]uint64) []string {
	header, err := c.memory().Bytes(v[0], 8)
	if err != nil {
		return []string{nullOr(v[0], left), nullOr(v[1], left)}
	}
	version := uint64(binary.NativeEndian.Uint32(header))
	asked := fmt.Sprintf("{version=%s, pid=%d}", choice(version, capabilityVersions), int32(binary.NativeEndian.Uint32(header[4:])))
	words := 3
	if version == unix.LINUX_CAPABILITY_VERSION_2 || version == unix.LINUX_CAPABILITY_VERSION_3 {
		words = 6
	}
	data, err := c.memory().Bytes(v[1], uint64(4*words))
	if err != nil {
		return []string{asked, nullOr(v[1], left)}
	}
	var sets [3]uint64
	for i := range words {
		sets[i%3] |= uint64(binary.NativeEndian.Uint32(data[4*i:])) << (32 * (i / 3))
	}
	c.Caps = &Capabilities{Effective: sets[0], Permitted: sets[1], Inheritable: sets[2]}
	return []string{asked, fmt.Sprintf("{effective=%s, permitted=%s, inheritable=%s}",
		capabilitySet(sets[0]), capabilitySet(sets[1]), capabilitySet(sets[2]))}
}
