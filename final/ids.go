//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/narrate"
	"gonsrun/internal/proc"
)

// mapIDs has newuidmap say who is who in the container's user namespace, where
// that takes it, and then lets the first process become root in there.
func (c *container) mapIDs() {
	defer unix.Close(c.pipes.ids)
	if !c.spec.has("user") {
		return
	}
	if c.ids.NeedsHelper() {
		check(c.ids.Apply(c.state.PID))
		_, err := unix.Write(c.pipes.ids, []byte("mapped"))
		check(os.NewSyscallError("tell the container's side that its ids are mapped", err))
	}
	lines := strings.Split(proc.Read(fmt.Sprintf("/proc/%d/uid_map", c.state.PID)), "\n")
	for _, line := range lines {
		narrate.Evidence("uid_map: %s", strings.Join(strings.Fields(line), " "))
	}
}

// awaitIDs is the first thing that the container's side does when others map its
// ids. It was started there as nobody, and an execve by nobody has no
// capabilities. Now that it has an id, root's, one more execve gives it all of
// the namespace's.
func awaitIDs() (earlier []string) {
	switch {
	case len(os.Args) == 3 && os.Args[2] == "unmapped":
		var mapped [8]byte
		if n, err := unix.Read(idsFD, mapped[:]); n <= 0 || err != nil {
			os.Exit(narrate.StatusFailed) // the host's side failed, and has said so
		}
		args := []string{"/proc/self/exe", "child", "mapped", os.Args[0]}
		err := unix.Exec(args[0], args, os.Environ())
		fmt.Fprintf(os.Stderr, "execve(%q): %v\n", args[0], err)
		os.Exit(narrate.StatusFailed)
	case len(os.Args) == 4 && os.Args[2] == "mapped":
		first := os.Args[3]
		earlier = append(earlier, fmt.Sprintf("execve(%s, %s, …)", narrate.Quote(first), narrate.Strings([]string{first, "child", "unmapped"})))
	}
	unix.Close(idsFD)
	return earlier
}
