//go:build linux

package main

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/mounts"
	"gonsrun/final/internal/netlink"
	"gonsrun/internal/narrate"
)

// child is the container's side: it prepares its world, gives up what it must
// not keep, and becomes the command.
func child(spec Spec) {
	has := func(namespace string) bool { return slices.Contains(spec.Linux.Namespaces, namespace) }
	root := spec.Root.Mountpoint

	narrate.Chapter("identity")
	if has("cgroup") {
		check(narrate.Try("The cgroup that this process was put into becomes the root of all that it sees of cgroups.",
			"unshare(CLONE_NEWCGROUP)", func() error { return unix.Unshare(unix.CLONE_NEWCGROUP) }))
	}
	if has("uts") {
		check(narrate.Try("The new UTS namespace has a hostname of its own: changing it does not touch the host's.",
			fmt.Sprintf("sethostname(%s, %d)", narrate.Quote(spec.Hostname), len(spec.Hostname)),
			func() error { return unix.Sethostname([]byte(spec.Hostname)) }))
	}

	narrate.Chapter("root")
	check(mounts.Private())
	check(mounts.Overlay(spec.Root.Path, spec.Root.Layers, root, true))
	for _, m := range spec.Mounts {
		check(mounts.In(root, m))
	}

	narrate.Chapter("devices")
	check(makeDevices(root))
	check(mounts.Pivot(root))
	check(mounts.Mask(spec.Linux.MaskedPaths))
	check(mounts.ReadOnly(spec.Linux.ReadonlyPaths))

	if has("net") {
		narrate.Chapter("network")
		check(loopbackUp())
	}

	narrate.Chapter("the command")
	check(mounts.Enter(spec.Process.Cwd, "The command starts in this folder."))
	path, err := narrate.LookUp(spec.Process.Args[0], spec.Process.Env)
	check(err)
	closeOnExec()
	narrate.Become("This process becomes the command: same pid, new program. When it works, execve does not return.",
		fmt.Sprintf("execve(%s, %s, …)", narrate.Quote(path), narrate.Strings(spec.Process.Args)),
		func() error { return unix.Exec(path, spec.Process.Args, spec.Process.Env) })
}

// devices are the nodes that the OCI runtime-spec asks for (config-linux.md,
// Default Devices).
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// links are the symbolic links in /dev that it asks for (runtime-linux.md).
var links = []struct{ name, target string }{
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
	{"ptmx", "pts/ptmx"},
}

// makeDevices fills /dev. The nodes are the host's, bound one by one: /dev
// itself and everything else is mounted nodev, so that a node that the
// container makes for itself cannot be opened.
func makeDevices(root string) error {
	for _, name := range devices {
		err := mounts.In(root, mounts.Mount{Destination: "/dev/" + name, Source: "/dev/" + name, Options: []string{"bind"}})
		if err != nil {
			return err
		}
	}
	for _, link := range links {
		if err := mounts.Symlink(root, link.target, "/dev/"+link.name); err != nil {
			return err
		}
	}
	return nil
}

// loopbackUp gives the network namespace the one interface that it has from
// the start: it is there, but down.
func loopbackUp() error {
	conn, err := netlink.Open()
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.LinkUp("lo")
}

// closeOnExec lets execve close every file descriptor but the first three: one
// of the host's left open would be a way out.
func closeOnExec() {
	unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
}
