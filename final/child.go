//go:build linux

package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/capability"
	"gonsrun/final/internal/mounts"
	"gonsrun/final/internal/narrate"
	"gonsrun/final/internal/terminal"
)

// child is the container's side: it prepares its world, gives up what it must
// not keep, and becomes the command.
func child(spec Spec) {
	sets, err := capability.Read(0) // while there is a /proc
	check(err)
	if spec.Linux.JoinCgroup {
		narrate.Chapter("limits")
		check(spec.Linux.Cgroup.Join())
	}
	narrate.Chapter("identity")
	nameItself(spec)

	narrate.Chapter("root")
	if spec.has("mnt") {
		mountRoot(spec)
		narrate.Chapter("devices")
		makeDevices(spec)
		enterRoot(spec)
	} else {
		check(mounts.Chroot(spec.Root.Path))
	}

	if spec.has("net") {
		narrate.Chapter("network")
		check(configureNetwork(spec.Network))
	}

	narrate.Chapter("privileges")
	check(os.Chdir(spec.Process.Cwd))
	check(giveUp(spec, sets))

	narrate.Chapter("the command")
	becomeCommand(spec)
}

// nameItself gives the container its own view of cgroups, and its hostname.
func nameItself(spec Spec) {
	if spec.has("cgroup") {
		check(narrate.Try("The cgroup that this process was put into becomes the root of all that it sees of cgroups.",
			"unshare(CLONE_NEWCGROUP)", func() error { return unix.Unshare(unix.CLONE_NEWCGROUP) }))
	}
	if spec.has("uts") {
		check(narrate.Try("The new UTS namespace has a hostname of its own: changing it does not touch the host's.",
			fmt.Sprintf("sethostname(%s, %d)", narrate.Quote(spec.Hostname), len(spec.Hostname)),
			func() error { return unix.Sethostname([]byte(spec.Hostname)) }))
	}
}

// mountRoot mounts the container's root and all that belongs into it, still at
// a place in the host's tree.
func mountRoot(spec Spec) {
	root := spec.Root.Mountpoint
	check(mounts.Private())
	lower := spec.Root.Path
	if spec.Root.Lent {
		tree, err := terminal.ReceiveFile(lowerFD)
		check(err)
		lower = spec.Root.Mountpoint
		check(mounts.Attach(tree, lower))
	}
	err := mounts.Overlay(lower, spec.Root.Layers, root, !spec.Root.Keep)
	if err != nil && spec.Root.Keep {
		check(fmt.Errorf("-keep: %w: it needs an overlay with its upper layer on a disk, not on another overlay; set XDG_CACHE_HOME to a folder there, or leave -keep out", err))
	}
	if err != nil {
		narrate.Note("No overlay here (%v). See what this kernel has:\n  grep overlay /proc/filesystems", err)
		check(mounts.Bind(lower, root))
	}
	for name, content := range spec.Network.files(spec.Hostname) {
		if err := mounts.WriteFile(root, name, content); err != nil {
			narrate.Note("%s stays as it is: %v", name, err)
		}
	}
	for _, m := range spec.Mounts {
		check(mounts.In(root, m))
	}
}

// makeDevices fills /dev. The nodes are the host's, bound one by one: /dev
// itself and everything else is mounted nodev, so that a node that the
// container makes for itself cannot be opened.
func makeDevices(spec Spec) {
	root := spec.Root.Mountpoint
	for _, name := range devices {
		if unix.Access("/dev/"+name, unix.F_OK) == nil {
			check(mounts.In(root, mounts.Mount{Destination: "/dev/" + name, Source: "/dev/" + name, Options: []string{"bind"}}))
		}
	}
	for _, link := range links {
		check(mounts.Symlink(root, link.target, "/dev/"+link.name))
	}
}

// enterRoot makes the new root the only one, and hides what is the machine's.
func enterRoot(spec Spec) {
	if spec.without("pivot") {
		check(mounts.Chroot(spec.Root.Mountpoint))
	} else {
		check(mounts.Pivot(spec.Root.Mountpoint))
	}
	check(mounts.Mask(spec.Linux.MaskedPaths))
	check(mounts.ReadOnly(spec.Linux.ReadonlyPaths))
	if spec.Root.Readonly {
		check(mounts.ReadOnlyRoot())
	}
}

// becomeCommand is the end of the container's side.
func becomeCommand(spec Spec) {
	args, env := words(spec.Process.Args), words(spec.Process.Env)
	path, err := narrate.LookUp(args[0], env)
	check(err)
	if spec.Process.Init {
		path, args = "/proc/self/exe", append([]string{"/proc/self/exe", "init", path}, args...)
	}
	check(closeOnExec())
	narrate.Become("This process becomes the command: same pid, new program. When it works, execve does not return.",
		fmt.Sprintf("execve(%s, %s, …)", narrate.Quote(path), narrate.Strings(args)),
		func() error {
			if err := takeConsole(spec.Process); err != nil {
				return err
			}
			return unix.Exec(path, args, env)
		})
}

// closeOnExec lets execve close every file descriptor but the first three: one
// of the host's left open would be a way out.
func closeOnExec() error {
	err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	entries, err := os.ReadDir("/proc/self/fd") // before Linux 5.11
	if err != nil {
		return fmt.Errorf("close the host's file descriptors: %w", err)
	}
	for _, entry := range entries {
		var fd int
		if _, err := fmt.Sscan(entry.Name(), &fd); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
