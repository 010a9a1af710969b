//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// What the container's side finds open after stdin, stdout and stderr.
const (
	specFD    = 3 // a pipe with its description
	reportFD  = 4 // a pipe for what it has to say, see report.go
	consoleFD = 5 // what becomes of its stdin, stdout and stderr, see console.go
	idsFD     = 6 // a pipe that says when its user ids are mapped
	lowerFD   = 7 // a socket on which the root file system is lent, see lendRoot
)

// pipes are one side's ends of what connects the two. Each is closed by execve.
type pipes struct{ spec, report, ids, lower int } // file descriptors

// openPipes makes them.
func openPipes() (ours, theirs pipes, err error) {
	for _, end := range []struct{ write, read *int }{
		{&ours.spec, &theirs.spec}, {&theirs.report, &ours.report}, {&ours.ids, &theirs.ids},
	} {
		if *end.write, *end.read, err = pipe(); err != nil {
			return ours, theirs, err
		}
	}
	ours.lower, theirs.lower, err = socketPair()
	return ours, theirs, err
}

func (p pipes) close() {
	for _, fd := range []int{p.spec, p.report, p.ids, p.lower} {
		unix.Close(fd)
	}
}

// files are the descriptors for the container's side, of which console is one.
func (p pipes) files(console int) []uintptr {
	return []uintptr{0, 1, 2, specFD: uintptr(p.spec), reportFD: uintptr(p.report), consoleFD: uintptr(console), idsFD: uintptr(p.ids), lowerFD: uintptr(p.lower)}
}

// pipe returns a pipe's two ends.
func pipe() (write, read int, err error) {
	var ends [2]int
	err = unix.Pipe2(ends[:], unix.O_CLOEXEC)
	return ends[1], ends[0], os.NewSyscallError("pipe2", err)
}

// socketPair returns a socket's two ends.
func socketPair() (host, container int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	return pair[0], pair[1], os.NewSyscallError("socketpair", err)
}

// describe hands the description to the container's side, which waits for it.
func (c *container) describe() error {
	f := os.NewFile(uintptr(c.ours.spec), "description")
	defer f.Close()
	if err := json.NewEncoder(f).Encode(c.spec); err != nil {
		return c.diedEarly()
	}
	return nil
}

// receiveSpec reads the description that the host's side sends.
func receiveSpec() (spec Spec, err error) {
	f := os.NewFile(specFD, "description")
	defer f.Close()
	if err := json.NewDecoder(f).Decode(&spec); err != nil {
		return spec, fmt.Errorf("read the description of the container: %w", err)
	}
	return spec, nil
}
