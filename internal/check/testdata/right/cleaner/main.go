// lesson: step06-cgroups

// Cleaner has a helper process that outlives all others for a moment: it removes
// the cgroup when the host's side has ended, in whatever way. Nothing is left for
// a next run to sweep. It uses nothing of the workshop's but the root file system.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/rootfs"
)

const usage = "usage: cleaner [-rootfs DIR] run COMMAND [ARG...]"

func init() { runtime.LockOSThread() }

func main() {
	args, dir := os.Args[1:], ""
	if len(args) > 1 && args[0] == "-rootfs" {
		dir, args = args[1], args[2:]
	}
	switch {
	case len(args) == 1 && (args[0] == "-h" || args[0] == "help"):
		fmt.Println(usage)
	case len(args) > 1 && args[0] == "run":
		os.Exit(run(dir, args[1:]))
	case len(args) > 2 && args[0] == "child":
		child(args[1], args[2:])
	case len(args) == 2 && args[0] == "clean":
		clean(args[1])
	default:
		fail(125, errors.New(usage))
	}
}

func run(dir string, command []string) int {
	root, _, err := rootfs.Prepare(dir)
	var empty interface{ ExitStatus() int }
	if errors.As(err, &empty) {
		fail(empty.ExitStatus(), err)
	}
	check(err)
	signals := make(chan os.Signal, 9)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)

	name := "gonsrun-step06-" + strconv.Itoa(os.Getpid())
	groups, err := makeGroups(name)
	if err != nil {
		removeGroups(name)
		fail(125, err)
	}
	container := exec.Command("/proc/self/exe", append([]string{"child", root}, command...)...)
	container.Stdin, container.Stdout, container.Stderr = os.Stdin, os.Stdout, os.Stderr
	container.Env = append(os.Environ(), fmt.Sprintf("CLEANER_GROUPS=%d", len(groups)))
	for _, group := range groups {
		procs, err := os.OpenFile(group+"/cgroup.procs", os.O_WRONLY, 0)
		check(err)
		container.ExtraFiles = append(container.ExtraFiles, procs)
	}
	container.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	if err := container.Start(); err != nil {
		removeGroups(name)
		fail(125, err)
	}
	helper := exec.Command("/proc/self/exe", "clean", name)
	helper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
	leash, err := helper.StdinPipe()
	check(err)
	check(helper.Start())
	defer helper.Wait()
	defer leash.Close()
	told := make(chan int, 9)
	go func() {
		for s := range signals {
			if s != unix.SIGINT {
				told <- 128 + int(s.(syscall.Signal))
				container.Process.Kill()
			}
		}
	}()
	container.Wait()
	how := container.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case len(told) > 0:
		return <-told
	case how.Signaled():
		return 128 + int(how.Signal())
	}
	return how.ExitStatus()
}

func child(root string, command []string) {
	groups, _ := strconv.Atoi(os.Getenv("CLEANER_GROUPS"))
	for fd := 3; fd < 3+groups; fd++ {
		procs := os.NewFile(uintptr(fd), "cgroup.procs")
		_, err := procs.WriteString("0")
		check(err)
		procs.Close()
	}
	check(unix.Sethostname([]byte("container")))
	check(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	check(unix.Chroot(root))
	check(unix.Chdir("/"))
	check(unix.Mount("proc", "/proc", "proc", 0, ""))
	path, err := exec.LookPath(command[0])
	if err != nil {
		fail(127, err)
	}
	fail(126, os.NewSyscallError("execve "+path, unix.Exec(path, command, os.Environ())))
}

// clean waits until the host's side has ended: then nobody holds the other end
// of stdin any more.
func clean(name string) {
	signal.Ignore(unix.SIGINT, unix.SIGHUP, unix.SIGTERM)
	io.Copy(io.Discard, os.Stdin)
	removeGroups(name)
}

func check(err error) {
	if err != nil {
		fail(125, err)
	}
}

func fail(status int, err error) {
	fmt.Fprintln(os.Stderr, "cleaner:", err)
	os.Exit(status)
}
