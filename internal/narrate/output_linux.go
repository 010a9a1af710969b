package narrate

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// output is where the narration goes. A goroutine of its own writes, so that a
// reader who stands still never stops the one who traces: that one waits only
// as long as patience says, and once in a run.
type output struct {
	fd      int
	texts   chan string
	written chan struct{} // one for each text
	pending int
	stuck   bool // the reader has not read for patience
}

const (
	// patience is how long the narration waits for its reader: longer than any
	// terminal takes, short enough to be borne.
	patience = 2 * time.Second
	// backlog is how many texts wait for a reader that stands still. What comes
	// then is dropped.
	backlog = 1 << 12
)

func newOutput(fd int) *output {
	o := &output{fd: fd, texts: make(chan string, backlog), written: make(chan struct{}, backlog)}
	go o.write()
	return o
}

func (o *output) write() {
	for text := range o.texts {
		for b := []byte(text); len(b) > 0; {
			n, err := unix.Write(o.fd, b)
			switch {
			case err == unix.EINTR:
			case err == unix.EAGAIN: // somebody made it so for all who share it
				unix.Poll([]unix.PollFd{{Fd: int32(o.fd), Events: unix.POLLOUT}}, -1)
			case err != nil: // EPIPE: the reader is gone; EIO: the terminal is
				b = nil
			default:
				b = b[n:]
			}
		}
		o.written <- struct{}{}
	}
}

// say hands text over, and waits until it is written, but not for a reader that
// stands still.
func (o *output) say(text string) {
	if text == "" {
		return
	}
	if o.isRaw() {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	select {
	case o.texts <- text:
		o.pending++
	default:
		return
	}
	o.flush()
}

// flush waits until all is written.
func (o *output) flush() {
	late := time.NewTimer(patience)
	defer late.Stop()
	for o.pending > 0 {
		if o.stuck {
			select {
			case <-o.written:
				o.pending--
				continue
			default:
				return
			}
		}
		select {
		case <-o.written:
			o.pending--
		case <-late.C:
			o.stuck = true
		}
	}
	o.stuck = false
}

// size is how wide the terminal is, when it is one.
func (o *output) size() (columns int, terminal bool) {
	size, err := unix.IoctlGetWinsize(o.fd, unix.TIOCGWINSZ)
	if err != nil {
		return defaultWidth, false
	}
	if size.Col == 0 {
		return defaultWidth, true
	}
	return int(size.Col), true
}

// beginsLine reports whether what is written next will begin a line. That is known of
// a file, whose byte before says so.
func (o *output) beginsLine() bool {
	var st unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(o.fd), unix.F_GETFL, 0)
	if err != nil || unix.Fstat(o.fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	end := st.Size
	if flags&unix.O_APPEND == 0 {
		end, _ = unix.Seek(o.fd, 0, unix.SEEK_CUR)
	}
	file, err := os.Open("/proc/self/fd/" + strconv.Itoa(o.fd)) // ours can only be written
	if err != nil {
		return false
	}
	defer file.Close()
	last := make([]byte, 1)
	_, err = file.ReadAt(last, end-1)
	return end == 0 || err == nil && last[0] == '\n'
}

// isRaw reports whether the output is a terminal on which a line feed only goes down,
// as a runtime sets it that gives the command a terminal of its own.
func (o *output) isRaw() bool {
	mode, err := unix.IoctlGetTermios(o.fd, unix.TCGETS)
	return err == nil && mode.Oflag&unix.OPOST == 0
}

// colored reports whether the narration has color. The package color looks at
// stdout, and the narration goes elsewhere.
func (o *output) colored(s Settings) bool {
	_, noColor := os.LookupEnv("NO_COLOR")
	_, terminal := o.size()
	return terminal && !noColor && !s.NoColor && os.Getenv("TERM") != "dumb"
}
