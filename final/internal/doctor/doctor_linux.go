// Package doctor finds out whether a machine is ready for the workshop: whether
// the lessons and final would work here as root, and what else is of use. It
// looks where it can, and tries where only trying tells: each namespace, the
// mounts and the overlay are really made, in a child process that has nothing
// to do but to end, and one such process traces another. What was made ends with it, and nothing on the machine
// changes (save that the kernel may load a module of its own, as it would for
// the first container).
package doctor

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// State is how a check came out.
type State int

const (
	OK   State = iota
	Warn       // something optional is missing
	Fail       // the lessons, or final, would not work here as root
)

// String is the word for it in the table.
func (s State) String() string { return [...]string{"ok", "warn", "FAIL"}[s] }

// Result is one line of the table.
type Result struct {
	Name  string
	State State
	Found string // what is there
	ToDo  string // what to do, never "" unless OK; a line that begins with two blanks is to be typed
}

// machine is what the checks look at: the machine itself, or one that a test made up.
type machine struct {
	root   string   // before every path that is read: "" for the machine itself
	uid    int      // effective
	arch   string   // as in GOARCH
	search []string // where programs are looked up, in this order
	parent string   // the pid of who started us
	lower  string   // a folder where the root file system will be
	again  string   // the line that starts the doctor as root
	run    string   // the line that starts run, without its flags

	clone   func(flags uintptr, user bool) error
	trial   func(user bool) trialReport
	access  func(path string) error // may this process make something in that folder?
	seccomp func() error            // can a filter answer a system call with an errno?
	trace   func() error            // can a program trace another, as the narrator does?
}

// Check looks at this machine. It never fails: what cannot be found out is a
// result as well.
func Check() []Result {
	return thisMachine().check()
}

func (m machine) check() (results []Result) {
	add := func(r ...Result) { results = append(results, r...) }
	add(m.kernel())
	add(m.privileges())
	add(m.container()...)
	add(m.namespaces()...)
	add(m.mounts()...)
	add(m.userNamespace())
	add(m.appArmor()...)
	add(m.cgroups())
	add(m.limits())
	add(m.filter())
	add(m.tracing())
	add(m.firewall())
	add(m.busybox())
	add(m.goTool())
	add(m.tool("bash", "the lines with  run /bin/bash  need it"))
	add(m.tool("strace", "it shows the system calls as the kernel sees them"))
	return results
}

// read returns the content of a file without the last newline, "" when it
// cannot be read.
func (m machine) read(path string) string {
	data, _ := os.ReadFile(m.root + path)
	return strings.TrimRight(string(data), "\n")
}

func (m machine) exists(path string) bool {
	_, err := os.Stat(m.root + path)
	return err == nil
}

// field returns what follows "name:" in a file like /proc/self/status.
func (m machine) field(path, name string) string {
	for line := range strings.Lines(m.read(path)) {
		if key, value, found := strings.Cut(line, ":"); found && key == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// asRoot is the line to type for a command that is root's.
func (m machine) asRoot(command string) string {
	if m.uid != 0 {
		return "  sudo " + command
	}
	return "  " + command
}

const privileged = "run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun"

// withRights is what to type to have this program run with all rights.
func (m machine) withRights() string {
	switch {
	case m.uid != 0:
		return "  " + m.again
	case m.engine() == "Podman":
		return "  podman " + privileged
	case m.engine() != "":
		return "  docker " + privileged
	}
	return "log in as root in another way: the root of this session lacks capabilities, as this shows:\n  capsh --print"
}

// accessible asks the kernel about the effective user, not the real one.
func accessible(path string) error {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS)
}
