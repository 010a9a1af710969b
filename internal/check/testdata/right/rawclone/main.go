// lesson: step02-uts

// Rawclone has no second half: the new process makes its two calls, sethostname
// and execve, between the clone and the end of the same function.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

var name = []byte("container")

func main() {
	args := os.Args[1:]
	switch {
	case len(args) == 1 && (args[0] == "-h" || args[0] == "help"):
		fmt.Println("usage: rawclone run COMMAND [ARG...]")
		return
	case len(args) < 2 || args[0] != "run":
		fail(125, "usage: rawclone run COMMAND [ARG...]")
	}
	path, err := exec.LookPath(args[1])
	if os.IsPermission(err) || err != nil && isThere(args[1]) {
		fail(126, err)
	} else if err != nil {
		fail(127, err)
	}
	runtime.LockOSThread()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGTERM, unix.SIGHUP, unix.SIGINT)

	path0, _ := unix.BytePtrFromString(path)
	argv, _ := syscall.SlicePtrFromStrings(args[1:])
	env, _ := syscall.SlicePtrFromStrings(os.Environ())
	var failed [2]int // how the new process says what has failed
	if err := unix.Pipe2(failed[:], unix.O_CLOEXEC); err != nil {
		fail(125, err)
	}
	pid, errno := clone(path0, &argv[0], &env[0], failed[1])
	if errno != 0 {
		fail(125, "clone: "+errno.Error())
	}
	unix.Close(failed[1])
	var why [1]byte
	if n, _ := unix.Read(failed[0], why[:]); n == 1 {
		var status unix.WaitStatus
		unix.Wait4(pid, &status, 0, nil)
		fail(status.ExitStatus(), fmt.Sprintf("%s: %v", path, syscall.Errno(why[0])))
	}

	told := make(chan unix.Signal, 1)
	go func() {
		for s := range signals {
			if s != unix.SIGINT {
				told <- s.(unix.Signal)
				unix.Kill(pid, unix.SIGKILL)
			}
		}
	}()
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	select {
	case s := <-told:
		os.Exit(128 + int(s))
	default:
	}
	if status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

// clone is a fork(2) into a new UTS namespace. After it only one thread is left
// in the new process, and none of Go's own: nothing there may allocate or wait.
//
//go:noinline
//go:nosplit
//go:norace
func clone(path *byte, argv, env **byte, failed int) (pid int, errno syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD)|syscall.CLONE_NEWUTS, 0, 0, 0, 0, 0)
	if errno != 0 || r != 0 {
		return int(r), errno
	}
	status := uintptr(125)
	_, _, errno = syscall.RawSyscall6(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0, 0)
	if errno == 0 {
		_, _, errno = syscall.RawSyscall(syscall.SYS_SETHOSTNAME, uintptr(unsafe.Pointer(&name[0])), uintptr(len(name)), 0)
	}
	if errno == 0 {
		status = 126
		_, _, errno = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(argv)), uintptr(unsafe.Pointer(env)))
	}
	why := byte(errno)
	syscall.RawSyscall(syscall.SYS_WRITE, uintptr(failed), uintptr(unsafe.Pointer(&why)), 1)
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, status, 0, 0)
	}
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func fail(status int, why any) {
	fmt.Fprintln(os.Stderr, "rawclone:", why)
	os.Exit(status)
}
