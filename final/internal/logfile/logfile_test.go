//go:build linux

package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// small is a log whose files are full at 10 bytes.
func small(t *testing.T) (*Writer, string) {
	dir := t.TempDir()
	w, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	w.max = 10
	return w, dir
}

func read(t *testing.T, dir string) string {
	var out bytes.Buffer
	if err := Copy(&out, dir, false, nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWholeAndInOrder(t *testing.T) {
	w, dir := small(t)
	for _, part := range []string{"one ", "two ", "three ", "four"} {
		if n, err := io.WriteString(w, part); n != len(part) || err != nil {
			t.Fatalf("wrote %d bytes of %q: %v", n, part, err)
		}
	}
	if got := read(t, dir); got != "one two three four" {
		t.Errorf("the log is %q", got)
	}
}

func TestBounded(t *testing.T) {
	w, dir := small(t)
	io.WriteString(w, strings.Repeat("old ", 100)+"this is the end")
	if got := read(t, dir); !strings.HasSuffix(got, "the end") || len(got) > 20 || len(got) < 10 {
		t.Errorf("the log is %q, want at most 20 bytes and the last 10", got)
	}
}

// TestFollow writes over many changes of the file while a reader follows, which
// is asked to end when all is written.
func TestFollow(t *testing.T) {
	w, dir := small(t)
	w.max = 1 << 16
	var ended atomic.Bool
	out, done := &lockedBuffer{}, make(chan error)
	go func() { done <- Copy(out, dir, true, ended.Load) }()
	line := []byte("a line of the container's output\n")
	const lines = 2500 // more than one file, less than two: nothing may be lost
	for range lines {
		w.Write(line)
	}
	ended.Store(true)
	os.WriteFile(dir+"/state.json", nil, 0o600) // the event that a reader waits for
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), strings.Repeat(string(line), lines); got != want {
		t.Errorf("followed %d bytes, want %d", len(got), len(want))
	}
}

type lockedBuffer struct{ bytes.Buffer }

// A reader that looks while the files change places again and again finds, each
// time, lines that follow each other.
func TestNoHole(t *testing.T) {
	w, dir := small(t)
	w.max = 500
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- w.Close()
				return
			default:
				if _, err := fmt.Fprintf(w, "%09d\n", i); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	for range 100 {
		lines := strings.Fields(read(t, dir))
		for i := 1; i < len(lines); i++ {
			before, _ := strconv.Atoi(lines[i-1])
			if line, _ := strconv.Atoi(lines[i]); line != before+1 {
				t.Fatalf("%s follows %s", lines[i], lines[i-1])
			}
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// step is a reader that does not get on before it is told to.
type step struct {
	text          []byte
	reached, goOn chan struct{}
}

func (s *step) Write(p []byte) (int, error) {
	if len(s.text) == 0 {
		close(s.reached)
		<-s.goOn
	}
	s.text = append(s.text, p...)
	return len(p), nil
}

// A reader that follows loses nothing while it is less than two files behind.
func TestSlowReader(t *testing.T) {
	w, dir := small(t)
	io.WriteString(w, "aaaaaaaa")
	out := &step{reached: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan error)
	go func() { done <- Copy(out, dir, true, func() bool { return true }) }()
	<-out.reached
	io.WriteString(w, "AAbbbbbbbbbbccc")
	close(out.goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := string(out.text); got != "aaaaaaaaAAbbbbbbbbbbccc" {
		t.Errorf("followed %q", got)
	}
}

// A container that removes itself does so right after its last words.
func TestRemoved(t *testing.T) {
	w, dir := small(t)
	io.WriteString(w, "first ")
	out := &step{reached: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan error)
	go func() { done <- Copy(out, dir, true, func() bool { return false }) }()
	<-out.reached
	io.WriteString(w, "end")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	close(out.goOn)
	if err := <-done; err != nil || string(out.text) != "first end" {
		t.Errorf("followed %q, %v", out.text, err)
	}
}

// 100 MB are there, whole.
func TestMuch(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	part, size := bytes.Repeat([]byte("0123456789abcde\n"), 1<<12), 0
	for ; size < 100_000_000; size += len(part) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	counted := &counter{}
	if err := Copy(counted, dir, false, nil); err != nil || counted.n != size {
		t.Errorf("%d bytes of %d, %v", counted.n, size, err)
	}
}

type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }

func TestNoLog(t *testing.T) {
	if err := Copy(io.Discard, t.TempDir(), true, nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "-d") {
		t.Errorf("no log: %v", err)
	}
	if err := Copy(io.Discard, "/nonexistent", false, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
