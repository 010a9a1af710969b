//go:build linux

package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mapIDs has newuidmap say who is who in the container's user namespace, where
// that takes it, and then lets the first process become root in there.
func (c *container) mapIDs() error {
	defer unix.Close(c.ours.ids)
	if !c.spec.has("user") || !c.ids.NeedsHelper() {
		return nil
	}
	if err := c.ids.Apply(c.state.PID); err != nil {
		return err
	}
	_, err := unix.Write(c.ours.ids, []byte("mapped"))
	return os.NewSyscallError("write: tell the container's side that its ids are mapped", err)
}

// awaitIDs is the first thing that the container's side does when others map its
// ids. It was started there as nobody, and an execve by nobody has no
// capabilities. Now that it has an id, root's, one more execve gives it all of
// the namespace's.
func awaitIDs() error {
	switch {
	case len(os.Args) == 3 && os.Args[2] == "unmapped":
		var mapped [8]byte
		if n, err := unix.Read(idsFD, mapped[:]); n <= 0 || err != nil {
			return errors.New("the host's side has not mapped the ids of the user namespace")
		}
		const exe = "/proc/self/exe"
		return &os.PathError{Op: "execve", Path: exe, Err: unix.Exec(exe, []string{exe, "child", "mapped"}, os.Environ())}
	case len(os.Args) == 3 && os.Args[2] == "mapped":
		if err := dieWithHost(); err != nil {
			return err
		}
	}
	unix.Close(idsFD)
	return nil
}
