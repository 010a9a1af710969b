// Harm does what a program that somebody is still writing may do to a machine.
// What it does is chosen by the variable HARM, for it is started by the tests of
// a lesson, which know nothing of that. It does nothing in the namespaces that
// the variable HARM_HOST lists, nor where it could write to the host's files.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if !enclosed() {
		os.Exit(99)
	}
	switch os.Getenv("HARM") {
	case "rename":
		report(unix.Sethostname([]byte("harmed")))
		report(unix.Setdomainname([]byte("harmed")))
	case "write":
		for _, file := range strings.Fields(os.Getenv("HARM_FILES")) {
			report(os.WriteFile(file, []byte("harmed\n"), 0o644))
		}
	case "remove":
		remove(os.Getenv("HARM_REPOSITORY"))
		remove("/")
	case "fork":
		fork()
	case "sleep":
		signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
		time.Sleep(time.Hour)
	case "device":
		var root unix.Stat_t
		report(unix.Stat("/etc", &root))
		openDevice(unix.S_IFBLK, int(root.Dev), os.O_RDONLY)
		openDevice(unix.S_IFCHR, int(unix.Mkdev(1, 11)), os.O_WRONLY) // /dev/kmsg
	case "own proc":
		// Where nobody has made them read-only.
		report(unix.Mount("proc", "/run", "proc", 0, ""))
		for _, file := range strings.Fields(os.Getenv("HARM_SYSCTLS")) {
			report(os.WriteFile(strings.Replace(file, "/proc/", "/run/", 1), []byte("1"), 0))
		}
	case "mount":
		report(unix.Mount("harm", "/etc", "tmpfs", 0, ""))
		report(unix.Mount("harm", "/mnt", "tmpfs", 0, ""))
		for _, dir := range []string{"/tmp", "/run", "/sys", "/proc", "/dev"} {
			report(unix.Unmount(dir, unix.MNT_DETACH))
		}
	case "sysctl":
		for _, file := range strings.Fields(os.Getenv("HARM_SYSCTLS")) {
			report(os.WriteFile(file, []byte("1"), 0))
		}
	case "kill":
		report(unix.Kill(-1, unix.SIGKILL))
	}
}

func report(err error) { fmt.Println("harm:", err) }

// enclosed reports whether this process can do no harm.
func enclosed() bool {
	for _, host := range strings.Fields(os.Getenv("HARM_HOST")) {
		name, _, _ := strings.Cut(host, ":")
		here, err := os.Readlink("/proc/self/ns/" + name)
		if err != nil { // it may have unmounted /proc
			report(err)
			os.Exit(0)
		}
		if here == host {
			fmt.Println("harm: this is the host's namespace", host)
			return false
		}
	}
	for _, dir := range []string{"/", "/etc", "/home", "/root", "/usr", "/var", os.Getenv("HARM_REPOSITORY")} {
		file := filepath.Join(dir, "harm-"+fmt.Sprint(os.Getpid()))
		if err := os.WriteFile(file, nil, 0o644); !errors.Is(err, unix.EROFS) {
			fmt.Println("harm: the host's files can be written:", file, err)
			os.Remove(file)
			return false
		}
	}
	return os.Getenv("HARM_HOST") != ""
}

// openDevice makes a device node and opens it.
func openDevice(kind uint32, number, how int) {
	path := fmt.Sprintf("/tmp/device-%d", number)
	report(unix.Mknod(path, kind|0o600, number))
	file, err := os.OpenFile(path, how, 0)
	if err != nil {
		fmt.Println("harm: closed", err)
		return
	}
	file.Close()
	fmt.Println("harm: opened", path)
}

// remove removes dir and all that is in it, as rm -rf does: os.RemoveAll gives up
// at the first folder of a read-only file system.
func remove(dir string) {
	tried, removed := 0, 0
	var folders []string
	filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
			return nil
		}
		tried++
		if os.Remove(path) == nil {
			removed++
		}
		return nil
	})
	for _, folder := range slices.Backward(folders) {
		tried++
		if os.Remove(folder) == nil {
			removed++
		}
	}
	fmt.Printf("harm: removed %d of %d in %s\n", removed, tried, dir)
}

// fork starts processes until no more can be had. They stay.
func fork() {
	for n := 0; ; n++ {
		if err := exec.Command("sleep", "1000").Start(); err != nil {
			fmt.Printf("harm: forked %d: %v\n", n, err)
			return
		}
	}
}
