package trace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// registerSet is struct user_pt_regs of arm64.
type registerSet = unix.PtraceRegs

// registers reads the general registers of a stopped thread. The error is ENOTSUP
// for a 32-bit program, which has others.
func registers(thread int) (r registerSet, err error) {
	vector := unix.Iovec{Base: (*byte)(unsafe.Pointer(&r)), Len: uint64(unsafe.Sizeof(r))}
	err = ptrace(unix.PTRACE_GETREGSET, thread, noteRegisters, uintptr(unsafe.Pointer(&vector)))
	if err == nil && vector.Len != uint64(unsafe.Sizeof(r)) {
		err = unix.ENOTSUP
	}
	return r, err
}

// setRegisters writes them back.
func setRegisters(thread int, r registerSet) error {
	vector := unix.Iovec{Base: (*byte)(unsafe.Pointer(&r)), Len: uint64(unsafe.Sizeof(r))}
	return ptrace(unix.PTRACE_SETREGSET, thread, noteRegisters, uintptr(unsafe.Pointer(&vector)))
}

// Sets of registers, see NT_PRSTATUS in elf(5) and linux/elf.h.
const (
	noteRegisters  = 1
	noteSystemCall = 0x404 // NT_ARM_SYSTEM_CALL
)

func framePointer(r *registerSet) uint64 { return r.Regs[29] }

// callerOf is where the function that makes the call returns to: a stub without
// a frame has left that in the link register.
func callerOf(_ Memory, r *registerSet) uint64 { return r.Regs[30] }

// Which table of system calls a number belongs to, see PTRACE_GET_SYSCALL_INFO in
// ptrace(2).
const (
	ourArch = unix.AUDIT_ARCH_AARCH64
	x32Bit  = 0 // of amd64 only
)

// isRestart reports whether a number is restart_syscall(2).
func isRestart(arch uint32, number uint64) bool {
	if arch == unix.AUDIT_ARCH_ARM {
		return number == 0
	}
	return number == unix.SYS_RESTART_SYSCALL
}

// isSigreturn reports whether a number is sigreturn(2) or rt_sigreturn(2).
func isSigreturn(arch uint32, number uint64) bool {
	if arch == unix.AUDIT_ARCH_ARM {
		return number == 119 || number == 173
	}
	return number == unix.SYS_RT_SIGRETURN
}

// isExitGroup reports whether a number is exit_group(2).
func isExitGroup(arch uint32, number uint64) bool {
	if arch == unix.AUDIT_ARCH_ARM {
		return number == 248
	}
	return number == unix.SYS_EXIT_GROUP
}

// skipCall makes a thread that is stopped at the entry of a call not make it, and
// answers with result: the kernel leaves x0 alone when the number is -1, see
// el0_svc_common in arch/arm64/kernel/syscall.c.
func skipCall(thread int, result int64) error {
	if err := setResult(thread, result); err != nil {
		return err
	}
	return setNumber(thread, ^uint64(0))
}

// unskipCall undoes skipCall.
func unskipCall(thread int, c *Call) error {
	if err := setNumber(thread, c.Number); err != nil {
		return err
	}
	return setResult(thread, int64(c.Values[0])) // x0 is the first argument and the result
}

// setNumber changes the number of the call at whose entry or exit a thread is
// stopped. On arm64 that is no register.
func setNumber(thread int, number uint64) error {
	word := uint32(number)
	vector := unix.Iovec{Base: (*byte)(unsafe.Pointer(&word)), Len: uint64(unsafe.Sizeof(word))}
	return ptrace(unix.PTRACE_SETREGSET, thread, noteSystemCall, uintptr(unsafe.Pointer(&vector)))
}

// setResult gives a stopped thread the result of its call.
func setResult(thread int, result int64) error {
	r, err := registers(thread)
	if err != nil {
		return err
	}
	r.Regs[0] = uint64(result)
	return setRegisters(thread, r)
}

// setAgain gives a thread that is stopped at the exit of a skipped call the
// result which makes the kernel start it once more, with the first argument that
// the kernel has kept (orig_x0), see do_signal in arch/arm64/kernel/signal.c.
func setAgain(thread int, number uint64) error {
	if err := setNumber(thread, number); err != nil {
		return err
	}
	return setResult(thread, -errRestartNoIntr)
}

// largeFile is O_LARGEFILE, which the C library calls 0 on 64-bit machines.
const largeFile = 0o400000
