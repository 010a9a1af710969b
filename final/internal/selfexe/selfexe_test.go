//go:build linux

package selfexe

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary is the program that is protected. Started again as "greet" it
// shows that it runs.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "greet" {
		fmt.Println("hello")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// path is what a file descriptor of this process is called.
func path(fd int) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd) }

// expectProgram expects fd to be what this test is, and to run.
func expectProgram(t *testing.T, fd int) {
	t.Helper()
	if output, err := exec.Command(path(fd), "greet").CombinedOutput(); string(output) != "hello\n" {
		t.Errorf("the protected program prints %q, %v", output, err)
	}
	program, _ := os.ReadFile("/proc/self/exe")
	if now, err := os.ReadFile(path(fd)); err != nil || !bytes.Equal(now, program) {
		t.Errorf("the protected program is another one, of %d bytes and not %d: %v", len(now), len(program), err)
	}
}

// opened closes what could be opened, and returns why it could not.
func opened(fd int, err error) error {
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// What Open returns is out of the way of what a new process is given, and no
// command inherits it.
func TestOpen(t *testing.T) {
	fd, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	expectProgram(t, fd)
	if fd < aboveFiles {
		t.Errorf("the file descriptor is %d, expected %d or more", fd, aboveFiles)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("a command inherits the file descriptor: flags %#x, %v", flags, err)
	}
}

// Through the read-only mount nobody writes to the program, not even root: the
// file may be written to, but not from there. The mount has no place, and is
// gone with its last file descriptor.
func TestReadOnlyMount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root: go test -exec sudo ./final/internal/selfexe")
	}
	before, _ := os.ReadFile("/proc/self/mountinfo")
	fd, err := readOnlyMount()
	if errors.Is(err, unix.ENOSYS) {
		t.Skip("this kernel has no mount_setattr(2): that is Linux 5.12")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	expectProgram(t, fd)
	for what, write := range map[string]func() error{
		"access for writing":   func() error { return unix.Access(path(fd), unix.W_OK) },
		"a change of its mode": func() error { return unix.Chmod(path(fd), 0o755) },
		"a change of its time": func() error { return unix.Utimes(path(fd), make([]unix.Timeval, 2)) },
	} {
		if err := write(); err != unix.EROFS {
			t.Errorf("%s: %v, expected EROFS", what, err)
		}
	}
	// It is running, too, and most kernels look at that first.
	if err := opened(unix.Open(path(fd), unix.O_WRONLY|unix.O_CLOEXEC, 0)); err != unix.EROFS && err != unix.ETXTBSY {
		t.Errorf("open for writing: %v, expected EROFS or ETXTBSY", err)
	}
	if after, _ := os.ReadFile("/proc/self/mountinfo"); !bytes.Equal(after, before) {
		t.Errorf("the mount has a place:\n%s", after)
	}
}

// The sealed copy runs, and cannot be changed, nor be unsealed.
func TestSealedCopy(t *testing.T) {
	fd, err := sealedCopy()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	expectProgram(t, fd)
	if _, err := unix.Write(fd, []byte("x")); err != unix.EBADF {
		t.Errorf("write to what is open for reading: %v, expected EBADF", err)
	}
	again, err := unix.Open(path(fd), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for what, write := range map[string]func() error{
		"write":    func() error { _, err := unix.Write(again, []byte("x")); return err },
		"shorten":  func() error { return unix.Ftruncate(again, 0) },
		"lengthen": func() error { return unix.Ftruncate(again, 1<<30) },
		"map": func() error {
			_, err := unix.Mmap(again, 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		},
		"seal": func() error {
			_, err := unix.FcntlInt(uintptr(again), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE)
			return err
		},
		"empty": func() error { return opened(unix.Open(path(fd), unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC, 0)) },
	} {
		if err := write(); err != unix.EPERM {
			t.Errorf("%s: %v, expected EPERM", what, err)
		}
	}
	unix.Close(again)
	expectProgram(t, fd)
}
