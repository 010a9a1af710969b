//go:build linux

// Package logfile keeps what a detached container printed, whole and in order,
// in bounded space: two files of at most MaxSize bytes each. When the newer one,
// log, is full, it takes the place of the older one, log.1. So what was printed
// last is always there, MaxSize bytes of it at least, and all of it up to twice
// as much.
package logfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// MaxSize is the size, in bytes, at which the newer file takes the older one's place.
const MaxSize = 64 << 20

// deadKeeper is how long, in milliseconds, a reader that follows waits for an
// event before it asks whether the container has ended: of a keeper that was
// killed the event may come before its lock is free.
const deadKeeper = 1000

// Writer writes a log. It is not for use by two goroutines at once.
type Writer struct {
	dir  string
	file *os.File
	size int64
	max  int64
}

// Create begins the log in the folder dir.
func Create(dir string) (*Writer, error) {
	w := &Writer{dir: dir, max: MaxSize}
	return w, w.open()
}

func newer(dir string) string { return filepath.Join(dir, "log") }
func older(dir string) string { return filepath.Join(dir, "log.1") }

func (w *Writer) open() (err error) {
	// In one step, so that there is a log at all times, even if we die here.
	building := newer(w.dir) + ".new"
	w.file, err = os.OpenFile(building, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	w.size = 0
	if err != nil {
		return err
	}
	return os.Rename(building, newer(w.dir))
}

// Write adds p to the log.
func (w *Writer) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		if w.size == w.max {
			if err := w.rotate(); err != nil {
				return written, err
			}
		}
		n, err := w.file.Write(p[:min(int64(len(p)), w.max-w.size)])
		w.size, written, p = w.size+int64(n), written+n, p[n:]
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// rotate makes the newer file the older one and begins a new one. For a moment
// it goes by both names; a reader never finds either missing.
func (w *Writer) rotate() error {
	w.file.Close()
	full := newer(w.dir) + ".full"
	if err := os.Link(newer(w.dir), full); err != nil {
		return err
	}
	if err := os.Rename(full, older(w.dir)); err != nil {
		return err
	}
	return w.open()
}

// Close ends the log.
func (w *Writer) Close() error { return w.file.Close() }

// Copy writes the log in dir to out. With follow it goes on until ended reports
// that nothing more will come; ended is asked before the last look at the log.
// What is two files behind the newest output is lost to a reader that slow.
func Copy(out io.Writer, dir string, follow bool, ended func() bool) error {
	events, err := watch(dir)
	if err != nil {
		return err
	}
	defer unix.Close(events)
	files, err := openLog(dir)
	if err != nil {
		return fmt.Errorf("this container has no log, it was not started with -d: %w", err)
	}
	defer func() { files.close() }()
	if files.older != nil {
		if _, err := io.Copy(out, files.older); err != nil {
			return err
		}
	}
	for {
		last := !follow || ended()
		if _, err := io.Copy(out, files.newer); err != nil {
			return err
		}
		if !follow {
			return nil
		}
		next, err := files.successors(dir)
		switch {
		case err != nil: // the container was removed, after its last words
			_, err := io.Copy(out, files.newer)
			return err
		case next != nil:
			if err := files.finish(out, next); err != nil {
				return err
			}
			files.close()
			files = next
		case last:
			return nil
		default:
			wait(events)
		}
	}
}

// log is the two files as they were at one moment. older is nil when there is none.
type log struct{ older, newer *os.File }

func (l *log) close() {
	l.newer.Close()
	if l.older != nil {
		l.older.Close()
	}
}

// openLog opens both files. If they change places meanwhile, it tries again: a
// log with a hole in it would be a lie.
func openLog(dir string) (*log, error) {
	for {
		l := &log{}
		var err error
		if l.newer, err = os.Open(newer(dir)); err != nil {
			return nil, err
		}
		if l.older, err = os.Open(older(dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
			l.close()
			return nil, err
		}
		if l.isNewest(dir) {
			if l.older != nil && same(l.older, l.newer) { // in the middle of rotate
				l.older.Close()
				l.older = nil
			}
			return l, nil
		}
		l.close()
	}
}

// isNewest reports whether the newer file still has that name.
func (l *log) isNewest(dir string) bool {
	here, err1 := l.newer.Stat()
	there, err2 := os.Stat(newer(dir))
	return err1 == nil && err2 == nil && os.SameFile(here, there)
}

// successors opens the log anew when there is a newer file, else it returns nil.
func (l *log) successors(dir string) (*log, error) {
	if l.isNewest(dir) {
		return nil, nil
	}
	return openLog(dir)
}

// finish copies what came before the files changed: the rest of the newer one,
// and, when they changed twice, the whole file that came and went since.
func (l *log) finish(out io.Writer, next *log) error {
	if _, err := io.Copy(out, l.newer); err != nil {
		return err
	}
	if next.older == nil || same(next.older, l.newer) {
		return nil
	}
	_, err := io.Copy(out, next.older)
	return err
}

func same(a, b *os.File) bool {
	statA, err1 := a.Stat()
	statB, err2 := b.Stat()
	return err1 == nil && err2 == nil && os.SameFile(statA, statB)
}

// watch makes an inotify(7) descriptor for what happens in dir.
func watch(dir string) (int, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return 0, fmt.Errorf("inotify_init1: %w", err)
	}
	_, err = unix.InotifyAddWatch(fd, dir, unix.IN_MODIFY|unix.IN_CLOSE_WRITE|unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF)
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("inotify_add_watch %s: %w", dir, err)
	}
	return fd, nil
}

// wait waits for an event, and takes all that are there.
func wait(events int) {
	unix.Poll([]unix.PollFd{{Fd: int32(events), Events: unix.POLLIN}}, deadKeeper)
	buffer := make([]byte, 4096)
	for {
		if n, err := unix.Read(events, buffer); n <= 0 || err != nil {
			return
		}
	}
}
