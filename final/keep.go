//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// keeper is set in the process that looks after a detached container.
var keeper bool

// detach starts a keeper: this program again, with the same arguments, in a
// session of its own. It returns when the container runs, or has failed.
func detach() (status int, err error) {
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("open /dev/null", err)
	}
	said, end, err := pipe()
	if err != nil {
		return 0, err
	}
	// The narrator watches this process, and so the keeper, too. With this process
	// it lets go of the keeper, and of the reader's terminal.
	narrateFromHere("final", false)
	pid, err := syscall.ForkExec("/proc/self/exe", append([]string{"final", "keep"}, os.Args[1:]...), &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{uintptr(null), uintptr(said), 2},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, os.NewSyscallError("clone", err)
	}
	unix.Close(said)
	id, _ := io.ReadAll(os.NewFile(uintptr(end), "keeper"))
	if len(id) > 0 {
		os.Stdout.Write(id)
		return 0, nil
	}
	var ended unix.WaitStatus // it failed, and has said why
	for {
		if _, err := unix.Wait4(pid, &ended, 0, nil); err != unix.EINTR {
			break
		}
	}
	if ended.Signaled() {
		return statusFailed, nil
	}
	return ended.ExitStatus(), nil
}

// goQuiet tells whoever started the keeper that the container runs, and lets go
// of their terminal. What the keeper had to remember to get here can go too.
func (c *container) goQuiet() error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open /dev/null", err)
	}
	fmt.Println(c.state.ID)
	unix.Dup3(null, 1, 0)
	unix.Dup3(null, 2, 0)
	unix.Close(null)
	debug.SetGCPercent(20) // little memory is worth more here than speed
	debug.FreeOSMemory()
	forgetProgram()
	return nil
}

// forgetProgram unmaps the pages of this program that were needed to start the
// container. What is needed again comes back from the file.
func forgetProgram() {
	program, _ := os.Readlink("/proc/self/exe")
	maps, _ := os.ReadFile("/proc/self/maps")
	for _, line := range strings.Split(string(maps), "\n") {
		var from, to uintptr
		var access string
		n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access)
		if n == 3 && strings.HasSuffix(line, " "+program) && (access == "r-xp" || access == "r--p") {
			unix.RawSyscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
}
