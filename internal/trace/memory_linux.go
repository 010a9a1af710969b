package trace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// Memory is the memory of a traced process. What is read is copied: another
// thread of the program can change it afterwards, as it can for the kernel.
type Memory int

// ErrUnreadable is the error of Memory when neither process_vm_readv(2) nor
// /proc/PID/mem gives what stands there: a process that is not dumpable, or a
// system call filter around the tracer.
var ErrUnreadable = errors.New("the program's memory cannot be read")

// Read fills b with what stands at address, up to the first page that is not
// there, and returns how much that is.
func (m Memory) Read(address uint64, b []byte) (int, error) {
	if len(b) == 0 || address == 0 {
		return 0, unix.EFAULT
	}
	local := unix.Iovec{Base: &b[0], Len: uint64(len(b))}
	n, err := unix.ProcessVMReadv(int(m), []unix.Iovec{local}, pieces(address, len(b)), 0)
	if n > 0 {
		return n, nil
	}
	if err == unix.EFAULT {
		return 0, err
	}
	if !proc.IsOurs() {
		return 0, ErrUnreadable // /proc/PID is a stranger
	}
	fd, err := unix.Open("/proc/"+strconv.Itoa(int(m))+"/mem", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, ErrUnreadable
	}
	defer unix.Close(fd)
	if n, _ = unix.Pread(fd, b, int64(address)); n <= 0 {
		return 0, ErrUnreadable
	}
	return n, nil
}

// pieces splits a range at page boundaries: process_vm_readv copies whole pieces
// only, and a string may end just before a page that is not there.
func pieces(address uint64, length int) (all []unix.RemoteIovec) {
	const page = 4096
	for length > 0 {
		n := min(length, page-int(address%page))
		all = append(all, unix.RemoteIovec{Base: uintptr(address), Len: n})
		address += uint64(n)
		length -= n
	}
	return all
}

// Word reads eight bytes.
func (m Memory) Word(address uint64) (uint64, error) {
	var b [8]byte
	if n, err := m.Read(address, b[:]); n < len(b) {
		return 0, cmpError(err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

func cmpError(err error) error {
	if err == nil {
		return unix.EFAULT
	}
	return err
}

// ErrTooLong is the error of String and Strings for what is longer than the kernel
// takes, or than is worth reading. What was read is returned with it.
var ErrTooLong = errors.New("too long")

// String reads a string that ends with a zero byte. The kernel takes at most
// 128 KiB for one argument (MAX_ARG_STRLEN), so no more is read.
func (m Memory) String(address uint64) (string, error) {
	const most = 128 << 10
	var text []byte
	for len(text) < most {
		part := make([]byte, 4096-int(address%4096))
		n, err := m.Read(address, part)
		if n <= 0 {
			return "", cmpError(err)
		}
		if end := bytes.IndexByte(part[:n], 0); end >= 0 {
			return string(append(text, part[:end]...)), nil
		}
		text = append(text, part[:n]...)
		address += uint64(n)
	}
	return string(text), ErrTooLong
}

// Bytes reads length bytes, or all of the first MiB.
func (m Memory) Bytes(address, length uint64) ([]byte, error) {
	b := make([]byte, min(length, 1<<20))
	if len(b) == 0 {
		return b, nil
	}
	n, err := m.Read(address, b)
	if n < len(b) {
		return nil, cmpError(err)
	}
	return b, nil
}

// Strings reads a vector of strings that ends with a null pointer, as argv. At
// most a MiB of strings and pointers is read, for whoever asks the kernel chooses
// how much there is: all pointers can lead to the same long string.
func (m Memory) Strings(address uint64) (list []string, err error) {
	const most = 1 << 20
	for read := 0; read < most; {
		page := make([]byte, 4096-int(address%4096)&^7)
		n, err := m.Read(address, page)
		if n < 8 {
			return list, cmpError(err)
		}
		for ; n >= 8 && read < most; n, page, address = n-8, page[8:], address+8 {
			pointer := binary.LittleEndian.Uint64(page)
			if pointer == 0 {
				return list, nil
			}
			s, err := m.String(pointer)
			if err != nil {
				return list, err
			}
			list = append(list, s)
			read += 8 + len(s) + 1
		}
	}
	return list, ErrTooLong
}
