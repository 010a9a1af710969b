package enter

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// namespace is one kind of them.
type namespace struct {
	name, flag string
	bit        uintptr
}

// namespaces in the order in which they are joined. The user namespace is first:
// in it, the process has the capabilities that joining the others takes. With the
// mount namespace the root and the working directory change.
var namespaces = []namespace{
	{"user", "CLONE_NEWUSER", unix.CLONE_NEWUSER},
	{"cgroup", "CLONE_NEWCGROUP", unix.CLONE_NEWCGROUP},
	{"ipc", "CLONE_NEWIPC", unix.CLONE_NEWIPC},
	{"uts", "CLONE_NEWUTS", unix.CLONE_NEWUTS},
	{"net", "CLONE_NEWNET", unix.CLONE_NEWNET},
	{"pid", "CLONE_NEWPID", unix.CLONE_NEWPID}, // this one holds for children only
	{"mnt", "CLONE_NEWNS", unix.CLONE_NEWNS},
}

// step is a system call that the copy makes for us.
type step struct {
	call string // its name and what it is about
	trap uintptr
	args [6]uintptr
}

func (s step) do(h *hand) error {
	_, err := h.call(s.trap, s.args)
	switch {
	case err == nil:
		return nil
	case s.trap == unix.SYS_CLONE && errors.Is(err, unix.ENOMEM):
		err = fmt.Errorf("%w: the container's first process has ended, and its PID namespace takes no more", err)
	}
	return fmt.Errorf("enter the container: %w", os.NewSyscallError(s.call, err))
}

// steps are the way into the container.
func (c Command) steps(t *target, i *image) (all []step) {
	add := func(call string, trap uintptr, args ...uintptr) {
		s := step{call: call, trap: trap}
		copy(s.args[:], args)
		all = append(all, s)
	}
	joins := func(name string) bool {
		return slices.ContainsFunc(t.namespaces, func(j joined) bool { return j.name == name })
	}

	// The container's processes must not look into the one that comes to them.
	add("prctl PR_SET_DUMPABLE", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0)
	for _, ns := range t.namespaces {
		add("setns "+ns.flag, unix.SYS_SETNS, uintptr(ns.fd), ns.bit)
	}
	if joins("user") { // be root there: for any other user, execve would drop all capabilities
		add("setresgid 0", unix.SYS_SETRESGID)
		add("setresuid 0", unix.SYS_SETRESUID)
	}
	if c.Chroot {
		add("fchdir", unix.SYS_FCHDIR, uintptr(t.root))
		add("chroot", unix.SYS_CHROOT, pointer(&i.dot))
	}
	if joins("pid") { // a child is in it
		add("clone CLONE_PARENT", unix.SYS_CLONE, unix.CLONE_PARENT|uintptr(unix.SIGCHLD))
	}
	// If the one that waits is killed, this must not live on. A clone and a change
	// of the user id forget it, so it stands after both.
	add("prctl PR_SET_PDEATHSIG", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
	for to, from := range t.files {
		add(fmt.Sprintf("dup3 %d, %d", from, to), unix.SYS_DUP3, uintptr(from), uintptr(to))
	}
	add("prlimit64 RLIMIT_NOFILE", unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, pointer(&i.openFiles))
	add("close_range CLOSE_RANGE_CLOEXEC", unix.SYS_CLOSE_RANGE, uintptr(len(t.files)), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	// The program's file was opened before: in there, no path leads to it.
	add(fmt.Sprintf("execveat %q", c.Args), unix.SYS_EXECVEAT, uintptr(t.program), pointer(&i.empty), pointer(&i.argv[0]), pointer(&i.envv[0]), unix.AT_EMPTY_PATH)
	return all
}

// pointer is an address in this process, and so in each copy of it.
func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
