package trace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// registerSet is struct user_pt_regs of arm64.
type registerSet = unix.PtraceRegs

func framePointer(r *registerSet) uint64 { return r.Regs[29] }

// callerOf is where the function that makes the call returns to: a stub without
// a frame has left that in the link register.
func callerOf(_ Memory, r *registerSet) uint64 { return r.Regs[30] }

// skipCall makes a thread that is stopped at the entry of a call not make it.
func skipCall(thread int) error { return setNumber(thread, -1) }

// setNumber changes the number of the call, which on arm64 is no register.
func setNumber(thread int, number int32) error {
	vector := unix.Iovec{Base: (*byte)(unsafe.Pointer(&number)), Len: uint64(unsafe.Sizeof(number))}
	return ptrace(unix.PTRACE_SETREGSET, thread, noteSystemCall, uintptr(unsafe.Pointer(&vector)))
}

// setResult gives a thread that is stopped at the exit of a call its result.
func setResult(thread int, result int64) error {
	r, err := registers(thread)
	if err != nil {
		return err
	}
	r.Regs[0] = uint64(result)
	return setRegisters(thread, r)
}

// setAgain gives a thread that is stopped at the exit of a skipped call the
// result which makes the kernel start it once more.
func setAgain(thread int, number uint64) error {
	if err := setNumber(thread, int32(number)); err != nil {
		return err
	}
	return setResult(thread, -errRestartNoIntr)
}
