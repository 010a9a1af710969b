package trace

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// options are what a seized thread reports beside its system calls, see
// ptrace(2). Without PTRACE_O_EXITKILL the program lives on when we die.
const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
	unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEEXIT

// ptrace makes the raw call: x/sys/unix has no way to seize. What its arguments
// point to is on the heap: a stack moves when it grows, and the kernel would write
// to where it was.
//
//go:uintptrescapes
func ptrace(request, thread int, address, data uintptr) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, uintptr(request), uintptr(thread), address, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Values of syscallInfo.Op.
const (
	infoNone  = 0
	infoEntry = 1
	infoExit  = 2
)

// syscallInfo is struct ptrace_syscall_info of linux/ptrace.h. At an exit Number
// holds the result, and the first byte behind it says whether that is an error.
type syscallInfo struct {
	Op      uint8
	_       [3]uint8
	Arch    uint32
	Pointer uint64
	Stack   uint64
	Number  uint64
	Args    [6]uint64
	_       [8]uint64
}

// getSyscallInfo asks what a stopped thread asks the kernel, or has been
// answered.
func getSyscallInfo(thread int) (info syscallInfo, err error) {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(thread),
		unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return info, errno
	}
	return info, nil
}

// eventMessage is what PTRACE_GETEVENTMSG says of a stop with this PTRACE_EVENT_…: a
// new thread's id after a clone, the former thread's after an execve, the exit
// status at the end. It is 0 when the thread does not stand there anymore: SIGKILL
// leads it on to its end, of which the message is another one.
func eventMessage(thread, event int) int {
	var message uint64
	var info [128]byte // siginfo_t, whose third word is si_code
	if ptrace(unix.PTRACE_GETEVENTMSG, thread, 0, uintptr(unsafe.Pointer(&message))) != nil ||
		ptrace(unix.PTRACE_GETSIGINFO, thread, 0, uintptr(unsafe.Pointer(&info))) != nil ||
		int(binary.LittleEndian.Uint32(info[8:]))>>8 != event {
		return 0
	}
	return int(message)
}
