package trace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// registerSet is struct user_regs_struct of amd64.
type registerSet = unix.PtraceRegs

// registers reads the general registers of a stopped thread, those of a 32-bit
// program, too, in the form of amd64.
func registers(thread int) (r registerSet, err error) {
	err = ptrace(unix.PTRACE_GETREGS, thread, 0, uintptr(unsafe.Pointer(&r)))
	return r, err
}

// setRegisters writes them back.
func setRegisters(thread int, r registerSet) error {
	return ptrace(unix.PTRACE_SETREGS, thread, 0, uintptr(unsafe.Pointer(&r)))
}

func framePointer(r *registerSet) uint64 { return r.Rbp }

// callerOf is where the function that makes the call returns to. A stub
// without a frame has left that on top of the stack.
func callerOf(m Memory, r *registerSet) uint64 {
	word, _ := m.Word(r.Rsp)
	return word
}

// Which table of system calls a number belongs to, see PTRACE_GET_SYSCALL_INFO in
// ptrace(2). x32Bit marks the numbers of programs with 32-bit pointers.
const (
	ourArch = unix.AUDIT_ARCH_X86_64
	x32Bit  = 0x40000000
)

// isRestart reports whether a number is restart_syscall(2).
func isRestart(arch uint32, number uint64) bool {
	if arch == unix.AUDIT_ARCH_I386 {
		return number == 0
	}
	return number&^x32Bit == unix.SYS_RESTART_SYSCALL
}

// isSigreturn reports whether a number is sigreturn(2) or rt_sigreturn(2).
func isSigreturn(arch uint32, number uint64) bool {
	if arch == unix.AUDIT_ARCH_I386 {
		return number == 119 || number == 173
	}
	return number == unix.SYS_RT_SIGRETURN || number == x32Bit+513
}

// isExitGroup reports whether a number is exit_group(2).
func isExitGroup(arch uint32, number uint64) bool {
	if arch == unix.AUDIT_ARCH_I386 {
		return number == 252
	}
	return number&^x32Bit == unix.SYS_EXIT_GROUP
}

// skipCall makes a thread that is stopped at the entry of a call not make it, and
// answers with result: a number that no call has leaves the registers alone.
func skipCall(thread int, result int64) error {
	r, err := registers(thread)
	if err != nil {
		return err
	}
	r.Orig_rax, r.Rax = ^uint64(0), uint64(result)
	return setRegisters(thread, r)
}

// unskipCall undoes skipCall.
func unskipCall(thread int, c *Call) error {
	r, err := registers(thread)
	if err != nil {
		return err
	}
	r.Orig_rax = c.Number
	return setRegisters(thread, r)
}

// setAgain gives a thread that is stopped at the exit of a skipped call the
// result which makes the kernel start it once more.
func setAgain(thread int, number uint64) error {
	r, err := registers(thread)
	if err != nil {
		return err
	}
	r.Orig_rax, r.Rax = number, ^uint64(errRestartNoIntr-1)
	return setRegisters(thread, r)
}

// largeFile is O_LARGEFILE, which the C library calls 0 on 64-bit machines.
const largeFile = 0o100000
