package narrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Side is who speaks.
type Side string

// The two sides of a container.
const (
	Host      Side = "host"
	Container Side = "container"
)

// Config says who speaks, and how. The container's side gets the host's.
type Config struct {
	Program string // its name
	Side    Side
	Quiet   bool // say nothing but errors
	Pause   bool // wait for Enter before each call
	JSON    bool // one JSON object a line

	Compact bool // about one line a call

	AsRoot  string // the line that does the same as root
	Example string // a line that works, and the one for the manual, as FailUsage
	Manual  string // shows them; "" for those of the whole program

	OwnTerminal bool // the command has a terminal of its own, and leaves ours alone
}

var (
	config     = Config{Side: Host}
	width      = defaultWidth
	onTerminal bool // stderr is one
)

// Speak sets who speaks and how. A program that narrates nothing before it has
// read its flags can say errors until then: it calls Speak again afterwards.
func Speak(c Config) {
	config = c
	size, err := unix.IoctlGetWinsize(2, unix.TIOCGWINSZ)
	onTerminal = err == nil
	if onTerminal && size.Col > 0 {
		width = max(minWidth, min(maxWidth, int(size.Col)))
	}
	useColor(onTerminal)
	if config.Pause && !config.Quiet {
		openPause()
	}
}

// record is a narrated call as -json prints it.
type record struct {
	Lesson string `json:"lesson"`
	Side   Side   `json:"side"`
	PID    int    `json:"pid"` // as this side sees itself
	Call   string `json:"call"`
	Args   string `json:"args"` // as strace prints them, … for what was left out
	Ret    int    `json:"ret"`
	Errno  string `json:"errno"` // "" for success, else a name as in errno(3)
	Why    string `json:"why"`
	Man    string `json:"man"` // the manual page to read
}

func newRecord(why, call string) record {
	name, args, _ := strings.Cut(call, "(")
	return record{
		Lesson: config.Program, Side: config.Side, PID: os.Getpid(),
		Call: name, Args: strings.TrimSuffix(args, ")"), Why: why, Man: manualPage(name),
	}
}

// print writes r as one line of JSON.
func (r record) print() {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(r) == nil {
		os.Stderr.WriteString(b.String())
	}
}

// manualPage names the page of section 2 that describes a call. Some pages
// describe a family: mkdirat stands in mkdir(2).
func manualPage(call string) string {
	switch call {
	case "":
		return ""
	case "clone3":
		return "clone(2)"
	case "umount2":
		return "umount(2)"
	case "prctl", "seccomp", "chdir":
	case "sendto":
		return "rtnetlink(7)"
	case "setresgid":
		return "setresuid(2)"
	default:
		call = strings.TrimSuffix(call, "at")
	}
	return call + "(2)"
}

// Try narrates a call that answers 0, and returns its error as a *CallError.
func Try(why, call string, do func() error) error {
	_, err := TryResult(why, call, func() (int, error) { return 0, do() })
	return err
}

// TryResult narrates a call that answers a number, and returns its error as a
// *CallError.
func TryResult(why, call string, do func() (int, error)) (int, error) {
	stopIfInterrupted()
	announce(why, call, true)
	pause()
	ret, err := do()
	return ret, answer(why, call, ret, err)
}

// CallError is a system call that failed.
type CallError struct {
	Call string // as narrated
	Err  error
}

// Error names the call with its arguments, and the errno.
func (e *CallError) Error() string { return e.Call + ": " + errnoText(e.Err) }

// Unwrap returns the errno.
func (e *CallError) Unwrap() error { return e.Err }

// announce prints why a call is made and what the kernel will see. When the
// answer follows at once, a compact narration leaves the line open for it.
func announce(why, call string, answerFollows bool) {
	if config.Quiet || config.JSON {
		return
	}
	var b block
	if why != "" {
		b.text(plainStyle, why)
	}
	b.call(call)
	b.open = answerFollows && config.Compact && !config.Pause
	b.held = answerFollows && !onTerminal && !config.Pause
	b.print()
}

// answer prints what the kernel said, and wraps an error.
func answer(why, call string, ret int, err error) error {
	if err != nil {
		ret = -1
	}
	style, text := goodStyle, fmt.Sprintf("= %d", ret)
	if err != nil {
		style, text = badStyle, "= -1 "+errnoText(err)
	}
	switch {
	case config.Quiet:
	case config.JSON:
		r := newRecord(why, call)
		r.Ret, r.Errno = ret, errnoName(err)
		r.print()
	default:
		more(style, text)
	}
	if err == nil {
		return nil
	}
	lastAnswer = &CallError{Call: call, Err: err}
	return lastAnswer
}

// Note says one thing that is not a system call.
func Note(format string, args ...any) {
	if config.Quiet || config.JSON {
		return
	}
	var b block
	b.text(plainStyle, fmt.Sprintf(format, args...))
	b.print()
}

// Evidence prints a fact that the caller has just read from the kernel.
func Evidence(format string, args ...any) {
	if config.Quiet || config.JSON {
		return
	}
	more(plainStyle, "seen: "+fmt.Sprintf(format, args...))
}

// errnoText is an error as the kernel's manual writes it: EPERM (operation not permitted).
func errnoText(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return fmt.Sprintf("%s (%s)", unix.ErrnoName(errno), errno)
	}
	return err.Error()
}

// errnoName is the name of err's errno, "" for none.
func errnoName(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return ""
}
