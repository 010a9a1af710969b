package narrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Story says what is told, and how.
type Story struct {
	Program  string   // the name that records have in "lesson"
	Settings Settings // how to narrate
	AsRoot   string   // the line to type that does the same as root, for hints
	Explains bool     // the program that this process becomes is somebody else's
	Source   string   `json:"-"` // its main.go, whose comments say why; "" for none
}

// brief is what the narrator is told at its start.
type brief struct {
	Story
	Lesson bool // Watch has started it: two sides, one container, told in one order
}

// send sends the brief to the narrator, as a line.
func (b brief) send(socket int) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	for text = append(text, '\n'); len(text) > 0; {
		n, err := retried(func() (int, error) { return unix.SendmsgN(socket, text, nil, nil, unix.MSG_NOSIGNAL) })
		if err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// receiveBrief receives what send has sent.
func receiveBrief(socket int) (b brief, err error) {
	var text []byte
	part := make([]byte, 1<<16)
	for {
		n, err := retried(func() (int, error) { return unix.Read(socket, part) })
		if err != nil || n == 0 {
			return brief{}, io.ErrUnexpectedEOF // the program has ended before it could say anything
		}
		text = append(text, part[:n]...)
		if part[n-1] == '\n' {
			return b, json.Unmarshal(text, &b)
		}
	}
}

// isNarrator reports whether this process was started to narrate another one.
func isNarrator() bool { return isStarted(watchWord) }

func isStarted(word string) bool {
	return len(os.Args) == 2 && os.Args[1] == word && isSocket(leaveFD)
}

// startedApart goes on when the process has ended that starts the narrator. Somebody
// else's program may wait for all its children, as crun does: the narrator must be none.
func startedApart(starter, socket int, b brief) error {
	var status syscall.WaitStatus
	if _, err := retried(func() (int, error) { return syscall.Wait4(starter, &status, 0, nil) }); err != nil {
		return fmt.Errorf("wait4(%d): %w", starter, err)
	}
	if status != 0 {
		return errors.New("it cannot be started")
	}
	// See start. Whose pid it is we do not know.
	const anybody = ^uintptr(0) // PR_SET_PTRACER_ANY
	unix.Prctl(unix.PR_SET_PTRACER, anybody, 0, 0, 0)
	defer unix.Prctl(unix.PR_SET_PTRACER, 0, 0, 0, 0)
	return leave(socket, b)
}

// standApart starts the narrator.
func standApart() error {
	_, err := syscall.ForkExec("/proc/self/exe", []string{os.Args[0], watchWord}, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2, leaveFD, narrateFD},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	return err
}

// Serve makes this process the narrator, and ends it after that, if Beside has
// started it as one. A program that calls Beside calls Serve first of all.
func Serve() {
	switch {
	case isNarrator():
		become("")
		os.Exit(0)
	case isStarted(apartWord):
		if standApart() != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// Beside narrates what this process does from here on, and all that it starts: as
// Watch does, but of any program, with the catalogue's sentences. It returns when the
// narrator has seized this process, or when one sentence has said why it cannot. With
// Settings.Quiet it does nothing.
func Beside(s Story) {
	if isStarted(watchWord) || isStarted(apartWord) {
		panic("narrate: this process is the narrator: main must call Serve first") // else it starts itself without end
	}
	if s.Settings.Quiet {
		return
	}
	if !offer(s.Source) {
		beside(brief{Story: s})
	} else if s.Settings.To != "" || s.Settings.JSON {
		fmt.Fprintln(os.Stderr, "A narrator watches already, and tells this, too: its -to and -json count, and not these.")
	}
}

// beside starts the narrator, or says why it cannot watch.
func beside(b brief) {
	to := 2
	if b.Settings.To != "" {
		to = openTo(b.Settings.To)
	}
	err := start(b, to)
	if err != nil {
		fmt.Fprintf(os.Stderr, "The narrator cannot watch: %v. The program goes on, silently.\n", err)
	}
	isWatched(err == nil)
}

// watched is whether the narrator watches this process; nil until somebody knows or asks.
var watched *bool

func isWatched(is bool) bool {
	watched = &is
	return is
}

// Watched reports whether the narrator watches this process: then it tells what
// failed and what to do about it, and the program need not. A process that another
// one of the same program has started asks while it sees the host's /proc.
func Watched() bool {
	if watched == nil {
		isWatched(tracedByUs())
	}
	return *watched
}

// offerOption is an option of prctl(2) that no kernel has. A program that calls Watch
// makes this call first: to the kernel it means nothing, but a narrator that watches
// already, as "final explain" does, takes the source from it, and answers.
const offerOption = 0x476f4e73 // GoNs

// offer offers this program's source to a narrator that watches already. It reports
// whether one does.
func offer(source string) bool {
	_, _, errno := unix.RawSyscall(unix.SYS_PRCTL, offerOption, uintptr(unsafe.Pointer(unsafe.StringData(source))), uintptr(len(source)))
	return errno == unix.EALREADY && isWatched(true)
}
