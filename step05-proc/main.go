//go:build linux

// Step05-proc gives the container a mount namespace: it can mount a /proc of
// its own, and the host never sees that mount.
//
//	go run -exec sudo ./step05-proc run /bin/sh
//
// Inside, try  ps  : two processes. On the host, try  grep proc /proc/mounts .
// Still wrong: one fork bomb in there takes the whole machine down.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/narrate"
	"gonsrun/internal/rootfs"
)

const hostname = "container"

var rootDir = flag.String("rootfs", "", "use the root file system in `DIR`, not the one made here")

// environment is what the command gets to know of the world.
var environment = []string{
	"PATH=/bin:/usr/bin:/sbin:/usr/sbin:/usr/local/bin",
	"HOME=" + os.Getenv("HOME"),
	"TERM=" + os.Getenv("TERM"),
	"PS1=container:$PWD# ",
}

//go:embed main.go
var manual string

func main() {
	narrate.Main(manual, run, child)
}

// run is the host's side: it starts this program again, as the container's
// side, and waits until that has ended.
func run(command []string) int {
	root := narrate.Made(rootfs.Prepare(*rootDir))

	pid := narrate.Start("A new process begins as a copy of this one, in new namespaces: the names and numbers in them are its own.",
		"clone(…, flags=…|CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWPID|SIGCHLD)",
		func() (int, error) {
			return syscall.ForkExec("/proc/self/exe",
				append([]string{"/proc/self/exe", "child", root}, command...),
				&syscall.ProcAttr{
					Env:   os.Environ(),
					Files: narrate.Files(),
					Sys: &syscall.SysProcAttr{
						Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
						Pdeathsig:  unix.SIGKILL, // if we are killed, it must not live on
					},
				})
		})
	narrate.Namespaces(pid, "mnt", "uts", "pid")
	narrate.NSpid(pid)

	narrate.Begin(pid)

	var info unix.Siginfo
	narrate.Wait("All is set up. Now wait until the command ends, and learn how it ended.",
		fmt.Sprintf("waitid(P_PID, %d, …, WEXITED, NULL)", pid),
		func() error { return unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED, nil) })
	return narrate.Status(&info)
}

// child is the container's side: it prepares its world, then it becomes the
// command.
func child(args []string) {
	root, command := args[0], args[1:]

	narrate.Call("The new UTS namespace has a hostname of its own: changing it does not touch the host's.",
		fmt.Sprintf("sethostname(%s, %d)", narrate.Quote(hostname), len(hostname)),
		func() error { return unix.Sethostname([]byte(hostname)) })

	narrate.Call("The new mount namespace is a copy of the host's, and what is mounted in one still appears in the other. Private: no mount made here reaches the host.",
		`mount("none", "/", …, MS_REC|MS_PRIVATE, NULL)`,
		func() error { return unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") })

	narrate.Call("From now on every path that begins with / begins here.",
		fmt.Sprintf("chroot(%s)", narrate.Quote(root)),
		func() error { return unix.Chroot(root) })

	narrate.Call("The working directory is still outside, a way back to the host: leave it.",
		`chdir("/")`,
		func() error { return unix.Chdir("/") })

	narrate.Call("A new /proc shows the processes of this PID namespace, and no others.",
		`mount("proc", "/proc", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL)`,
		func() error {
			return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		})

	path := narrate.Find(command[0], environment)
	narrate.Become("This process becomes the command: same pid, new program. When it works, execve does not return.",
		fmt.Sprintf("execve(%s, %s, …)", narrate.Quote(path), narrate.Strings(command)),
		func() error { return unix.Exec(path, command, environment) })
}
