//go:build linux

// Step05-proc gives the container a mount namespace, and in it a /proc of its own.
//
//	go run -exec sudo ./step05-proc run /bin/sh
//
// Inside, try  ps  : two processes. On the host, try  grep proc /proc/mounts .
// Still wrong: one fork bomb in there takes the whole machine down.
package main

import (
	_ "embed"
	"flag"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lesson"
	"gonsrun/internal/narrate"
	"gonsrun/internal/rootfs"
)

const hostname = "container"

var rootDir = flag.String("rootfs", "", "use the root file system in `DIR`, not the one made here")

//go:embed main.go
var source string

func main() {
	narrate.Watch(source) // narrates every call that follows; without this line the program is the same
	defer lesson.End()    // when a call has failed, this is the end
	switch args := lesson.Args(source); args[0] {
	case "run":
		os.Exit(run(args[1:]))
	case "child":
		child(args[1], args[2:])
	}
}

// run is the host's side: it starts this program again, as the container's side, and waits for its end.
func run(command []string) int {
	root := lesson.Root(rootfs.Prepare(*rootDir))

	container := exec.Command("/proc/self/exe", append([]string{"child", root}, command...)...)
	container.Stdin, container.Stdout, container.Stderr = os.Stdin, os.Stdout, os.Stderr
	container.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL, // if we are killed, it must not live on
	}
	// A new process begins, in new namespaces: the names and numbers in them are its own.
	must(lesson.Start(container))

	// Wait until the command ends, and learn how it ended.
	return lesson.Status(container.Wait())
}

// child is the container's side: it prepares its world, then it becomes the command.
func child(root string, command []string) {
	// The new UTS namespace has a hostname of its own: changing it does not touch the host's.
	must(unix.Sethostname([]byte(hostname)))

	// The new mount namespace is a copy of the host's. Where / is shared, as systemd makes it,
	// a mount made in one appears in the other, too. Private: no mount made here reaches the host.
	must(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))

	// From now on every path that begins with / begins here.
	must(unix.Chroot(root))

	// The working directory is still outside, a way back to the host: leave it.
	must(unix.Chdir("/"))

	// A new /proc shows the processes of this PID namespace, and no others.
	must(unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))

	environment := lesson.Environment()
	path := lesson.Find(command[0], environment)
	// This process becomes the command: same pid, new program. When it works, execve does not return.
	must(unix.Exec(path, command, environment))
}

var must = lesson.Must
