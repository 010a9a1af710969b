package lesson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/narrate"
	"gonsrun/internal/proc"
)

// Exit statuses, as docker-run(1) has them.
const (
	statusFailed    = 125 // this program failed
	statusCannotRun = 126 // the command cannot be run
	statusNotFound  = 127 // the command is not found
)

// ended is the panic value with which a side unwinds: deferred functions remove
// what was made, then End exits with the status.
type ended struct{ status int }

// Must goes on when err is nil. Otherwise it says which line of main.go failed,
// with which call and why, and ends this side: what was deferred is done first.
// It ends the host's side, too, when a signal has asked for that meanwhile.
func Must(err error) { must(err, 2) }

// must is Must for the caller that is skip functions above it.
func must(err error, skip int) {
	if err == nil {
		if sig := host.toldWhileBuilding(); sig != 0 {
			panic(ended{128 + int(sig)})
		}
		return
	}
	_, file, line, _ := runtime.Caller(skip)
	call := ""
	if filepath.Base(file) == "main.go" {
		call = callOn(line)
	}
	fail(err, call, line)
}

// callOn returns the name of the system call that a line of main.go makes:
// must(unix.Sethostname([]byte(hostname))). It is "" where none has its name.
func callOn(line int) string {
	if line < 1 || line > len(lines) {
		return ""
	}
	_, behind, _ := strings.Cut(lines[line-1], "unix.")
	name, _, found := strings.Cut(behind, "(")
	switch {
	case !found || name == "" || strings.ContainsAny(name, " .,|)"):
		return ""
	case name == "Exec":
		return "execve"
	}
	return strings.ToLower(name)
}

// fail says what failed and what to do about it, and ends this side. call is
// the system call, where the error does not name it, and line the line of
// main.go, 0 for none.
func fail(err error, call string, line int) {
	host.stopContainer()
	text := err.Error()
	var path *fs.PathError
	if errors.As(err, &path) {
		call = path.Op
		if call == "fork/exec" {
			call = "clone"
		}
	} else if call != "" {
		text = call + ": " + text
	}
	hint := ""
	var errno syscall.Errno
	if errors.As(err, &errno) && !narrate.Watched() {
		hint = narrate.Hint(call, errno, ownStatus(), rootLine())
	}
	switch {
	case errors.Is(err, proc.ErrNotFound):
		hint = narrate.HintNotFound
	case errors.Is(err, proc.ErrNotExecutable):
		hint = narrate.HintNotExecutable
	}
	say(text, hint, err, line)
	panic(ended{exitStatus(err, call)})
}

// exitStatus is the exit status that stands for an error.
func exitStatus(err error, call string) int {
	var status interface{ ExitStatus() int }
	switch {
	case errors.As(err, &status):
		return status.ExitStatus()
	case errors.Is(err, proc.ErrNotFound) || call == "execve" && errors.Is(err, unix.ENOENT):
		return statusNotFound
	case errors.Is(err, proc.ErrNotExecutable) || call == "execve":
		return statusCannotRun
	}
	return statusFailed
}

// ownStatus is the text of /proc/self/status. After chroot there may be no /proc,
// so the container's side has read it before.
func ownStatus() string {
	if side == "container" {
		return handed.status
	}
	return proc.Read("/proc/self/status")
}

// rootLine is the line that does as root what was typed.
func rootLine() string {
	if side == "container" { // what was typed stands on the host's side
		return proc.Typed(manual.Program, true, "run", "/bin/sh")
	}
	return proc.Typed(manual.Program, true, os.Args[1:]...)
}

// End is deferred by main. It ends the program when a call has failed or a
// signal has come, with the exit status for that.
func End() {
	reason := recover()
	if reason == nil {
		return
	}
	host.stopContainer()
	if e, ok := reason.(ended); ok {
		os.Exit(e.status)
	}
	panic(reason)
}

// Root returns the root file system to use, as rootfs.Prepare found it: an error
// ends the program, and a note is said.
func Root(root, note string, err error) string {
	if err != nil {
		fail(err, "", 0)
	}
	if note != "" {
		Note("%s", note)
	}
	must(nil, 2) // making it took time, and a signal may have come
	return root
}

// Find returns the path of a command as execve needs it: looked for in the PATH
// of environment, unless it holds a slash. When there is none it ends the
// program, with exit status 127, or 126 for one that cannot be run.
func Find(command string, environment []string) string {
	path, err := proc.LookUp(command, environment)
	if err != nil {
		fail(err, "", 0)
	}
	return path
}

// Environment is what the command gets to know of the world.
func Environment() []string {
	sign := "#"
	if os.Geteuid() != 0 {
		sign = "$"
	}
	return []string{
		"PATH=/bin:/usr/bin:/sbin:/usr/sbin:/usr/local/bin",
		"HOME=" + os.Getenv("HOME"),
		"TERM=" + os.Getenv("TERM"),
		"PS1=container:$PWD" + sign + " ",
	}
}

// Note says one thing that is no error: nothing with -quiet, and nothing among
// the objects of -json.
func Note(format string, args ...any) {
	if !settings.Quiet && !settings.JSON {
		write(fmt.Sprintf("%s: %s\n", manual.Program, narrate.Safe(fmt.Sprintf(format, args...))))
	}
}

// say prints what went wrong, with the line of main.go, the errno's name and
// what to do about it. With -json it is an object like all others, without a call.
func say(text, hint string, err error, line int) {
	text, hint = narrate.Safe(text), narrate.Safe(hint)
	var errno syscall.Errno
	name := ""
	if errors.As(err, &errno) {
		name = unix.ErrnoName(errno)
		if strings.HasSuffix(text, errno.Error()) {
			text += " (" + name + ")"
		}
	}
	if settings.JSON && !settings.Quiet {
		sayJSON(strings.TrimSpace(text+"\n"+hint), name, line)
		return
	}
	where := ""
	if line != 0 {
		where = fmt.Sprintf("main.go:%d: ", line)
	}
	if hint != "" {
		hint += "\n"
	}
	write(fmt.Sprintf("%s: %s%s\n%s", manual.Program, where, text, hint))
}

func sayJSON(text, errno string, line int) {
	record := struct {
		Lesson string `json:"lesson"`
		Side   string `json:"side"`
		PID    int    `json:"pid"`
		Call   string `json:"call"`
		Args   string `json:"args"`
		Ret    int    `json:"ret"`
		Errno  string `json:"errno"`
		Why    string `json:"why"`
		Man    string `json:"man"`
		File   string `json:"file"`
		Line   int    `json:"line"`
	}{Lesson: manual.Program, Side: side, PID: os.Getpid(), Ret: -1, Errno: errno, Why: text}
	if line != 0 {
		record.File, record.Line = "main.go", line
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(record) == nil {
		write(b.String())
	}
}

// withoutPath is what an error of a file says but for the file's name.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// stderr is the descriptor that write writes to.
var stderr = 2

// write writes to stderr. An os.File would end the program when nobody reads it
// anymore (SIGPIPE), and that is no reason to end.
func write(text string) {
	for b := []byte(text); len(b) > 0; {
		n, err := unix.Write(stderr, b)
		if err != nil && err != unix.EINTR {
			return
		}
		b = b[max(n, 0):]
	}
}
