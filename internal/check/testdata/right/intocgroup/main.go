// lesson: step06-cgroups

// Intocgroup starts the container in its cgroup: clone3 with CLONE_INTO_CGROUP
// places it in the v2 tree at its birth. Trees of v1 it has to join on its own.
//
//	go run -exec sudo ./intocgroup run /bin/sh
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
	group := newGroup()
	defer group.rmdir()
	must(group.mkdir())
	must(group.write("pids.max", pidsMax))
	must(group.write("memory.max", memoryMax))
	must(group.write("memory.swap.max", "0"))
	must(group.write("cpu.max", cpuMax))

	container := exec.Command("/proc/self/exe", append([]string{"child", root}, command...)...)
	container.Stdin, container.Stdout, container.Stderr = os.Stdin, os.Stdout, os.Stderr
	container.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	if folder := group.unified(); folder != "" {
		dir, err := os.Open(folder)
		must(err)
		defer dir.Close()
		container.SysProcAttr.UseCgroupFD = true
		container.SysProcAttr.CgroupFD = int(dir.Fd())
	}
	must(lesson.Start(container))
	return lesson.Status(container.Wait())
}

// unified is the group's folder in the v2 tree, "" when it has none.
func (g group) unified() string {
	for _, t := range g.trees {
		if t.v2 {
			return t.dir + "/" + g.name
		}
	}
	return ""
}

func child(root string, command []string) {
	for _, t := range newGroup().trees {
		if !t.v2 {
			must(group{name: newGroup().name, trees: []tree{t}}.write("cgroup.procs", "0"))
		}
	}
	must(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(unix.Chroot(root))
	must(unix.Chdir("/"))
	must(unix.Mount("proc", "/proc", "proc", 0, ""))
	must(unix.Sethostname([]byte("container")))
	environment := lesson.Environment()
	must(unix.Exec(lesson.Find(command[0], environment), command, environment))
}
