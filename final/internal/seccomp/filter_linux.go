package seccomp

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Default returns the default filter for a container that keeps those
// capabilities for which keeps, asked for a number of linux/capability.h, says
// yes.
func Default(keeps func(capability int) bool) (Program, error) {
	var kept uint64
	for capability := range 64 {
		if keeps(capability) {
			kept |= 1 << capability
		}
	}
	switch runtime.GOARCH {
	case "amd64":
		return build(unix.AUDIT_ARCH_X86_64, kept)
	case "arm64":
		return build(unix.AUDIT_ARCH_AARCH64, kept)
	}
	return nil, fmt.Errorf("there is no seccomp filter for %s, only for amd64 and arm64: -security-opt seccomp=unconfined runs without one", runtime.GOARCH)
}

// Offsets into struct seccomp_data (linux/seccomp.h). Both architectures are
// little-endian: the lower half of an argument comes first.
const (
	offsetNumber       = 0
	offsetArchitecture = 4
	offsetArgument0    = 16
	offsetArgument1    = 24
)

// build makes the filter for one architecture (an AUDIT_ARCH_ constant) and a
// set of kept capabilities.
func build(architecture uint32, kept uint64) (Program, error) {
	text := []line{
		load(offsetArchitecture),
		ifEqual(architecture, native, next),
		goTo(absent), // the 32-bit entrance
		at(native),
		load(offsetNumber),
	}
	// x32 calls carry bit 30: to the search they are above all numbers of the table.
	text = search(text, spans(architecture, kept), firstSpan)
	return assemble(append(text, verdicts...))
}

// span is a range of numbers with one verdict; it ends where the next begins.
type span struct {
	first   uint32
	verdict label
}

// highest is above every number in the table.
const highest = 512

// spans says of all numbers what the filter answers, in as few ranges as there
// are, in order.
func spans(architecture uint32, kept uint64) []span {
	var byNumber [highest]label
	for _, g := range table {
		v := g.verdict
		if g.unless&kept != 0 {
			v = allowed
		}
		for _, c := range g.calls {
			if n := c.number(architecture); n != none {
				byNumber[n] = v
			}
		}
	}
	list := []span{{0, byNumber[0]}}
	for n, v := range byNumber {
		if v != list[len(list)-1].verdict {
			list = append(list, span{uint32(n), v})
		}
	}
	return list
}

func (c call) number(architecture uint32) int16 {
	if architecture == unix.AUDIT_ARCH_X86_64 {
		return c.amd64
	}
	return c.arm64
}

// search adds lines that find the span of the number by halving, so that a
// call costs about seven tests and not a test for each span. Its labels count
// from first.
func search(text []line, list []span, first label) []line {
	if len(list) == 1 {
		return append(text, goTo(list[0].verdict))
	}
	half := len(list) / 2
	upper := first + label(half)
	text = append(text, ifAtLeast(list[half].first, upper, next))
	text = search(text, list[:half], first)
	text = append(text, at(upper))
	return search(text, list[half:], upper)
}

// namespaces are the flags with which clone(2) makes namespaces. CLONE_NEWTIME
// is not among them: for clone its bit is part of the exit signal.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// What personality(2) may be asked for: the usual domain, the machine's 32-bit
// name, a version number of 2.6, both, and which one it is. Others change how
// memory is laid out, and make old flaws exploitable again.
const (
	perLinux       = 0x0
	perLinux32     = 0x8
	uname26        = 0x20000
	uname26Linux32 = uname26 | perLinux32
	perAsk         = 0xffffffff
)

// verdicts is the end of every filter: what each label of a verdict does.
var verdicts = []line{
	at(checkClone),
	load(offsetArgument0),
	ifAnyBit(namespaces, denied, allowed),

	at(checkSocket), // AF_ALG reaches into the kernel's crypto, AF_VSOCK out of the machine
	load(offsetArgument0),
	ifEqual(unix.AF_ALG, denied, next),
	ifEqual(unix.AF_VSOCK, denied, allowed),

	at(checkPersonality),
	load(offsetArgument0),
	ifEqual(perLinux, allowed, next),
	ifEqual(perLinux32, allowed, next),
	ifEqual(uname26, allowed, next),
	ifEqual(uname26Linux32, allowed, next),
	ifEqual(perAsk, allowed, denied),

	at(checkIoctl), // see the package comment
	load(offsetArgument1),
	ifEqual(unix.TIOCSTI, denied, next),
	ifEqual(unix.TIOCLINUX, denied, allowed),

	at(allowed),
	answer(unix.SECCOMP_RET_ALLOW),
	at(denied),
	answer(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)),
	at(absent),
	answer(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)),
}
