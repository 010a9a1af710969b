package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/fatih/color"
	"golang.org/x/sys/unix"

	"gonsrun/internal/check"
)

// terminal is where the learner sits.
type terminal struct {
	keys  chan byte
	modes *unix.Termios // before; nil when they are as they were
}

// openTerminal returns nil where there is nobody to press a key or to read.
func openTerminal() *terminal {
	for _, fd := range []int{0, 1} {
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
			return nil
		}
	}
	return &terminal{keys: make(chan byte)}
}

// start makes keys come one by one, without Enter.
func (t *terminal) start() {
	t.raw()
	go func() {
		key := make([]byte, 1)
		for {
			n, err := os.Stdin.Read(key)
			if n == 1 {
				t.keys <- key[0]
			}
			if err != nil {
				t.keys <- 'q' // the terminal is gone
				return
			}
		}
	}()
}

func (t *terminal) raw() {
	modes, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return
	}
	before := *modes
	t.modes = &before
	modes.Lflag &^= unix.ICANON | unix.ECHO
	modes.Cc[unix.VMIN], modes.Cc[unix.VTIME] = 1, 0
	unix.IoctlSetTermios(0, unix.TCSETS, modes)
}

// end gives the terminal back as it was.
func (t *terminal) end() {
	if t.modes != nil {
		unix.IoctlSetTermios(0, unix.TCSETS, t.modes)
		t.modes = nil
	}
}

// stop is Ctrl-Z.
func (t *terminal) stop() {
	t.end()
	unix.Kill(os.Getpid(), unix.SIGSTOP)
	t.raw()
}

var styles = map[check.Kind]*color.Color{
	check.Title:  color.New(color.Bold),
	check.Good:   color.New(color.FgGreen),
	check.Bad:    color.New(color.FgRed, color.Bold),
	check.Why:    color.New(color.FgRed),
	check.Output: color.New(color.Faint),
}

// show writes one screen, with a last line.
func (t *terminal) show(l *learner, last string) {
	width, rows := 80, 24
	if size, err := unix.IoctlGetWinsize(1, unix.TIOCGWINSZ); err == nil && size.Col > 0 && size.Row > 0 {
		width, rows = min(int(size.Col), 100), int(size.Row)
	}
	var text strings.Builder
	if !isDumb() {
		text.WriteString("\x1b[H\x1b[2J")
	}
	for _, line := range l.screen(width-1, rows-3) {
		if style := styles[line.Kind]; style != nil {
			line.Text = style.Sprint(line.Text)
		}
		text.WriteString(line.Text + "\n")
	}
	fmt.Fprint(os.Stdout, text.String()+"\n"+strings.Join(check.Wrap(last, width-1), "\n")+"\n")
}
