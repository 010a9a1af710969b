package seccomp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// code32 is a 32-bit program for the processors that can run one besides their
// own: it exits with status 42, or dies of an undefined instruction when the
// kernel does not let it.
var code32 = map[string]struct {
	machine uint16 // of elf(5)
	code    []byte
}{
	"amd64": {3, []byte{
		0xb8, 1, 0, 0, 0, // mov eax, 1    (exit)
		0xbb, 42, 0, 0, 0, // mov ebx, 42
		0xcd, 0x80, // int 0x80
		0x0f, 0x0b, // ud2
	}},
	"arm64": {40, []byte{
		0x01, 0x70, 0xa0, 0xe3, // mov r7, #1    (exit)
		0x2a, 0x00, 0xa0, 0xe3, // mov r0, #42
		0x00, 0x00, 0x00, 0xef, // svc #0
		0xf0, 0x00, 0xf0, 0xe7, // udf #0
	}},
}

func TestA32BitProgramCannotCallTheKernel(t *testing.T) {
	needsTable(t)
	file := filepath.Join(t.TempDir(), "program32")
	if err := os.WriteFile(file, program32(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(file).Run(); exitStatus(err) != 42 {
		t.Skipf("this machine runs no 32-bit programs: %v", err)
	}
	_, err := start(t, 1<<41-1, false, "", file)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGILL {
		t.Errorf("behind the filter: %v, want death by SIGILL after a call that failed", err)
	}
}

func exitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// program32 is an ELF file with one segment: a header, a program header, the code.
func program32() []byte {
	const address, headers = 0x10000, 52 + 32
	program := code32[runtime.GOARCH]
	size := uint32(headers + len(program.code))
	var b bytes.Buffer
	b.WriteString("\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00") // 32 bits, little-endian
	for _, field := range []any{
		uint16(2), program.machine, uint32(1), // an executable
		uint32(address + headers), uint32(52), uint32(0), // entry, program headers, no section headers
		uint32(0x05000000), // flags: version 5 of ARM's ABI, nothing to i386
		uint16(52), uint16(32), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(0), uint32(address), uint32(address), // load it all
		size, size, uint32(5), uint32(0x10000), // readable and executable, aligned
	} {
		binary.Write(&b, binary.LittleEndian, field)
	}
	b.Write(program.code)
	return b.Bytes()
}
