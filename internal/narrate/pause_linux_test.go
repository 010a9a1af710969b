package narrate

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A reading that was given up, and finds itself in the background, does not end the one
// that has begun meanwhile.
func TestPauseLost(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK)
	if errno != 0 {
		t.Fatal(errno)
	}
	p := &pause{keys: make(chan byte), lost: make(chan *reading), fd: int(fd), tty: os.NewFile(fd, "terminal")}
	modes, err := unix.IoctlGetTermios(p.fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	p.modes = modes
	given, now := &reading{p}, &reading{p}
	p.reading = now
	p.loses(given)
	if p.modes == nil {
		t.Error("a reading that was given up ends another")
	}

	// Its terminal goes away: that is told, with the reading that has lost it.
	p.tty.SetReadDeadline(time.Time{})
	go now.read()
	master.Close()
	select {
	case lost := <-p.lost:
		p.loses(lost)
	case <-time.After(10 * time.Second):
		t.Fatal("a terminal that goes away is not told")
	}
	if p.modes != nil {
		t.Error("a reading that has lost its terminal does not end")
	}
}
