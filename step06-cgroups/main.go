//go:build linux

// Step06-cgroups limits what the container can take: 20 tasks, 64 MiB, half a CPU.
//
//	go run -exec sudo ./step06-cgroups run /bin/sh
//
// Inside, try a fork bomb:  b() { b | b & }; b  — the host stays well.
// Still wrong: it is root with every capability, on the host's network.
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
const pidsMax = "20"
const memoryMax = "67108864"  // bytes: 64 MiB
const cpuMax = "50000 100000" // microseconds of CPU time, in so many

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

	group := newGroup()
	defer func() {
		// A cgroup with no process in it can be removed, like an empty folder.
		group.rmdir()
	}()
	// A new folder in a cgroup tree is a new cgroup: the kernel puts files in it, and writing to them sets limits.
	must(group.mkdir())
	// At most 20 tasks: each thread of a process counts, too. A fork bomb stops there.
	must(group.write("pids.max", pidsMax))
	// At most 64 MiB of memory: what needs more is killed.
	must(group.write("memory.max", memoryMax))
	// And swap does not add to that.
	must(group.write("memory.swap.max", "0"))
	// Half a CPU: 50,000 microseconds in every 100,000, then all wait.
	must(group.write("cpu.max", cpuMax))

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
	// This process goes into the cgroup: 0 stands for the one that writes. What it starts is born in there.
	must(newGroup().write("cgroup.procs", "0"))

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
