package enclosure

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A program can mount a /proc of its own, where sysctls can be written, and make
// device nodes of its own. So the kernel asks, with small programs that hang at
// the enclosure's v2 cgroup, whether a process in there may: see bpf(2) and the
// kernel's Documentation/bpf/prog_cgroup_sysctl.rst. Without a v2 tree, or where
// the kernel cannot do that, the v1 controller devices keeps devices closed, and
// sysctls can be reached in this way.

// device is a character device; minor -1 is all of that major number.
type device struct{ major, minor int32 }

// harmlessDevices are those that a program may make and open: null, zero, full,
// random, urandom, tty, ptmx, terminals.
var harmlessDevices = []device{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}, {136, -1}}

// rule is how the v1 controller writes it.
func (d device) rule() string {
	if d.minor < 0 {
		return fmt.Sprintf("c %d:* rwm", d.major)
	}
	return fmt.Sprintf("c %d:%d rwm", d.major, d.minor)
}

// bpfInstruction is the kernel's struct bpf_insn: an operation on the register
// that the lower half of registers names, with a value or with the register that
// the upper half names.
type bpfInstruction struct {
	operation uint8
	registers uint8
	offset    int16
	value     int32
}

const (
	bpfLoad    = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W // from the memory at a register, plus offset
	bpfSet     = 0xb7
	bpfAnd     = 0x57
	bpfIfEqual = 0x15 // then skip as many instructions as offset says
	bpfIfNot   = 0x55
	bpfExit    = 0x95 // with 1 in register 0: allowed
)

// noSysctl lets sysctls be read only. Its register 1 is at a struct bpf_sysctl.
func noSysctl() []bpfInstruction {
	return []bpfInstruction{
		{bpfLoad, 0x12, 0, 0}, // 2: is it written?
		{bpfSet, 0x00, 0, 1},
		{bpfIfEqual, 0x02, 1, 0},
		{bpfSet, 0x00, 0, 0},
		{bpfExit, 0x00, 0, 0},
	}
}

// onlyDevices lets these devices be used only. Its register 1 is at a struct
// bpf_cgroup_dev_ctx.
func onlyDevices(allowed []device) []bpfInstruction {
	program := []bpfInstruction{
		{bpfLoad, 0x12, 0, 0}, // 2: what is done in the upper half, the kind in the lower one
		{bpfLoad, 0x13, 4, 0}, // 3: major
		{bpfLoad, 0x14, 8, 0}, // 4: minor
		{bpfSet, 0x00, 0, 0},
		{bpfAnd, 0x02, 0, 0xffff},
		{bpfIfEqual, 0x02, 1, unix.BPF_DEVCG_DEV_CHAR},
		{bpfExit, 0x00, 0, 0},
	}
	for _, d := range allowed {
		if d.minor < 0 {
			program = append(program, bpfInstruction{bpfIfNot, 0x03, 2, d.major})
		} else {
			program = append(program, bpfInstruction{bpfIfNot, 0x03, 3, d.major}, bpfInstruction{bpfIfNot, 0x04, 2, d.minor})
		}
		program = append(program, bpfInstruction{bpfSet, 0x00, 0, 1}, bpfInstruction{bpfExit, 0x00, 0, 0})
	}
	return append(program, bpfInstruction{bpfExit, 0x00, 0, 0})
}

// restrict hangs both programs at a v2 cgroup.
func restrict(group string) error {
	dir, err := os.Open(group)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := attach(dir, unix.BPF_PROG_TYPE_CGROUP_SYSCTL, unix.BPF_CGROUP_SYSCTL, noSysctl()); err != nil {
		return err
	}
	return attach(dir, unix.BPF_PROG_TYPE_CGROUP_DEVICE, unix.BPF_CGROUP_DEVICE, onlyDevices(harmlessDevices))
}

// attach loads a program into the kernel and hangs it at a cgroup.
func attach(group *os.File, kind, where uint32, program []bpfInstruction) error {
	license := []byte("GPL\x00")
	load := struct { // the kernel's union bpf_attr
		kind, count       uint32
		program, license  unsafe.Pointer
		logLevel, logSize uint32
		log               uint64
		version, flags    uint32
		name              [16]byte
		device, where     uint32
	}{kind: kind, count: uint32(len(program)), program: unsafe.Pointer(&program[0]), license: unsafe.Pointer(&license[0]), where: where}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&load)), unsafe.Sizeof(load))
	if errno != 0 {
		return fmt.Errorf("bpf(BPF_PROG_LOAD): %w", errno)
	}
	defer unix.Close(int(fd))
	hang := struct{ group, program, where, flags uint32 }{uint32(group.Fd()), uint32(fd), where, unix.BPF_F_ALLOW_MULTI}
	if _, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_ATTACH, uintptr(unsafe.Pointer(&hang)), unsafe.Sizeof(hang)); errno != 0 {
		return fmt.Errorf("bpf(BPF_PROG_ATTACH): %w", errno)
	}
	return nil
}
