package narrate

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Hints for the errors that learners meet. Each has an entry in the book's
// page on troubleshooting, under its first words.
const (
	hintNotFound      = "Nothing of that name is here: look with  run /bin/sh -c 'ls /bin'  for what there is."
	hintNotExecutable = "It is there, but it is not a program that may be run: a folder, or a file without the x permission (chmod +x)."
	hintInterpreter   = "The file is there, but the program that must load it is not: its ELF interpreter or the one named after #!. Look with  ldd FILE  or  head -1 FILE, and add it to the root file system."
	hintFormat        = "The kernel does not know this format: a program for another kind of processor (this one is %s), or a script without its first line #!/bin/sh."
	hintNotRoot       = "This call is root's (CAP_SYS_ADMIN). Type:\n  %s"
	hintNotPrivileged = "You are root, but without CAP_SYS_ADMIN, as in a Docker container that was started without --privileged. Type:\n  docker run --rm -it --privileged gonsrun"
	hintNamespaceMax  = "The limit for namespaces is reached. See it with  sysctl user  and raise it, for instance\n  sudo sysctl -w user.max_pid_namespaces=1000"
	hintNoNamespace   = "This kernel was built without one of these namespaces. See which it has:  ls /proc/self/ns"
	hintNoProcess     = "No more processes: a limit of this session or of its cgroup is reached. See  ulimit -u  and  cat /sys/fs/cgroup/pids.max"
	hintReadOnly      = "This tree is mounted read-only, as in a Docker container that was started without --privileged. Type:\n  docker run --rm -it --privileged gonsrun"
	hintProcMount     = "The root file system has no folder /proc to mount on. Make it:  mkdir DIR/proc"
)

// Hints lists every hint, for the test that the book explains each.
func Hints() []string {
	return []string{hintNotFound, hintNotExecutable, hintInterpreter, hintFormat, hintNotRoot,
		hintNotPrivileged, hintNamespaceMax, hintNoNamespace, hintNoProcess, hintReadOnly, hintProcMount}
}

// HintFor says what the reader can do about err, "" when there is nothing to say.
func HintFor(err error) string {
	var status *StatusError
	if errors.As(err, &status) && status.Hint != "" {
		return status.Hint
	}
	var call *CallError
	if !errors.As(err, &call) {
		return ""
	}
	name, _, _ := strings.Cut(call.Call, "(")
	is := func(errno error) bool { return errors.Is(err, errno) }
	switch {
	case name == "execve" && is(unix.ENOENT):
		return hintInterpreter
	case name == "execve" && is(unix.ENOEXEC):
		return fmt.Sprintf(hintFormat, runtime.GOARCH)
	case name == "execve" && is(unix.EACCES):
		return hintNotExecutable
	case (is(unix.EPERM) || is(unix.EACCES)) && unix.Geteuid() != 0:
		return fmt.Sprintf(hintNotRoot, "go run -exec sudo ./"+config.Program+" "+shellWords(config.Args))
	case (is(unix.EPERM) || is(unix.EACCES)) && !mayAdminister():
		return hintNotPrivileged
	case is(unix.EROFS):
		return hintReadOnly
	case name == "clone" && is(unix.ENOSPC):
		return hintNamespaceMax
	case name == "clone" && is(unix.EINVAL):
		return hintNoNamespace
	case name == "clone" && is(unix.EAGAIN):
		return hintNoProcess
	case name == "mount" && is(unix.ENOENT):
		return hintProcMount
	}
	return ""
}

// mayAdminister reports whether this process has CAP_SYS_ADMIN.
func mayAdminister() bool {
	caps, err := capabilities(Read("/proc/self/status"))
	return err != nil || caps.effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// commandLine is what a reader types to start this program.
func commandLine(args ...string) string {
	sudo := ""
	if config.NeedsRoot && os.Geteuid() != 0 {
		sudo = "-exec sudo "
	}
	return "go run " + sudo + "./" + config.Program + " " + shellWords(args)
}
