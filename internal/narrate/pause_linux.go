package narrate

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pause waits for keys, with -pause. They come from the terminal itself: stdin
// is the command's.
type pause struct {
	on       bool
	off      bool            // g: go on without waiting
	hurry    bool            // Ctrl-Z came in the middle of Go's clone and execve
	skip     map[string]Side // c: this chapter goes on without waiting, until who told it then tells another; in lessons, "" for all of a side
	waitsFor *told           // the call before which a key is waited for
	keys     chan byte
	lost     chan *reading // nothing can be read from the terminal anymore

	processes func() []int // the program's, which may read from the terminal; the host's side first
	alone     bool         // what is typed reaches us, and not the host's side

	prompts prompts
	print   *printer
	fd      int           // of the terminal
	tty     *os.File      // the same, to read from
	until   time.Time     // it is about to stop: nobody reads before
	modes   *unix.Termios // of the terminal before we wait for a key; nil when we do not
	reading *reading
}

// reading is one waiting for a key: a goroutine reads, until it is given up.
type reading struct{ pause *pause }

// prompts are what is shown while a key is waited for.
type prompts struct {
	wide   string
	narrow string // for a narrow terminal
}

var (
	lessonPrompts = prompts{"Enter: next  c: until the other side's turn  g: go on  q: quit ", "Enter: next  c  g: go on  q: quit "}
	wholePrompts  = prompts{"Enter: next  c: to the end of the chapter  g: go on  q: quit ", lessonPrompts.narrow}
)

// newPause gets ready to wait for keys. host is the process group of the host's side.
func newPause(wanted bool, host int, print *printer) *pause {
	p := &pause{skip: map[string]Side{}, prompts: lessonPrompts, print: print, keys: make(chan byte), lost: make(chan *reading)}
	if !wanted {
		return p
	}
	// O_NONBLOCK, so that a read can be given up.
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		print.out.say("-pause waits for a key on the terminal, and there is none here: going on without it.\n")
		return p
	}
	if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil || group != host {
		// As sudo starts a program whose output goes into a pipe.
		unix.Close(fd)
		print.out.say("-pause waits for a key on the terminal, and this is in the background of it: going on without it.\n")
		return p
	}
	p.on, p.fd, p.tty = true, fd, os.NewFile(uintptr(fd), "/dev/tty")
	return p
}

// before waits for a key before a call, and reports whether it does.
func (p *pause) before(t *told) bool {
	for chapter, side := range p.skip {
		if side == t.speaker.side && chapter != t.chapter || side != t.speaker.side && t.chapter == "" {
			delete(p.skip, chapter)
		}
	}
	_, skips := p.skip[t.chapter]
	if !p.on || p.off || skips || p.hurry && t.borrows() {
		return false
	}
	p.waitsFor = t
	p.again()
	return true
}

// again shows the prompt and reads, if a call waits for a key and we do not read
// already.
func (p *pause) again() {
	if p.waitsFor == nil || p.modes != nil || time.Now().Before(p.until) || !p.foreground() {
		return
	}
	modes, err := unix.IoctlGetTermios(p.fd, unix.TCGETS)
	if err != nil {
		return
	}
	p.modes = modes
	single := *modes // a key at a time, not a line; Ctrl-C and Ctrl-Z stay signals
	single.Lflag &^= unix.ICANON | unix.ECHO
	single.Cc[unix.VMIN], single.Cc[unix.VTIME] = 1, 0
	unix.IoctlSetTermios(p.fd, unix.TCSETS, &single)
	p.tty.WriteString(p.prompt())
	p.tty.SetReadDeadline(time.Time{})
	p.reading = &reading{p}
	go p.reading.read()
}

// prompt fits on the terminal.
func (p *pause) prompt() string {
	size, err := unix.IoctlGetWinsize(p.fd, unix.TIOCGWINSZ)
	if err == nil && size.Col != 0 && int(size.Col) < len(p.prompts.wide) {
		return p.prompts.narrow
	}
	return p.prompts.wide
}

// stops leaves the terminal to the shell, before the program stops for Ctrl-Z.
func (p *pause) stops() {
	p.leave()
	p.until = time.Now().Add(stopPatience)
}

// stopPatience is how long a program may take to stop for Ctrl-Z. One that has not
// done so by then does not mean to.
const stopPatience = 5 * time.Second

// resumes shows the prompt again, when the program goes on after Ctrl-Z.
func (p *pause) resumes() {
	p.until = time.Time{}
	p.again()
}

// foreground joins the process group that has the terminal, if it is one of the
// program's: others may not read from it.
func (p *pause) foreground() bool {
	group, err := unix.IoctlGetInt(p.fd, unix.TIOCGPGRP)
	if err != nil {
		return false
	}
	if group == unix.Getpgrp() {
		return true
	}
	for i, process := range p.processes() {
		if theirs, err := unix.Getpgid(process); err == nil && theirs == group {
			p.alone = i > 0
			return unix.Setpgid(0, group) == nil
		}
	}
	return false
}

// read delivers keys until its read is given up.
func (r *reading) read() {
	p, key := r.pause, make([]byte, 1)
	for {
		n, err := p.tty.Read(key)
		if err != nil || n == 0 {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				select { // the terminal has been given to another process group
				case p.lost <- r:
				case <-time.After(patience):
				}
			}
			return
		}
		select {
		case p.keys <- key[0]:
		case <-time.After(patience):
		}
	}
}

// leave leaves the terminal as it was, with no prompt on it, and the process
// group that has it: what stops that group must not stop us.
func (p *pause) leave() {
	if p.modes == nil {
		return
	}
	unix.IoctlSetTermios(p.fd, unix.TCSETS, p.modes)
	p.modes = nil
	p.tty.SetReadDeadline(time.Unix(1, 0))
	p.tty.WriteString("\r\x1b[2K")
	unix.Setpgid(0, 0)
}

// loses is a reading that can read no more. One that was given up was in the
// background by then, and is of no interest.
func (p *pause) loses(r *reading) {
	if r == p.reading {
		p.leave()
	}
}

// done ends the waiting for a key.
func (p *pause) done() {
	p.leave()
	p.waitsFor = nil
}
