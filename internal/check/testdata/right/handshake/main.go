// lesson: step06-cgroups

// Handshake has the host's side write everything in the cgroup trees, cgroup.procs
// too. The container's side waits at a pipe until that is done.
//
//	go run -exec sudo ./handshake run /bin/sh
package main

import (
	_ "embed"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lesson"
	"gonsrun/internal/rootfs"
)

const pidsMax = "20"
const memoryMax = "67108864"
const cpuMax = "50000 100000"

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
	wait, start, err := os.Pipe()
	must(err)

	container := exec.Command("/proc/self/exe", append([]string{"child", root}, command...)...)
	container.Stdin, container.Stdout, container.Stderr = os.Stdin, os.Stdout, os.Stderr
	container.ExtraFiles = []*os.File{wait}
	container.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	group := newGroup()
	defer group.rmdir()
	must(lesson.Start(container))
	wait.Close()
	must(group.mkdir())
	for _, limit := range [][2]string{
		{"cpu.max", cpuMax},
		{"memory.max", memoryMax},
		{"memory.swap.max", "0"},
		{"pids.max", pidsMax},
		{"cgroup.procs", strconv.Itoa(container.Process.Pid)},
	} {
		must(group.write(limit[0], limit[1]))
	}
	start.Write([]byte("!"))
	start.Close()
	return lesson.Status(container.Wait())
}

func child(root string, command []string) {
	// The read ends when the host's side writes, and also when it dies.
	if n, _ := unix.Read(3, make([]byte, 1)); n != 1 {
		os.Exit(125)
	}
	unix.CloseOnExec(3)
	must(unix.Sethostname([]byte("container")))
	must(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(unix.Chroot(root))
	must(unix.Chdir("/"))
	must(unix.Mount("proc", "/proc", "proc", 0, ""))
	environment := lesson.Environment()
	must(unix.Exec(lesson.Find(command[0], environment), command, environment))
}
