// lesson: step05-proc

// Mountapi makes its mounts with the newer calls: mount_setattr, fsopen, fsconfig,
// fsmount and move_mount.
//
//	go run -exec sudo ./mountapi run /bin/sh
package main

import (
	_ "embed"
	"flag"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lesson"
	"gonsrun/internal/rootfs"
)

//go:embed main.go
var source string

var must = lesson.Must
var rootDir = flag.String("rootfs", "", "the root file system is in `DIR`")

func main() {
	defer lesson.End()
	switch args := lesson.Args(source); args[0] {
	case "run":
		os.Exit(run(args[1:]))
	case "child":
		child(args[1], args[2:])
	}
}

func run(command []string) int {
	root := lesson.Root(rootfs.Prepare(*rootDir))
	container := exec.Command("/proc/self/exe", append([]string{"child", root}, command...)...)
	container.Stdin, container.Stdout, container.Stderr = os.Stdin, os.Stdout, os.Stderr
	container.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	must(lesson.Start(container))
	return lesson.Status(container.Wait())
}

func child(root string, command []string) {
	must(unix.Sethostname([]byte("container")))
	must(unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &unix.MountAttr{Propagation: unix.MS_PRIVATE}))
	must(unix.Chroot(root))
	must(unix.Chdir("/"))
	must(mountProc("/proc"))
	environment := lesson.Environment()
	must(unix.Exec(lesson.Find(command[0], environment), command, environment))
}

// mountProc mounts a proc that is first configured, then made, and then attached.
func mountProc(target string) error {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("fsopen", err)
	}
	if err := unix.FsconfigSetString(fs, "source", "proc"); err != nil {
		return os.NewSyscallError("fsconfig", err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return os.NewSyscallError("fsconfig", err)
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return os.NewSyscallError("fsmount", err)
	}
	return os.NewSyscallError("move_mount", unix.MoveMount(mount, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH))
}
