//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/capability"
	"gonsrun/final/internal/mounts"
	"gonsrun/final/internal/terminal"
	"gonsrun/internal/proc"
)

// child is the container's side: it prepares its world, gives up what it must
// not keep, and becomes the command.
func child(spec Spec) error {
	sets, err := capability.Read(0) // while there is a /proc
	if err != nil {
		return err
	}
	for _, step := range []func(Spec) error{joinCgroup, nameItself, changeRoot, configureNetwork, changeFolder} {
		if err := step(spec); err != nil {
			return err
		}
	}
	if err := giveUp(spec, sets); err != nil {
		return err
	}
	return becomeCommand(spec)
}

// joinCgroup goes into the cgroups of v1, which the host's side has left to us. It
// comes before the cgroup namespace, whose root is where this process then is.
func joinCgroup(spec Spec) error {
	if !spec.Linux.JoinCgroup {
		return nil
	}
	return spec.Linux.Cgroup.Join()
}

// nameItself gives the container its own view of cgroups, and its hostname.
func nameItself(spec Spec) error {
	if spec.has("cgroup") {
		if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
			return os.NewSyscallError("unshare CLONE_NEWCGROUP", err)
		}
	}
	if spec.has("uts") {
		if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
			return os.NewSyscallError("sethostname "+spec.Hostname, err)
		}
	}
	return nil
}

// changeRoot makes the container's own tree of files the only one. All is mounted
// before the root changes, while the host's paths have names.
func changeRoot(spec Spec) error {
	if !spec.has("mnt") {
		return mounts.Chroot(spec.Root.Path)
	}
	for _, step := range []func(Spec) error{mountRoot, makeDevices, enterRoot} {
		if err := step(spec); err != nil {
			return err
		}
	}
	return nil
}

// mountRoot mounts the container's root and all that belongs into it, still at
// a place in the host's tree.
func mountRoot(spec Spec) error {
	root := spec.Root.Mountpoint
	if err := mounts.Private(); err != nil {
		return err
	}
	lower, err := lowerLayer(spec)
	if err != nil {
		return err
	}
	err = mounts.Overlay(lower, spec.Root.Layers, root, !spec.Root.Keep)
	if err != nil && spec.Root.Keep {
		return fmt.Errorf("-keep: %w: it needs an overlay with its upper layer on a disk, not on another overlay; set XDG_CACHE_HOME to a folder there, or leave -keep out", err)
	}
	if err != nil {
		noteToHost("No overlay here (%v). See what this kernel has:\n  grep overlay /proc/filesystems", err)
		if err := mounts.Bind(lower, root); err != nil {
			return err
		}
	}
	for name, content := range spec.Network.files(spec.Hostname) {
		if err := mounts.WriteFile(root, name, content); err != nil {
			noteToHost("%s stays as it is: %v", name, err)
		}
	}
	for _, m := range spec.Mounts {
		if err := mounts.In(root, m); err != nil {
			return err
		}
	}
	return nil
}

// lowerLayer is the root file system's folder: the one that was given, or where
// the one that the host's side lends is mounted.
func lowerLayer(spec Spec) (string, error) {
	if !spec.Root.Lent {
		return spec.Root.Path, nil
	}
	tree, err := terminal.ReceiveFile(lowerFD)
	if err != nil {
		return "", err
	}
	return spec.Root.Mountpoint, mounts.Attach(tree, spec.Root.Mountpoint)
}

// makeDevices fills /dev. The nodes are the host's, bound one by one: /dev
// itself and everything else is mounted nodev, so that a node that the
// container makes for itself cannot be opened.
func makeDevices(spec Spec) error {
	root := spec.Root.Mountpoint
	for _, name := range devices {
		if unix.Access("/dev/"+name, unix.F_OK) != nil {
			continue
		}
		if err := mounts.In(root, mounts.Mount{Destination: "/dev/" + name, Source: "/dev/" + name, Options: []string{"bind"}}); err != nil {
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

// enterRoot makes the new root the only one, and hides what is the machine's.
func enterRoot(spec Spec) error {
	change := mounts.Pivot
	if spec.without("pivot") {
		change = mounts.Chroot
	}
	if err := change(spec.Root.Mountpoint); err != nil {
		return err
	}
	if err := mounts.Mask(spec.Linux.MaskedPaths); err != nil {
		return err
	}
	if err := mounts.ReadOnly(spec.Linux.ReadonlyPaths); err != nil {
		return err
	}
	if !spec.Root.Readonly {
		return nil
	}
	return mounts.ReadOnlyRoot()
}

// changeFolder goes to where the command starts. Who has entered the root is in / already.
func changeFolder(spec Spec) error {
	if spec.Process.Cwd == "/" {
		return nil
	}
	return os.Chdir(spec.Process.Cwd)
}

// becomeCommand is the end of the container's side.
func becomeCommand(spec Spec) error {
	args, env := words(spec.Process.Args), words(spec.Process.Env)
	path, err := proc.LookUp(args[0], env)
	if err != nil {
		return err
	}
	if spec.Process.Init {
		path, args = "/proc/self/exe", append([]string{"/proc/self/exe", "init", path}, args...)
	}
	if err := closeOnExec(); err != nil {
		return err
	}
	if err := takeConsole(spec.Process); err != nil {
		return err
	}
	if err := tellHost(message{Ready: true}); err != nil {
		return err // nobody is there to hear of it
	}
	return cannotExecute(path, unix.Exec(path, args, env))
}

// cannotExecute is the error of an execve that has returned.
func cannotExecute(path string, err error) error {
	status := statusCannotRun
	if errors.Is(err, unix.ENOENT) {
		status = statusNotFound
	}
	return &statusError{status, "", &os.PathError{Op: "execve", Path: path, Err: err}}
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
