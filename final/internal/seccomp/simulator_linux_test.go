package seccomp

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// data is struct seccomp_data, what the kernel shows to a filter.
type data struct {
	number, architecture uint32
	arguments            [6]uint64
}

// words lays data out as memory has it on a little-endian machine.
func (d data) words() []byte {
	b := binary.LittleEndian.AppendUint32(nil, d.number)
	b = binary.LittleEndian.AppendUint32(b, d.architecture)
	b = binary.LittleEndian.AppendUint64(b, 0xfeedc0dedeadbeef) // the instruction pointer
	for _, a := range d.arguments {
		b = binary.LittleEndian.AppendUint64(b, a)
	}
	return b
}

// simulate runs a program as the kernel would, and returns its action and how
// many instructions that took. It is written from the manual of BPF, not from
// the assembler, and knows no more instructions than the filter may use.
func simulate(t *testing.T, p Program, d data) (action uint32, steps int) {
	t.Helper()
	memory := d.words()
	var a uint32
	for pc := 0; pc < len(p); {
		in := p[pc]
		steps++
		pc++
		branch := func(taken bool) {
			if taken {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
		switch in.Code {
		case 0x20: // ld [k]
			if in.K%4 != 0 || int(in.K) > len(memory)-4 {
				t.Fatalf("instruction %d loads from %d", pc-1, in.K)
			}
			a = binary.LittleEndian.Uint32(memory[in.K:])
		case 0x05: // ja k
			pc += int(in.K)
		case 0x15: // jeq k
			branch(a == in.K)
		case 0x35: // jge k
			branch(a >= in.K)
		case 0x45: // jset k
			branch(a&in.K != 0)
		case 0x06: // ret k
			return in.K, steps
		default:
			t.Fatalf("instruction %d is %#x, which no filter here uses", pc-1, in.Code)
		}
	}
	t.Fatal("the program runs over its end")
	return 0, 0
}

// The answers of a filter, as the kernel reads them.
const (
	sayAllow  = 0x7fff0000
	sayEPERM  = 0x00050000 | 1
	sayENOSYS = 0x00050000 | 38
)

func say(action uint32) string {
	switch action {
	case sayAllow:
		return "allowed"
	case sayEPERM:
		return "EPERM"
	case sayENOSYS:
		return "ENOSYS"
	}
	return "something else"
}

// Architectures, by their ELF machine and the audit bits for 64 bits and
// little-endian.
var architectures = map[string]uint32{"amd64": 0xc000003e, "arm64": 0xc00000b7}

func mustBuild(t *testing.T, architecture uint32, kept uint64) Program {
	t.Helper()
	p, err := build(architecture, kept)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dockers are the capabilities that Docker leaves a container.
const dockers = 0xa80425fb

func keeps(set uint64) func(int) bool {
	return func(capability int) bool { return set>>capability&1 == 1 }
}

func TestOneInstructionAtATime(t *testing.T) {
	text := []line{
		load(offsetNumber),
		ifEqual(7, 0, next),
		ifAtLeast(100, 1, next),
		ifAnyBit(0x30, 2, 3),
		at(0), answer(10),
		at(1), answer(11),
		at(2), goTo(4), answer(99),
		at(4), answer(12),
		at(3), answer(13),
	}
	p, err := assemble(text)
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range map[uint32]uint32{7: 10, 100: 11, 99: 12, 0x7fffffff: 11, 0xffffffff: 11, 0x10: 12, 1: 13, 0: 13} {
		if got, _ := simulate(t, p, data{number: number}); got != want {
			t.Errorf("%#x leads to %d, want %d", number, got, want)
		}
	}
}

// A test jumps over 255 instructions and no more; goTo goes any distance.
func TestAssemblerRefuses(t *testing.T) {
	filler := func(n int) (text []line) {
		for range n {
			text = append(text, load(0))
		}
		return text
	}
	join := func(parts ...[]line) (text []line) {
		for _, p := range parts {
			text = append(text, p...)
		}
		return text
	}
	end := []line{at(0), answer(0)}
	for _, c := range []struct {
		name string
		text []line
		ok   bool
	}{
		{"a test over 255", join([]line{ifEqual(0, 0, next)}, filler(255), end), true},
		{"a test over 256", join([]line{ifEqual(0, 0, next)}, filler(256), end), false},
		{"the other branch over 256", join([]line{ifEqual(0, next, 0)}, filler(256), end), false},
		{"goTo over 4000", join([]line{goTo(0)}, filler(4000), end), true},
		{"4096 instructions", join(filler(4095), end), true},
		{"4097 instructions", join(filler(4096), end), false},
		{"nothing", nil, false},
		{"only a label", []line{at(0)}, false},
		{"a label twice", []line{at(0), load(0), at(0), answer(0)}, false},
		{"a label nowhere", []line{goTo(1), at(0), answer(0)}, false},
		{"a label beyond all", []line{goTo(9), at(0), answer(0)}, false},
		{"backward", []line{at(0), load(0), goTo(0), answer(0)}, false},
		{"onto itself", []line{at(0), goTo(0), answer(0)}, false},
	} {
		p, err := assemble(c.text)
		if (err == nil) != c.ok {
			t.Errorf("%s: error %v, want success %v", c.name, err, c.ok)
		}
		if err == nil && c.ok {
			simulate(t, p, data{})
		}
	}
}

// Whatever a container keeps, the filter assembles, is small, and decides fast.
func TestEveryChoiceOfCapabilitiesGivesAFilter(t *testing.T) {
	var conditions []uint64
	for _, g := range table {
		if g.unless != 0 && !slices.Contains(conditions, g.unless) {
			conditions = append(conditions, g.unless)
		}
	}
	for name, architecture := range architectures {
		longest := 0
		for choice := range 1 << len(conditions) {
			var kept uint64
			for i, c := range conditions {
				if choice>>i&1 == 1 {
					kept |= c
				}
			}
			p, err := build(architecture, kept)
			if err != nil {
				t.Fatalf("%s keeping %#x: %v", name, kept, err)
			}
			longest = max(longest, len(p))
		}
		if longest > 256 {
			t.Errorf("%s: a filter of %d instructions", name, longest)
		}
		p := mustBuild(t, architecture, dockers)
		for number := range uint32(highest) {
			if _, steps := simulate(t, p, data{number, architecture, [6]uint64{}}); steps > 20 {
				t.Errorf("%s: call %d takes %d instructions", name, number, steps)
			}
		}
	}
}

func TestForeignEntrances(t *testing.T) {
	all := ^uint64(0)
	for name, architecture := range architectures {
		for _, kept := range []uint64{0, dockers, all} {
			p := mustBuild(t, architecture, kept)
			for _, foreign := range []uint32{
				unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_ARM, unix.AUDIT_ARCH_ARMEB, unix.AUDIT_ARCH_RISCV64, 0,
				architectures["amd64"] ^ architectures["arm64"] ^ architecture,
			} {
				for number := range uint32(1024) {
					if got, _ := simulate(t, p, data{number, foreign, [6]uint64{}}); got != sayENOSYS {
						t.Fatalf("%s: call %d of architecture %#x: %s", name, number, foreign, say(got))
					}
				}
			}
			for number := range uint32(1024) {
				for _, bits := range []uint32{1 << 30, 1 << 31, 3 << 30} { // bit 30 is x32
					if got, _ := simulate(t, p, data{number | bits, architecture, [6]uint64{}}); got != sayENOSYS {
						t.Fatalf("%s: call %#x: %s", name, number|bits, say(got))
					}
				}
			}
		}
	}
}

func TestArguments(t *testing.T) {
	const high = 0xabcd << 32 // what is above an int, and the kernel does not look at
	first := func(value uint64) [6]uint64 { return [6]uint64{value} }
	second := func(value uint64) [6]uint64 { return [6]uint64{3, value} }
	for _, c := range []struct {
		call      string
		arguments [6]uint64
		want      uint32
	}{
		{"clone", first(17), sayAllow},       // fork: SIGCHLD
		{"clone", first(0x3d0f00), sayAllow}, // a thread of the C library
		{"clone", first(0x3d0f00 | high), sayAllow},
		{"clone", first(unix.CLONE_NEWUSER), sayEPERM},
		{"clone", first(unix.CLONE_NEWNS | 17), sayEPERM},
		{"clone", first(unix.CLONE_NEWCGROUP), sayEPERM},
		{"clone", first(unix.CLONE_NEWUTS), sayEPERM},
		{"clone", first(unix.CLONE_NEWIPC), sayEPERM},
		{"clone", first(unix.CLONE_NEWPID), sayEPERM},
		{"clone", first(unix.CLONE_NEWNET | high), sayEPERM},
		{"socket", first(unix.AF_UNIX), sayAllow},
		{"socket", first(unix.AF_INET6), sayAllow},
		{"socket", first(unix.AF_NETLINK), sayAllow},
		{"socket", first(37), sayAllow},
		{"socket", first(38), sayEPERM}, // AF_ALG
		{"socket", first(38 | high), sayEPERM},
		{"socket", first(39), sayAllow},
		{"socket", first(40), sayEPERM}, // AF_VSOCK
		{"socket", first(40 | high), sayEPERM},
		{"socket", first(41), sayAllow},
		{"socket", first(^uint64(0)), sayAllow},
		{"personality", first(0), sayAllow},
		{"personality", first(8), sayAllow},
		{"personality", first(0x20000), sayAllow},
		{"personality", first(0x20008), sayAllow},
		{"personality", first(0xffffffff), sayAllow},
		{"personality", first(^uint64(0)), sayAllow},
		{"personality", first(0x40000), sayEPERM}, // ADDR_NO_RANDOMIZE
		{"personality", first(0x400000), sayEPERM},
		{"personality", first(1), sayEPERM},
		{"ioctl", second(0x5401), sayAllow}, // TCGETS
		{"ioctl", second(0x5412), sayEPERM}, // TIOCSTI
		{"ioctl", second(0x5412 | high), sayEPERM},
		{"ioctl", second(0x541c), sayEPERM}, // TIOCLINUX
		{"ioctl", first(0x5412), sayAllow},
	} {
		for name, architecture := range architectures {
			p := mustBuild(t, architecture, dockers)
			got, _ := simulate(t, p, data{numberOf(t, c.call, architecture), architecture, c.arguments})
			if got != c.want {
				t.Errorf("%s: %s(%#x, %#x): %s, want %s", name, c.call, c.arguments[0], c.arguments[1], say(got), say(c.want))
			}
			admins := mustBuild(t, architecture, 1<<unix.CAP_SYS_ADMIN)
			got, _ = simulate(t, admins, data{numberOf(t, c.call, architecture), architecture, c.arguments})
			if c.call == "clone" && got != sayAllow {
				t.Errorf("%s: %s(%#x) with CAP_SYS_ADMIN: %s", name, c.call, c.arguments[0], say(got))
			}
		}
	}
}

func numberOf(t *testing.T, name string, architecture uint32) uint32 {
	t.Helper()
	for _, g := range table {
		for _, c := range g.calls {
			if c.name == name && c.number(architecture) != none {
				return uint32(c.number(architecture))
			}
		}
	}
	t.Fatalf("%s is not in the table", name)
	return 0
}
