package lessontest

import (
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refusal is a call that the kernel refuses, as a filter says: when the lower
// half of an argument, as far as the mask goes, has this value. See seccomp(2).
type refusal struct {
	call        uint32
	argument    int
	mask, value uint32
	errno       syscall.Errno
}

// refusing does something on a thread of its own that has the kernel refuse
// calls. What is started there inherits that.
func refusing(t testing.TB, refusals []refusal, do func()) {
	t.Helper()
	if len(refusals) == 0 {
		do()
		return
	}
	var err error
	var wait sync.WaitGroup
	wait.Add(1)
	go func() {
		defer wait.Done()
		runtime.LockOSThread() // and never unlocked: the thread ends with its filter
		if err = setFilter(filterOf(refusals)); err == nil {
			do()
		}
	}()
	wait.Wait()
	if err != nil {
		t.Fatalf("seccomp(SECCOMP_SET_MODE_FILTER): %v", err)
	}
}

// filterOf is a program for the kernel, over struct seccomp_data.
func filterOf(refusals []refusal) (program []unix.SockFilter) {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		and   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		give  = unix.BPF_RET | unix.BPF_K
	)
	for _, r := range refusals {
		program = append(program,
			unix.SockFilter{Code: load, K: 0},
			unix.SockFilter{Code: equal, K: r.call, Jf: 4},
			unix.SockFilter{Code: load, K: uint32(16 + 8*r.argument)},
			unix.SockFilter{Code: and, K: r.mask},
			unix.SockFilter{Code: equal, K: r.value, Jf: 1},
			unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ERRNO | uint32(r.errno)},
		)
	}
	return append(program, unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ALLOW})
}

// setFilter puts a filter on the calling thread.
func setFilter(program []unix.SockFilter) error {
	if unix.Geteuid() != 0 {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return errno
	}
	return nil
}

// inParallel does n things, some at a time.
func inParallel(workers, n int, do func(i int)) {
	var wait sync.WaitGroup
	work := make(chan int)
	for range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range work {
				do(i)
			}
		}()
	}
	for i := range n {
		work <- i
	}
	close(work)
	wait.Wait()
}

// Raw returns all that came out of the terminal.
func (term *Terminal) Raw() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.screen
}

// Resize changes the terminal's width; the kernel tells its foreground process
// group with SIGWINCH.
func (term *Terminal) Resize(columns int) {
	term.t.Helper()
	if _, err := term.control(func(fd int) (int, error) {
		return 0, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: uint16(columns)})
	}); err != nil {
		term.fail("the terminal can be resized (%v)", err)
	}
}

// render is what a terminal of that many columns shows: its lines, without the
// blanks at their ends. Of what terminals obey it knows what the narrator uses:
// carriage return, new line, colors, and to clear a line.
func render(raw string, columns int) (screen []string) {
	var line []rune
	column := 0
	newLine := func() {
		screen = append(screen, strings.TrimRight(string(line), " "))
		line, column = nil, 0
	}
	put := func(r rune, width int) {
		if column+width > columns {
			newLine()
		}
		for len(line) < column {
			line = append(line, ' ')
		}
		line = append(line[:column], append([]rune{r}, line[min(column+1, len(line)):]...)...)
		column += width
		if width == 2 { // its second column
			line = append(line[:column-1], append([]rune{0}, line[min(column, len(line)):]...)...)
		}
	}
	for len(raw) > 0 {
		r, size := utf8.DecodeRuneInString(raw)
		switch {
		case strings.HasPrefix(raw, "\x1b[2K"):
			line, size = nil, len("\x1b[2K")
		case r == '\x1b':
			size = len(colors.FindString(raw))
			if size == 0 || !strings.HasPrefix(raw, colors.FindString(raw)) {
				size = 1
			}
		case r == '\n':
			newLine()
		case r == '\r':
			column = 0
		case isWide(r):
			put(r, 2)
		default:
			put(r, 1)
		}
		raw = raw[size:]
	}
	newLine()
	for i := range screen {
		screen[i] = strings.ReplaceAll(screen[i], "\x00", "")
	}
	return screen
}

// widest is how many columns the widest line takes, where no terminal breaks
// lines. Blanks at its end do not count.
func widest(raw string) (most int, widestLine string) {
	for _, line := range render(raw, 1<<20) {
		n := 0
		for _, r := range line {
			n++
			if isWide(r) {
				n++
			}
		}
		if n > most {
			most, widestLine = n, line
		}
	}
	return most, widestLine
}

// isWide reports whether a letter takes two columns: those of Chinese, of
// Japanese and of Korean, and their punctuation.
func isWide(r rune) bool {
	return r >= 0x1100 && r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff01 && r <= 0xff60
}
