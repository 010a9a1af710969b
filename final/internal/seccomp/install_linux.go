package seccomp

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NoNewPrivs makes sure that no execve(2) of this thread or its children ever
// gains a right: set-user-ID bits and file capabilities are ignored. Without it
// the kernel takes a filter only from a thread with CAP_SYS_ADMIN, since one
// could otherwise confuse a set-user-ID program. See PR_SET_NO_NEW_PRIVS(2const).
func NoNewPrivs() error {
	return os.NewSyscallError("prctl PR_SET_NO_NEW_PRIVS", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
}

// Program is a filter: instructions of classic BPF.
type Program []unix.SockFilter

// Install puts the filter on the calling thread and all that it will start.
// Nothing can take it off. The goroutine must be locked to its thread, and go
// on to execve(2) on it: the program's other threads stay unfiltered until
// execve ends them. The errno is EACCES without no_new_privs
// and CAP_SYS_ADMIN, EINVAL on a kernel without CONFIG_SECCOMP_FILTER.
//
// No flags are set. SECCOMP_FILTER_FLAG_SPEC_ALLOW would give up a protection
// against Spectre that costs time only before Linux 5.16, and
// SECCOMP_FILTER_FLAG_LOG would fill the host's log with a container's mistakes.
func (p Program) Install() error {
	program := unix.SockFprog{Len: uint16(len(p)), Filter: unsafe.SliceData(p)}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(p)
	if errno != 0 {
		return os.NewSyscallError(fmt.Sprintf("seccomp SECCOMP_SET_MODE_FILTER, a filter of %d instructions", len(p)), errno)
	}
	return nil
}
