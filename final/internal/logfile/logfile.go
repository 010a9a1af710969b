//go:build linux

// Package logfile keeps what a detached container printed, whole and in order,
// in bounded space: two files of at most MaxSize bytes each. When the newer one,
// log, is full, it takes the place of the older one, log.1. So what was printed
// last is always there, MaxSize bytes of it at least.
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
// event before it asks whether the container has ended: a keeper that was killed
// makes none.
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
	w.file, err = os.OpenFile(newer(w.dir), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	w.size = 0
	return err
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

func (w *Writer) rotate() error {
	w.file.Close()
	if err := os.Rename(newer(w.dir), older(w.dir)); err != nil {
		return err
	}
	return w.open()
}

// Close ends the log.
func (w *Writer) Close() error { return w.file.Close() }

// Copy writes the log in dir to out. With follow it goes on until ended reports
// that nothing more will come; ended is asked before the last look at the log.
func Copy(out io.Writer, dir string, follow bool, ended func() bool) error {
	events, err := watch(dir)
	if err != nil {
		return err
	}
	defer unix.Close(events)
	if err := copyOlder(out, dir); err != nil {
		return err
	}
	file, err := os.Open(newer(dir))
	if err != nil {
		return fmt.Errorf("this container has no log, it was not started with -d: %w", err)
	}
	defer func() { file.Close() }()
	for {
		last := !follow || ended()
		if _, err := io.Copy(out, file); err != nil {
			return err
		}
		next, err := successor(dir, file)
		switch {
		case err != nil: // the container was removed
			return nil
		case next != nil:
			io.Copy(out, file) // what came before the change
			file.Close()
			file = next
		case last:
			return nil
		default:
			wait(events)
		}
	}
}

// copyOlder copies log.1, where there is one.
func copyOlder(out io.Writer, dir string) error {
	file, err := os.Open(older(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(out, file)
	return err
}

// successor opens the log anew when file is not the newer one any more, else it
// returns nil.
func successor(dir string, file *os.File) (*os.File, error) {
	here, err := file.Stat()
	if err != nil {
		return nil, err
	}
	there, err := os.Stat(newer(dir))
	if err != nil || os.SameFile(here, there) {
		return nil, err
	}
	return os.Open(newer(dir))
}

// watch makes an inotify(7) descriptor for what happens in dir.
func watch(dir string) (int, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return 0, fmt.Errorf("inotify_init1: %w", err)
	}
	_, err = unix.InotifyAddWatch(fd, dir, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF)
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
