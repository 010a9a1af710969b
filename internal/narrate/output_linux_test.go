package narrate

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipe is an output, and its other end.
func pipe(t *testing.T) (*output, *os.File, int) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	reader := os.NewFile(uintptr(ends[0]), "pipe")
	t.Cleanup(func() { reader.Close() })
	return newOutput(ends[1]), reader, ends[1]
}

// What is said is written when say returns.
func TestOutput(t *testing.T) {
	o, reader, fd := pipe(t)
	o.say("one ")
	o.say("")
	o.say("two")
	unix.Close(fd)
	var all bytes.Buffer
	all.ReadFrom(reader)
	if all.String() != "one two" {
		t.Errorf("written: %q", all.String())
	}
}

// A reader that stands still is waited for once, and what it has missed is there
// when it reads again.
func TestOutputStuck(t *testing.T) {
	o, reader, fd := pipe(t)
	size, _ := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	text := strings.Repeat("x", size/2+1)
	begin := time.Now()
	for range 2*backlog + 10 {
		o.say(text[:1+size/2])
	}
	if took := time.Since(begin); took < patience || took > 2*patience {
		t.Errorf("a reader that stands still is waited for %v, expected about %v", took, patience)
	}
	if len(o.texts) > backlog || o.pending > backlog+2 {
		t.Errorf("%d texts wait", o.pending)
	}
	// It reads again.
	buffer := make([]byte, 1<<20)
	for read := 0; read < 4*len(text); {
		n, err := reader.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		read += n
	}
}

// A reader that goes away stops nobody; somebody else's O_NONBLOCK loses nothing.
func TestOutputGone(t *testing.T) {
	o, reader, _ := pipe(t)
	reader.Close()
	begin := time.Now()
	for range 100 {
		o.say("nobody reads this")
	}
	if took := time.Since(begin); took > patience {
		t.Errorf("a reader that is gone is waited for: %v", took)
	}

	o, reader, fd := pipe(t)
	unix.SetNonblock(fd, true)
	size, _ := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	whole := strings.Repeat("0123456789", size/5)
	done := make(chan string)
	go func() {
		time.Sleep(50 * time.Millisecond)
		var all bytes.Buffer
		all.ReadFrom(reader)
		done <- all.String()
	}()
	o.say(whole)
	unix.Close(fd)
	if got := <-done; got != whole {
		t.Errorf("%d of %d bytes have come through a descriptor with O_NONBLOCK", len(got), len(whole))
	}
}
