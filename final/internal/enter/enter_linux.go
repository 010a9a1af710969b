// Package enter starts a process inside a running container, in its
// namespaces: what nsenter(1) does, and docker-exec(1).
//
// setns(2) has two rules that make this hard for a Go program. A process with
// more than one thread may not join a user namespace, and a Go program has many
// threads before main begins. And a PID namespace is never joined by the
// process that asks for it, only by the children that it has afterwards.
//
// So Start forks: the copy has one thread, and does one system call after the
// other as it is told (hand_linux.go). It joins the namespaces and forks once
// more, for the PID namespace. The second copy executes this program again,
// which is then a fresh Go program inside the container, with threads and all.
//
//	this process ──clone──▶ first copy: setns, setns, …
//	      │                      └──clone(CLONE_PARENT)
//	      └────────────────────────────▶ second copy: execveat ──▶ this program
//
// CLONE_PARENT makes the second copy our own child, so that we can wait for it.
package enter

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// Command is this program, to be started inside a container.
type Command struct {
	PID        int      // a process of the container
	Namespaces []string // those to join, named as in /proc/PID/ns; ones that are also ours are left out
	Chroot     bool     // take that process's root directory too: of one that called chroot(2), it is not its mount namespace's

	Program   int       // a descriptor of the program to execute; 0 stands for this program's own file
	Args, Env []string  // as in execve(2)
	Files     []uintptr // its descriptors 0, 1, 2, …: every other one is closed by the execve
}

// Start starts c and returns its pid, as this process sees it. The new process
// is our child: who called waits for it. In a user namespace it is root there,
// with all capabilities of that namespace. It is killed when the thread that
// called Start ends, so the goroutine must be locked to its thread
// (runtime.LockOSThread); like everything of this kind that ends with a change
// of the user id, see PR_SET_PDEATHSIG(2const).
//
// The new process is not in the container's cgroup, has this process's
// supplementary groups, and no seccomp filter. All processes of the container
// can see it from its execve on: it should at once call
// prctl(PR_SET_DUMPABLE, 0), so that none can look into it or take its
// descriptors before it has given up what it must not keep.
//
// An error names the step that failed and its errno; then nothing is left behind.
func Start(c Command) (pid int, err error) {
	target, err := c.open()
	defer target.close()
	if err != nil {
		return 0, err
	}
	image, err := newImage(c)
	if err != nil {
		return 0, err
	}
	steps := c.steps(target, image)
	h, err := fork()
	runtime.KeepAlive(image) // the copy has it now
	if err != nil {
		return 0, fmt.Errorf("fork a process that enters the container: %w", err)
	}
	started := false
	defer func() {
		h.letGo()
		if !started {
			h.kill()
		}
	}()
	for _, step := range steps {
		if err := step.do(h); err != nil {
			return 0, err
		}
	}
	started = true
	return h.pid, nil
}

// target is what must be opened before the first namespace is joined: after
// that, paths mean other files.
type target struct {
	above int   // every descriptor here is above those that the new program gets, so that putting these in place overwrites none
	all   []int // to close in the end
	err   error // the first one

	namespaces []joined
	root       int   // the root directory to take
	program    int   // what to execute
	files      []int // what its descriptors shall be
}

type joined struct {
	namespace
	fd int
}

// open opens what belongs to the process. The folder in /proc keeps to one
// process, even if its pid is given to another meanwhile.
func (c Command) open() (*target, error) {
	t := &target{above: len(c.Files)}
	for _, name := range c.Namespaces {
		if !slices.ContainsFunc(namespaces, func(ns namespace) bool { return ns.name == name }) {
			return t, fmt.Errorf("enter the container: there is no kind of namespace named %q", name)
		}
	}
	process := t.open(unix.AT_FDCWD, fmt.Sprintf("/proc/%d", c.PID), unix.O_PATH|unix.O_DIRECTORY)
	for _, ns := range namespaces {
		if !slices.Contains(c.Namespaces, ns.name) {
			continue
		}
		if fd := t.open(process, "ns/"+ns.name, unix.O_RDONLY); !isOurs(ns.name, fd) {
			t.namespaces = append(t.namespaces, joined{ns, fd})
		}
	}
	if c.Chroot {
		t.root = t.open(process, "root", unix.O_PATH|unix.O_DIRECTORY)
	}
	if c.Program != 0 {
		t.program = t.duplicate(c.Program)
	} else {
		t.program = t.open(unix.AT_FDCWD, "/proc/self/exe", unix.O_PATH)
	}
	for _, fd := range c.Files {
		t.files = append(t.files, t.duplicate(int(fd)))
	}
	return t, t.err
}

func (t *target) open(dir int, path string, flags int) int {
	if t.err != nil {
		return -1
	}
	fd, err := unix.Openat(dir, path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		t.err = fmt.Errorf("enter the container: %w", &os.PathError{Op: "openat", Path: path, Err: err})
		return -1
	}
	defer unix.Close(fd)
	return t.duplicate(fd)
}

func (t *target) duplicate(fd int) int {
	if t.err != nil {
		return -1
	}
	duplicate, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, t.above)
	if err != nil {
		t.err = fmt.Errorf("enter the container: fcntl(%d, F_DUPFD_CLOEXEC, %d): %w", fd, t.above, err)
		return -1
	}
	t.all = append(t.all, duplicate)
	return duplicate
}

func (t *target) close() {
	for _, fd := range t.all {
		unix.Close(fd)
	}
}

// isOurs reports whether we are in that namespace already. To join one's own
// user namespace is an error.
func isOurs(name string, fd int) bool {
	var its, ours unix.Stat_t
	return unix.Fstat(fd, &its) == nil && unix.Stat("/proc/thread-self/ns/"+name, &ours) == nil &&
		its.Dev == ours.Dev && its.Ino == ours.Ino
}

// image is memory that the copies of this process read. It must be filled
// before the fork, and its addresses hold good in the copies.
type image struct {
	argv, envv []*byte
	empty      [1]byte // the path ""
	dot        [2]byte // the path "."
	openFiles  unix.Rlimit
}

// newImage is never inlined, so that the image is on the heap: what is on a
// goroutine's stack can move.
//
//go:noinline
func newImage(c Command) (i *image, err error) {
	i = &image{dot: [2]byte{'.'}, openFiles: openFilesOf(c.PID)}
	if i.argv, err = syscall.SlicePtrFromStrings(c.Args); err != nil {
		return nil, fmt.Errorf("argument with a zero byte in %q: %w", c.Args, err)
	}
	if i.envv, err = syscall.SlicePtrFromStrings(c.Env); err != nil {
		return nil, fmt.Errorf("environment with a zero byte: %w", err)
	}
	return i, nil
}

// openFilesOf returns the limit for open files that the new process shall
// have. The Go runtime has raised ours (see os/rlimit.go), so take the
// container's, as far as ours lets us.
func openFilesOf(pid int) (limit unix.Rlimit) {
	const standard = 1024
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		limit.Max = standard
	}
	limit.Cur = min(standard, limit.Max)
	_, line, _ := strings.Cut(proc.Read(fmt.Sprintf("/proc/%d/limits", pid)), "Max open files")
	var soft uint64
	if _, err := fmt.Sscan(line, &soft); err == nil {
		limit.Cur = min(soft, limit.Max)
	}
	return limit
}
