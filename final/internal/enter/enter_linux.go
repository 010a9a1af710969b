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
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/narrate"
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
// Each step is narrated. An error is a *narrate.CallError, and names the step
// that failed and its errno; then nothing is left behind.
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
		if !started { // also when the narrator unwinds
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

// namespace is one kind of them.
type namespace struct {
	name, flag string
	bit        uintptr
	why        string
}

// namespaces in the order in which they are joined.
var namespaces = []namespace{
	{"user", "CLONE_NEWUSER", unix.CLONE_NEWUSER, "First the user namespace: in it, this process has the capabilities that joining the others takes."},
	{"cgroup", "CLONE_NEWCGROUP", unix.CLONE_NEWCGROUP, "The container's view of the cgroup tree."},
	{"ipc", "CLONE_NEWIPC", unix.CLONE_NEWIPC, "Its System V objects and message queues."},
	{"uts", "CLONE_NEWUTS", unix.CLONE_NEWUTS, "Its hostname."},
	{"net", "CLONE_NEWNET", unix.CLONE_NEWNET, "Its network interfaces."},
	{"pid", "CLONE_NEWPID", unix.CLONE_NEWPID, "Its processes. This holds for our children only, we stay where we are."},
	{"mnt", "CLONE_NEWNS", unix.CLONE_NEWNS, "Its mounts. The root and the working directory are now its own."},
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

// step is a system call that the copy makes for us.
type step struct {
	why, call string // why is empty for a call that teaches nothing and is not narrated
	trap      uintptr
	args      [6]uintptr
}

func (s step) do(h *hand) error {
	call := func() (int, error) { return h.call(s.trap, s.args) }
	if s.why == "" {
		if _, err := call(); err != nil {
			return &narrate.CallError{Call: s.call, Err: err}
		}
		return nil
	}
	_, err := narrate.TryResult(s.why, s.call, call)
	if s.trap == unix.SYS_CLONE && errors.Is(err, unix.ENOMEM) {
		return fmt.Errorf("%w: the container's first process has ended, and its PID namespace takes no more", err)
	}
	return err
}

// steps are the way into the container.
func (c Command) steps(t *target, i *image) (all []step) {
	add := func(why, call string, trap uintptr, args ...uintptr) {
		s := step{why: why, call: call, trap: trap}
		copy(s.args[:], args)
		all = append(all, s)
	}
	joins := func(name string) bool {
		return slices.ContainsFunc(t.namespaces, func(j joined) bool { return j.name == name })
	}

	add("The container's processes must not look into the one that comes to them.",
		"prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE)",
		unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0)
	for _, ns := range t.namespaces {
		add(ns.why, fmt.Sprintf("setns(…, %s)", ns.flag),
			unix.SYS_SETNS, uintptr(ns.fd), ns.bit)
	}
	if joins("user") {
		add("Be root's group there …", "setresgid(0, 0, 0)", unix.SYS_SETRESGID)
		add("… and root: for any other user, execve would drop all capabilities.", "setresuid(0, 0, 0)", unix.SYS_SETRESUID)
	}
	if c.Chroot {
		add("", "fchdir(…)", unix.SYS_FCHDIR, uintptr(t.root))
		add("The container's root directory is not that of its mount namespace.", `chroot(".")`,
			unix.SYS_CHROOT, pointer(&i.dot))
	}
	if joins("pid") {
		add("A child is in the PID namespace. With CLONE_PARENT it is the child of the one that will wait for it.",
			"clone(child_stack=NULL, flags=CLONE_PARENT|SIGCHLD)",
			unix.SYS_CLONE, unix.CLONE_PARENT|uintptr(unix.SIGCHLD))
	}
	add("If the one that waits is killed, this must not live on.", "prctl(PR_SET_PDEATHSIG, SIGKILL)",
		unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
	for to, from := range t.files {
		add("", fmt.Sprintf("dup3(%d, %d, 0)", from, to), unix.SYS_DUP3, uintptr(from), uintptr(to))
	}
	add("", "prlimit64(0, RLIMIT_NOFILE, …, NULL)", unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, pointer(&i.openFiles))
	add("", fmt.Sprintf("close_range(%d, 4294967295, CLOSE_RANGE_CLOEXEC)", len(t.files)),
		unix.SYS_CLOSE_RANGE, uintptr(len(t.files)), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	add("This program begins again, inside. Its file was opened before: in there, no path leads to it.",
		fmt.Sprintf(`execveat(…, "", %s, …, AT_EMPTY_PATH)`, narrate.Strings(c.Args)),
		unix.SYS_EXECVEAT, uintptr(t.program), pointer(&i.empty), pointer(&i.argv[0]), pointer(&i.envv[0]), unix.AT_EMPTY_PATH)
	return all
}

// pointer is an address in this process, and so in each copy of it.
func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
