package enter

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hand is a copy of this process, made by fork, that makes the system calls
// which we order, one after the other. It has one thread and no Go runtime that
// works: all that it does is read an order, do it and report.
//
// A copy has the same memory at the same addresses, as it was when it was
// made. So an order may hold pointers to what is older than the copy.
type hand struct {
	pid    int
	socket int // SOCK_SEQPACKET: orders go out, reports come in
}

// order is a system call to make.
type order struct {
	trap uintptr
	args [6]uintptr
}

// report is what it answered.
type report struct {
	result uintptr
	errno  syscall.Errno
}

// fork makes a copy that waits for orders. It ends when our end of its socket
// is closed, be it that we died.
func fork() (*hand, error) {
	// No other process that is started meanwhile may get the copy's end:
	// that it is closed must mean that the copy has executed something or ended.
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	defer unix.Close(ends[1])
	pid, errno := forkAndObey(uintptr(ends[0]), uintptr(ends[1]))
	if errno != 0 {
		unix.Close(ends[0])
		return nil, fmt.Errorf("clone: %w", errno)
	}
	return &hand{pid: int(pid), socket: ends[0]}, nil
}

// forkAndObey forks. In the copy it never returns. There it runs without the
// rest of the Go runtime: the other threads are gone, and with them whoever
// could collect garbage or let go of a lock. So from the fork on it calls
// nothing that allocates memory, grows the stack or waits for anything but the
// kernel. The compiler checks a part of that (nosplit), the runtime another
// part (beforeFork spoils the mark at which a stack grows).
//
//go:noinline
//go:norace
//go:nosplit
//go:nocheckptr
func forkAndObey(ours, its uintptr) (pid uintptr, errno syscall.Errno) {
	var (
		o order
		r report
		n uintptr
	)
	beforeFork() // blocks signals: a handler must not run in the copy
	pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 || errno != 0 {
		afterFork()
		return pid, errno
	}
	afterForkInChild() // handlers off, signals on
	syscall.RawSyscall(unix.SYS_CLOSE, ours, 0, 0)
	for {
		n, _, _ = syscall.RawSyscall(unix.SYS_READ, its, uintptr(unsafe.Pointer(&o)), unsafe.Sizeof(o))
		if n != unsafe.Sizeof(o) {
			syscall.RawSyscall(unix.SYS_EXIT_GROUP, 1, 0, 0)
		}
		r.result, _, r.errno = syscall.RawSyscall6(o.trap, o.args[0], o.args[1], o.args[2], o.args[3], o.args[4], o.args[5])
		if o.trap == unix.SYS_CLONE && r.errno == 0 && r.result == 0 {
			continue // we are the new one. The one that made us reports, and ends
		}
		syscall.RawSyscall(unix.SYS_WRITE, its, uintptr(unsafe.Pointer(&r)), unsafe.Sizeof(r))
		if o.trap == unix.SYS_CLONE && r.errno == 0 {
			syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
}

// What the Go runtime does around a fork. It keeps these names for packages
// outside of the standard library that fork (go.dev/issue/67401).
//
//go:linkname beforeFork syscall.runtime_BeforeFork
//go:nosplit
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
//go:nosplit
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
//go:nosplit
func afterForkInChild()

var errEnded = errors.New("the process that enters the container has ended")

// call lets the hand make one system call. After a clone the new process is the
// hand. An execveat that works answers 0: it leaves nobody to report.
func (h *hand) call(trap uintptr, args [6]uintptr) (int, error) {
	o := order{trap, args}
	if err := h.send(bytesOf(&o)); err != nil {
		return -1, errEnded
	}
	var r report
	switch n := h.receive(bytesOf(&r)); {
	case n == 0 && trap == unix.SYS_EXECVEAT:
		return 0, nil
	case n != int(unsafe.Sizeof(r)):
		return -1, errEnded
	case r.errno != 0:
		return -1, r.errno
	}
	if trap == unix.SYS_CLONE {
		reap(h.pid)
		h.pid = int(r.result)
	}
	return int(r.result), nil
}

func (h *hand) send(message []byte) error {
	return unix.Send(h.socket, message, unix.MSG_NOSIGNAL)
}

func (h *hand) receive(message []byte) int {
	for {
		n, err := unix.Read(h.socket, message)
		if err != unix.EINTR {
			return n
		}
	}
}

// letGo gives no more orders. A hand that has not executed a program ends.
func (h *hand) letGo() { unix.Close(h.socket) }

func (h *hand) kill() {
	unix.Kill(h.pid, unix.SIGKILL)
	reap(h.pid)
}

func reap(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

func bytesOf[T any](value *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(value)), unsafe.Sizeof(*value))
}
