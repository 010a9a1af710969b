package narrate

import (
	"fmt"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// Hints for the errors that learners meet. Each has an entry in the book's
// page on troubleshooting, under its first words.
const (
	HintNotFound      = "Nothing of that name is here. In a shell in there, see what there is:\n  ls /bin"
	HintNotExecutable = "It is there, but it is not a program that may be run: a folder, or a file without the x permission (chmod +x)."
	hintInterpreter   = "The file is there, but the program that must load it is not: its ELF interpreter or the one named after #!. Add it to the root file system. One of these says which it is:\n  ldd FILE\n  head -1 FILE"
	hintFormat        = "The kernel does not know this format: a program for another kind of processor (this one is %s), or a script without its first line #!/bin/sh."
	hintNotRoot       = "This call is root's (CAP_SYS_ADMIN). Type:\n  %s"
	hintNotPrivileged = "You are root, but without CAP_SYS_ADMIN, as in a Docker container that was started without --privileged. Type:\n  docker run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun"
	hintNamespaceMax  = "The limit for namespaces is reached. See it and raise it, for instance:\n  sysctl user\n  sudo sysctl -w user.max_pid_namespaces=1000"
	hintNoNamespace   = "This kernel was built without one of these namespaces. See which it has:\n  ls /proc/self/ns"
	hintNoProcess     = "No more processes: a limit of this session or of its cgroup is reached. See which:\n  ulimit -u\n  cat /sys/fs/cgroup/pids.max"
	hintReadOnly      = "This tree is mounted read-only. See how, and where:\n  findmnt --target DIR"
	hintDockersTree   = "A Docker container has this tree read-only, when it was started without --privileged. Type:\n  docker run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun"
	hintMount         = "What to mount is not there, or the folder to mount it on. For a /proc in a root file system, make one:\n  mkdir DIR/proc"
)

// Hints lists every hint, for the test that the book explains each.
func Hints() []string {
	return []string{HintNotFound, HintNotExecutable, hintInterpreter, hintFormat, hintNotRoot,
		hintNotPrivileged, hintNamespaceMax, hintNoNamespace, hintNoProcess, hintReadOnly, hintDockersTree, hintMount}
}

// Hint says what the reader can do about a call that failed, "" when there is
// nothing to say. call is the name of a system call; root is the line that does
// the same as root. The answers that depend on privileges look at those of
// status, the text of /proc/PID/status of who made the call.
func Hint(call string, errno syscall.Errno, status, root string) string {
	refused := errno == unix.EPERM || errno == unix.EACCES
	user := effectiveUser(status)
	switch {
	case call == "execve" && errno == unix.ENOENT:
		return hintInterpreter
	case call == "execve" && errno == unix.ENOEXEC:
		return fmt.Sprintf(hintFormat, runtime.GOARCH)
	case call == "execve" && errno == unix.EACCES:
		return HintNotExecutable
	case refused && user != "" && user != "0":
		return fmt.Sprintf(hintNotRoot, root)
	case refused && !mayAdminister(status):
		return hintNotPrivileged
	case errno == unix.EROFS && user == "0" && !mayAdminister(status):
		return hintDockersTree
	case errno == unix.EROFS:
		return hintReadOnly
	case call == "clone" && errno == unix.ENOSPC:
		return hintNamespaceMax
	case call == "clone" && errno == unix.EINVAL:
		return hintNoNamespace
	case call == "clone" && errno == unix.EAGAIN:
		return hintNoProcess
	case call == "mount" && errno == unix.ENOENT:
		return hintMount
	}
	return ""
}

// effectiveUser is the second number of the field Uid, "" without a status.
func effectiveUser(status string) string {
	var real, effective string
	fmt.Sscan(proc.Field(status, "Uid"), &real, &effective)
	return effective
}

// mayAdminister reports whether a process has CAP_SYS_ADMIN.
func mayAdminister(status string) bool {
	var effective uint64
	_, err := fmt.Sscanf(proc.Field(status, "CapEff"), "%x", &effective)
	return err != nil || effective&(1<<unix.CAP_SYS_ADMIN) != 0
}
