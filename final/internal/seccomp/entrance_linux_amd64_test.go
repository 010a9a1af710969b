package seccomp

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() { scenes["entrance"] = useOldEntrance }

// oldEntrance asks for the process id as a 32-bit program does:
//
//	mov eax, 20    ; getpid in the 32-bit table
//	int 0x80
//	ret
var oldEntrance = []byte{0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3}

// useOldEntrance goes through the 32-bit entrance before and behind the filter.
func useOldEntrance() error {
	code, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	copy(code, oldEntrance)
	if err := unix.Mprotect(code, unix.PROT_READ|unix.PROT_EXEC); err != nil {
		return err
	}
	// A func value points to a word that points to the code, and its result is in rax.
	entry := unsafe.Pointer(&code[0])
	function := unsafe.Pointer(&entry)
	getpid := *(*func() int32)(unsafe.Pointer(&function))

	if pid := getpid(); int(pid) != os.Getpid() {
		return fmt.Errorf("without a filter it says %d, not the pid %d", pid, os.Getpid())
	}
	fmt.Println("open")
	p, err := filterFromEnvironment()
	if err != nil {
		return err
	}
	if err := NoNewPrivs(); err != nil {
		return err
	}
	if err := p.Install(); err != nil {
		return err
	}
	if got := unix.Errno(-getpid()); got != unix.ENOSYS {
		return fmt.Errorf("behind the filter it says %v, want ENOSYS", got)
	}
	fmt.Println("shut")
	return nil
}

func TestThe32BitEntranceIsShut(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), sceneVariable+"=entrance", fmt.Sprintf("%s=%x", keptVariable, uint64(1<<41-1)))
	out, err := cmd.CombinedOutput()
	if !strings.HasPrefix(string(out), "open\n") {
		t.Skipf("this kernel has no 32-bit entrance: %v", err)
	}
	if err != nil || string(out) != "open\nshut\n" {
		t.Errorf("%v\n%s", err, out)
	}
}
