//go:build linux

package logfile

import (
	"bytes"
	"io"
	"os"
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
