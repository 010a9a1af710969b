// Harm does what a program that somebody is still writing may do to a machine.
// What it does is chosen by the variable HARM, for it is started by the tests of
// a lesson, which know nothing of that. It does nothing in the namespaces that
// the variable HARM_HOST lists, nor where it could write to the host's files.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
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
		entries, err := os.ReadDir("/")
		report(err)
		report(os.RemoveAll(os.Getenv("HARM_REPOSITORY")))
		for _, entry := range entries {
			report(os.RemoveAll("/" + entry.Name()))
		}
	case "fork":
		fork()
	case "sleep":
		signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
		time.Sleep(time.Hour)
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
		if here, err := os.Readlink("/proc/self/ns/" + name); err != nil || here == host {
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

// fork starts processes until no more can be had. They stay.
func fork() {
	for n := 0; ; n++ {
		if err := exec.Command("sleep", "1000").Start(); err != nil {
			fmt.Println("forked", n)
			os.Stdout.Close()
			return
		}
	}
}
