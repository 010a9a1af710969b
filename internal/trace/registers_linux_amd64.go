package trace

import "golang.org/x/sys/unix"

// registerSet is struct user_regs_struct of amd64.
type registerSet = unix.PtraceRegs

func framePointer(r *registerSet) uint64 { return r.Rbp }

// callerOf is where the function that makes the call returns to. A stub
// without a frame has left that on top of the stack.
func callerOf(m Memory, r *registerSet) uint64 {
	word, _ := m.Word(r.Rsp)
	return word
}

// skipCall makes a thread that is stopped at the entry of a call not make it.
func skipCall(thread int) error {
	r, err := registers(thread)
	if err != nil {
		return err
	}
	r.Orig_rax = ^uint64(0)
	return setRegisters(thread, r)
}

// setResult gives a thread that is stopped at the exit of a call its result.
func setResult(thread int, result int64) error {
	r, err := registers(thread)
	if err != nil {
		return err
	}
	r.Rax = uint64(result)
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
