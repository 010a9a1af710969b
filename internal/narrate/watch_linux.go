package narrate

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// The narrator is this program once more, started beside it as "strace -D" does:
//
//	/proc/self/exe watch
//
// These file descriptors it inherits beside stderr:
const (
	watchWord = "watch"
	apartWord = "watch-apart" // starts the narrator, and ends: so that is nobody's child
	leaveFD   = 3             // a socket: the program sends its brief, which is the leave to seize it, and hears that it is
	narrateFD = 4             // where the narration goes
)

// leavePatience is how long a program waits until it is seized.
const leavePatience = 10 * time.Second

// Watch narrates what this program does from here on, unless its flags say
// -quiet. It starts the narrator, which seizes this process (ptrace(2)), and
// returns when that has happened. Everything else stays as it is without it: the
// process, its signals, its exit status. Where the narrator cannot watch, one
// sentence says why, and the program goes on.
//
// source is the program's main.go. The comment above a line is why the call is
// made that this line makes.
func Watch(source string) {
	if isNarrator() {
		become(source)
		os.Exit(0)
	}
	if isSecondHalf() {
		Watched()
		return
	}
	settings, ok := typedSettings(os.Args[1:])
	if !ok || settings.Quiet {
		return
	}
	if offer(source) {
		return
	}
	manual := ParseManual(source)
	words := proc.Typed(manual.Program, strings.Contains(manual.Text, "sudo"))
	beside(brief{Lesson: true, Story: Story{Program: manual.Program, Settings: settings, AsRoot: words + " " + proc.Words(os.Args[1:])}})
}

// typedSettings reads the narrator's flags from what was typed. It reports false
// for what is no run: bad usage, which the program itself will answer.
func typedSettings(args []string) (Settings, bool) {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	settings := Flags(f)
	flag.VisitAll(func(other *flag.Flag) {
		if f.Lookup(other.Name) == nil {
			f.Var(other.Value, other.Name, other.Usage)
		}
	})
	err := f.Parse(args)
	return *settings, err == nil && f.NArg() > 1
}

// isSecondHalf reports whether this process was started by the same program: a
// container's side, which the narrator watches already, or need not.
func isSecondHalf() bool {
	if os.Args[0] == "/proc/self/exe" {
		return true
	}
	return proc.IsOurs() && proc.SameFile("/proc/self/exe", "/proc/"+strconv.Itoa(os.Getppid())+"/exe")
}

// tracedByUs reports whether this process's tracer is the narrator. It is asked
// at the start, before a new root hides /proc.
func tracedByUs() bool {
	tracer := proc.StatusField("self", "TracerPid")
	return tracer != "" && tracer != "0" && proc.SameFile("/proc/self/exe", "/proc/"+tracer+"/exe")
}

// openTo opens the file, or the other terminal, that the narration goes to. An
// error ends the program, before it has done anything. A new file belongs to the user
// who called sudo.
func openTo(file string) int {
	// Without O_NONBLOCK a FIFO that nobody reads would be waited for.
	const flags = unix.O_WRONLY | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := unix.Open(file, flags|unix.O_CREAT|unix.O_EXCL, 0o666)
	if uid, gid, ok := proc.SudoCaller(); ok && err == nil {
		unix.Fchown(fd, uid, gid)
	}
	if err == unix.EEXIST {
		// Without O_CREAT, since in /tmp that refuses root the files of others (see
		// fs.protected_regular in proc_sys_fs(5)).
		fd, err = unix.Open(file, flags|unix.O_TRUNC, 0)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "-to %s: open: %v (%s). Give a file that you may write, or a terminal (type  tty  in it)\n",
			safe(file), err, unix.ErrnoName(err.(syscall.Errno)))
		os.Exit(125)
	}
	unix.SetNonblock(fd, false)
	return fd
}

func isSocket(fd int) bool {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind == unix.SOCK_STREAM
}

// start starts the narrator, and waits until it has seized this process.
func start(b brief, to int) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	defer unix.Close(pair[0])
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(pair[1])
		return fmt.Errorf("open /dev/null: %w", err)
	}
	word := watchWord
	if b.Explains {
		word = apartWord
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{os.Args[0], word}, &syscall.ProcAttr{
		Env: os.Environ(),
		// Stdin and stdout are the program's alone: a pipe ends when that ends.
		Files: []uintptr{uintptr(null), uintptr(null), 2, uintptr(pair[1]), uintptr(to)},
		// In a process group of its own, what is typed (Ctrl-C) does not reach it.
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	unix.Close(null)
	unix.Close(pair[1])
	if to != 2 {
		unix.Close(to)
	}
	if err != nil {
		return fmt.Errorf("it cannot be started: %w", err)
	}
	if b.Explains {
		return startedApart(pid, pair[0], b)
	}
	// Where Yama lets a process be traced by its ancestors only, this makes an
	// exception. See PR_SET_PTRACER(2const).
	unix.Prctl(unix.PR_SET_PTRACER, uintptr(pid), 0, 0, 0)
	return leave(pair[0], b)
}

// leave lets the narrator begin, and waits for its answer.
func leave(socket int, b brief) error {
	limit := unix.NsecToTimeval(int64(leavePatience))
	unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	if err := b.send(socket); err != nil {
		return fmt.Errorf("it has ended at once: %w", err)
	}
	answer := make([]byte, 1024)
	n, err := retried(func() (int, error) { return unix.Read(socket, answer) })
	switch {
	case err != nil:
		return fmt.Errorf("it has not answered within %v", leavePatience)
	case n == 0:
		return fmt.Errorf("it has ended at once")
	case answer[0] == seized:
		return nil
	}
	return fmt.Errorf("%s", answer[:n])
}

// seized is the narrator's answer when all is well. Otherwise it is a sentence.
const seized = 0

// retried makes a call until no signal interrupts it.
func retried(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); err != unix.EINTR {
			return n, err
		}
	}
}
