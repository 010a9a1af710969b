package trace

import (
	"fmt"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// hex prints a number as strace does: 0 is no address.
func hex(value uint64) string {
	if value == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", value)
}

// half is an argument that the kernel takes 32 bits of. What stands in the rest of
// the register does not count.
func half(value uint64) uint64 { return uint64(uint32(value)) }

// signed and unsigned print such an argument.
func signed(value uint64) string   { return strconv.Itoa(int(int32(value))) }
func unsigned(value uint64) string { return strconv.FormatUint(half(value), 10) }

// id prints a user's or group's id: -1 stands for none.
func id(value uint64) string {
	if half(value) == 0xffffffff {
		return "-1"
	}
	return unsigned(value)
}

func nullOr(value uint64, text string) string {
	if value == 0 {
		return "NULL"
	}
	return text
}

// mode prints permissions, of which the kernel takes 16 bits.
func mode(value uint64) string { return fmt.Sprintf("%#03o", value&0xffff) }

// argument prints one argument of a call.
type argument func(c *Call, value uint64) string

// longMode prints permissions that the kernel takes all of.
func longMode(value uint64) string { return fmt.Sprintf("%#03o", value) }

// Arguments that need no call.
func hexArgument(_ *Call, value uint64) string          { return hex(value) }
func decimalArgument(_ *Call, value uint64) string      { return strconv.FormatUint(value, 10) }
func signedArgument(_ *Call, value uint64) string       { return strconv.FormatInt(int64(value), 10) }
func signedHalfArgument(_ *Call, value uint64) string   { return signed(value) }
func unsignedHalfArgument(_ *Call, value uint64) string { return unsigned(value) }
func idArgument(_ *Call, value uint64) string           { return id(value) }
func addressArgument(_ *Call, value uint64) string      { return nullOr(value, left) }
func leftArgument(*Call, uint64) string                 { return left }

func signalArgument(_ *Call, value uint64) string {
	const most = 128
	if value > most {
		return strconv.FormatUint(value, 10)
	}
	return signalName(syscall.Signal(value))
}

func capabilityArgument(_ *Call, value uint64) string {
	if value > 63 {
		return hex(value)
	}
	return CapabilityName(int(value))
}

func ptracerArgument(_ *Call, value uint64) string {
	if half(value) == 0xffffffff {
		return "PR_SET_PTRACER_ANY"
	}
	return signed(value)
}

func stringArgument(c *Call, value uint64) string { return c.string(value) }

// valueArgument is a string that is what the call is about.
func valueArgument(c *Call, value uint64) (text string) {
	text, c.Value = c.readString(value)
	return text
}

// nameArgument is a thread's name, of which the kernel takes 15 bytes.
func nameArgument(c *Call, value uint64) (text string) {
	const most = 15
	text, c.Value = c.readString(value)
	if len(c.Value) >= most { // strace does not look whether it ends there
		c.Value = c.Value[:most]
		return Quote(c.Value) + left
	}
	return text
}

// numbers are four arguments of which nothing is known.
var numbers = []argument{hexArgument, hexArgument, hexArgument, hexArgument}

func oneOf(names []constant) argument {
	return func(_ *Call, value uint64) string { return choice(value, names) }
}

func someOf(names []flag) argument {
	return func(_ *Call, value uint64) string { return flags(value, names) }
}

func lowerHalf(print argument) argument {
	return func(c *Call, value uint64) string { return print(c, half(value)) }
}

func signalName(sig syscall.Signal) string {
	const firstRealTime, last = 32, 64
	switch name := unix.SignalName(sig); {
	case name != "":
		return name
	case sig == firstRealTime:
		return "SIGRTMIN"
	case sig > firstRealTime && sig <= last:
		return fmt.Sprintf("SIGRT_%d", sig-firstRealTime)
	}
	return strconv.Itoa(int(sig))
}
