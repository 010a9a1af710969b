package trace

import (
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// edge returns memory that ends where none follows.
func edge(t testing.TB, length int) []byte {
	t.Helper()
	page := os.Getpagesize()
	size := (length+page-1)/page*page + page
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(memory) })
	if err := unix.Mprotect(memory[size-page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return memory[size-page-length : size-page]
}

func address[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// Memory reads to the last byte that is there, and says so of what is not.
func TestMemory(t *testing.T) {
	me := Memory(os.Getpid())
	whole := edge(t, 5)
	copy(whole, "text\x00")
	if s, err := me.String(address(&whole[0])); s != "text" || err != nil {
		t.Errorf("a string at a page's end: %q, %v", s, err)
	}
	whole[4] = 'x'
	if s, err := me.String(address(&whole[0])); s != "" || err == nil {
		t.Errorf("a string without an end: %q, %v", s, err)
	}
	if b, err := me.Bytes(address(&whole[0]), 5); string(b) != "textx" || err != nil {
		t.Errorf("bytes at a page's end: %q, %v", b, err)
	}
	if b, err := me.Bytes(address(&whole[0]), 6); b != nil || err == nil {
		t.Errorf("bytes over a page's end: %q, %v", b, err)
	}
	if _, err := me.Word(address(&whole[0])); err == nil {
		t.Error("a word over a page's end has no error")
	}
	if b, err := me.Bytes(0, 0); len(b) != 0 || err != nil {
		t.Errorf("no bytes: %q, %v", b, err)
	}
	for _, nowhere := range []uint64{0, 1, 4095, 1 << 47, 1<<63 - 1, 1 << 63, ^uint64(0), ^uint64(6)} {
		if s, err := me.String(nowhere); err == nil {
			t.Errorf("at %#x there is the string %q", nowhere, s)
		}
		if _, err := me.Strings(nowhere); err == nil {
			t.Errorf("at %#x there is a vector", nowhere)
		}
		if _, err := me.Bytes(nowhere, ^uint64(0)); err == nil {
			t.Errorf("at %#x there are bytes", nowhere)
		}
	}
	if _, err := Memory(1<<22).Bytes(address(&whole[0]), 1); err == nil {
		t.Error("the memory of nobody can be read")
	}

	// A vector of a million pointers to one long string.
	long := edge(t, 200<<10)
	for i := range long {
		long[i] = 'a'
	}
	if s, err := me.String(address(&long[0])); len(s) != 128<<10 || err != ErrTooLong {
		t.Errorf("a string of 200 KiB: %d bytes, %v", len(s), err)
	}
	long[100<<10] = 0
	vector := make([]uint64, 1<<20)
	for i := range vector {
		vector[i] = address(&long[0])
	}
	begin := time.Now()
	list, err := me.Strings(address(&vector[0]))
	if err != ErrTooLong || len(list) > 12 {
		t.Errorf("a vector of a million: %d strings, %v", len(list), err)
	}
	for i := range vector {
		vector[i] = address(&long[100<<10]) // ""
	}
	if list, err = me.Strings(address(&vector[0])); err != ErrTooLong || len(list) > 1<<17 {
		t.Errorf("a vector of a million empty ones: %d strings, %v", len(list), err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("long vectors take %v", took)
	}

	runtime.KeepAlive(vector)

	// A vector that ends with its page, at an odd address, too.
	ends := edge(t, 16)
	copy(ends, unsafe.Slice((*byte)(unsafe.Pointer(&[2]uint64{address(&long[100<<10]), address(&long[100<<10])})), 16))
	if list, err := me.Strings(address(&ends[0])); len(list) != 2 || err == nil {
		t.Errorf("a vector without an end: %q, %v", list, err)
	}
	clear(ends[8:])
	if list, err := me.Strings(address(&ends[0])); len(list) != 1 || err != nil {
		t.Errorf("a vector at a page's end: %q, %v", list, err)
	}
	odd := edge(t, 8195)
	copy(odd[4099:], unsafe.Slice((*byte)(unsafe.Pointer(&[1]uint64{address(&long[100<<10])})), 8))
	if list, err := me.Strings(address(&odd[4099])); len(list) != 1 || err != nil {
		t.Errorf("a vector over a page's end: %q, %v", list, err)
	}
}
