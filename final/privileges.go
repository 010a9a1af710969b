//go:build linux

package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/capability"
	"gonsrun/final/internal/seccomp"
)

// giveUp gives up, for good, what the command must not have of the capabilities
// in sets, and more. The order is the kernel's: each step needs rights that a
// later one takes away.
func giveUp(spec Spec, sets capability.Sets) error {
	p := spec.Process
	keep := p.Capabilities & sets.Available()

	if err := capability.DropBounding(sets.Bounding, keep); err != nil {
		return err
	}
	if spec.Linux.Seccomp && !p.NoNewPrivileges {
		if err := filterCalls(keep); err != nil { // while CAP_SYS_ADMIN allows it without no_new_privs
			return err
		}
	}
	if err := becomeUser(p.User, spec.has("user")); err != nil {
		return err
	}
	if p.User.UID != 0 {
		keep = 0 // only root keeps capabilities across execve
	}
	if err := capability.Limit(keep); err != nil {
		return err
	}
	if !p.NoNewPrivileges {
		return nil
	}
	if err := seccomp.NoNewPrivs(); err != nil {
		return err
	}
	if !spec.Linux.Seccomp {
		return nil
	}
	return filterCalls(keep)
}

// filterCalls puts the seccomp filter on. It comes last, since it forbids some
// of what was done before.
func filterCalls(keep capability.Set) error {
	filter, err := seccomp.Default(keep.Has)
	if err != nil {
		return err
	}
	return filter.Install()
}

// becomeUser takes the user's ids, in the order that keeps the right to take
// the next one. Only this thread does, which is the one that becomes the
// command.
func becomeUser(u User, userNamespace bool) error {
	groups := make([]uint32, len(u.AdditionalGIDs))
	for i, gid := range u.AdditionalGIDs {
		groups[i] = uint32(gid)
	}
	// Those of whoever started us are not the command's. A user namespace with one
	// id cannot change groups, user_namespaces(7).
	if err := setgroups(groups); err != nil && !(userNamespace && len(groups) == 0) {
		return os.NewSyscallError(fmt.Sprint("setgroups ", groups), err)
	}
	changes := unix.Geteuid() != u.UID || unix.Getegid() != u.GID
	if err := errnoOf(unix.RawSyscall(unix.SYS_SETRESGID, uintptr(u.GID), uintptr(u.GID), uintptr(u.GID))); err != nil {
		return os.NewSyscallError(fmt.Sprint("setresgid ", u.GID), err)
	}
	if err := errnoOf(unix.RawSyscall(unix.SYS_SETRESUID, uintptr(u.UID), uintptr(u.UID), uintptr(u.UID))); err != nil {
		return os.NewSyscallError(fmt.Sprint("setresuid ", u.UID), err)
	}
	if !changes {
		return nil
	}
	return dieWithHost()
}

// dieWithHost has the kernel kill this process when the host's side dies. It was
// so from the start, but the kernel forgets it when a process gets another user or
// group id, and when execve gives it capabilities. See PR_SET_PDEATHSIG(2const).
// Of a host's side that died in between, the report is read no more.
func dieWithHost() error {
	return os.NewSyscallError("prctl PR_SET_PDEATHSIG", unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0))
}
