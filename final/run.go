//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/cgroup"
	"gonsrun/final/internal/state"
	"gonsrun/internal/narrate"
)

// specFD is where the container's side finds its description: a pipe, after
// stdin, stdout, stderr and the narrator's socket.
const specFD = 4

// run is the host's side of a container's life: creating, created, running,
// stopped. What it makes is recorded in the state folder first, and removed
// at the end, however that comes.
func run(o options) int {
	spec, note, err := o.spec()
	check(err)
	if note != "" {
		narrate.Note("%s", note)
	}

	dir, err := state.Create(state.NewID())
	check(err)
	defer dir.Remove()
	check(prepareRoot(&spec, dir))
	group, err := cgroup.Find(dir.ID, spec.Linux.Resources)
	check(err)
	check(dir.Save("config", spec))
	check(dir.Save("cgroup", group))

	narrate.Chapter("namespaces")
	description, descriptionEnd := pipe()
	pid := narrate.Start("A new process begins as a copy of this one, in new namespaces: the names and numbers in them are its own.",
		fmt.Sprintf("clone(…, flags=…|%s|SIGCHLD)", strings.Join(cloneNames(spec.Linux.Namespaces), "|")),
		func() (int, error) { return clone(spec.Linux.Namespaces, descriptionEnd) })
	unix.Close(descriptionEnd)
	narrate.Namespaces(pid, slices.DeleteFunc(slices.Clone(spec.Linux.Namespaces), func(name string) bool { return name == "cgroup" })...)
	narrate.NSpid(pid)

	narrate.Chapter("limits")
	defer group.Remove()
	check(group.Make(spec.Linux.Resources))
	check(group.Add(pid))

	check(send(description, spec))
	narrate.Begin(pid)
	return wait(pid, group)
}

// wait waits for the container's end, and says how it came.
func wait(pid int, group *cgroup.Group) int {
	var info unix.Siginfo
	narrate.Wait("Everything is said. Now wait until the command has ended, and learn how.",
		fmt.Sprintf("waitid(P_PID, %d, …, WEXITED, NULL)", pid),
		func() error { return unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED, nil) })
	status := narrate.Status(&info)
	if usage := group.Usage(); usage.OOMKills > 0 {
		narrate.Evidence("oom_kill %d: the memory limit was reached, and the kernel killed a process for it", usage.OOMKills)
	}
	return status
}

// namespaces in the order in which strace prints their flags. The cgroup
// namespace is made later: it shows as its root the cgroup that it was made in.
var namespaces = []struct {
	name, flag string
	bit        uintptr
}{
	{"mnt", "CLONE_NEWNS", unix.CLONE_NEWNS},
	{"uts", "CLONE_NEWUTS", unix.CLONE_NEWUTS},
	{"ipc", "CLONE_NEWIPC", unix.CLONE_NEWIPC},
	{"user", "CLONE_NEWUSER", unix.CLONE_NEWUSER},
	{"pid", "CLONE_NEWPID", unix.CLONE_NEWPID},
	{"net", "CLONE_NEWNET", unix.CLONE_NEWNET},
}

// cloneNames are the flags of clone(2) for the namespaces.
func cloneNames(names []string) (flags []string) {
	for _, ns := range namespaces {
		if slices.Contains(names, ns.name) {
			flags = append(flags, ns.flag)
		}
	}
	return flags
}

// clone starts this program again, as the container's side, in new namespaces.
func clone(names []string, description int) (pid int, err error) {
	var flags uintptr
	for _, ns := range namespaces {
		if slices.Contains(names, ns.name) {
			flags |= ns.bit
		}
	}
	return syscall.ForkExec("/proc/self/exe", []string{"/proc/self/exe", "child"}, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: append(narrate.Files(), uintptr(description)),
		Sys: &syscall.SysProcAttr{
			Cloneflags: flags,
			Pdeathsig:  unix.SIGKILL, // if we are killed, it must not live on
		},
	})
}

// prepareRoot makes the folders on which the container's side mounts its root.
func prepareRoot(spec *Spec, dir *state.Dir) (err error) {
	if spec.Root.Layers, err = dir.Folder("layers"); err != nil {
		return err
	}
	spec.Root.Mountpoint, err = dir.Folder("root")
	return err
}

// pipe returns a pipe's two ends, the one for us to write to first.
func pipe() (write, read int) {
	var ends [2]int
	check(os.NewSyscallError("pipe2", unix.Pipe2(ends[:], unix.O_CLOEXEC)))
	return ends[1], ends[0]
}

// send writes the description into the pipe, for the container's side.
func send(pipe int, spec Spec) error {
	f := os.NewFile(uintptr(pipe), "description")
	defer f.Close()
	if err := json.NewEncoder(f).Encode(spec); err != nil {
		return fmt.Errorf("hand the description to the container's side: %w", err)
	}
	return nil
}

// receiveSpec reads the description that the host's side sends.
func receiveSpec() (spec Spec) {
	unix.CloseOnExec(specFD)
	f := os.NewFile(specFD, "description")
	defer f.Close()
	if err := json.NewDecoder(f).Decode(&spec); err != nil {
		narrate.Fail(fmt.Errorf("read the description of the container: %w", err))
	}
	return spec
}

// check ends the program with what went wrong and what to do about it.
func check(err error) {
	if err != nil {
		narrate.Fail(err)
	}
}
