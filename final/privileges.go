//go:build linux

package main

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/capability"
	"gonsrun/final/internal/narrate"
	"gonsrun/final/internal/seccomp"
)

// giveUp gives up, for good, what the command must not have of the capabilities
// in sets, and more. The order is the kernel's: each step needs rights that a
// later one takes away.
func giveUp(spec Spec, sets capability.Sets) {
	p := spec.Process
	keep := p.Capabilities & sets.Available()

	for _, step := range capability.DropBounding(sets.Bounding, keep) {
		check(narrate.Try("", step.Call, step.Do))
	}
	if spec.Linux.Seccomp && !p.NoNewPrivileges {
		filterCalls(keep) // while CAP_SYS_ADMIN allows it without no_new_privs
	}
	becomeUser(p.User, spec.has("user"))
	dieWithParent()
	if p.User.UID != 0 {
		keep = 0 // only root keeps capabilities across execve
	}
	limit := capability.Limit(keep)
	check(narrate.Try(limit.Why, limit.Call, limit.Do))
	if p.NoNewPrivileges {
		check(narrate.Try("No execve gives new rights from here on: a set-user-ID program is just a program.",
			seccomp.NoNewPrivsCall, seccomp.NoNewPrivs))
		if spec.Linux.Seccomp {
			filterCalls(keep)
		}
	}
}

// dieWithParent has the kernel kill this process when the host's side dies. It
// was so from the start, but a change of the user id ends it, see
// PR_SET_PDEATHSIG(2const).
func dieWithParent() {
	check(narrate.Try("With another user id the kernel forgets to kill this process when the host's side dies: remind it.",
		"prctl(PR_SET_PDEATHSIG, SIGKILL)",
		func() error { return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0) }))
}

// filterCalls puts the seccomp filter on. It comes last, since it forbids some
// of what was done before.
func filterCalls(keep capability.Set) {
	filter, err := seccomp.Default(keep.Has)
	check(err)
	check(narrate.Try("The kernel asks this filter before every system call: those that a container has no use for answer EPERM.",
		filter.Call(), filter.Install))
}

// becomeUser takes the user's ids, in the order that keeps the right to take
// the next one. Only this thread does, which is the one that becomes the
// command.
func becomeUser(u User, userNamespace bool) {
	groups := make([]uint32, len(u.AdditionalGIDs))
	for i, gid := range u.AdditionalGIDs {
		groups[i] = uint32(gid)
	}
	text := strings.ReplaceAll(fmt.Sprint(groups), " ", ", ") // [4, 24]
	if len(groups) == 0 {
		text = "NULL"
	}
	err := narrate.Try("The groups of whoever started us are not the command's.",
		fmt.Sprintf("setgroups(%d, %s)", len(groups), text),
		func() error { return setgroups(groups) })
	if err != nil && !(userNamespace && len(groups) == 0) {
		check(err) // a user namespace with one id cannot change groups, user_namespaces(7)
	}
	check(narrate.Try("", fmt.Sprintf("setresgid(%d, %d, %d)", u.GID, u.GID, u.GID), func() error {
		return errnoOf(unix.RawSyscall(unix.SYS_SETRESGID, uintptr(u.GID), uintptr(u.GID), uintptr(u.GID)))
	}))
	check(narrate.Try("", fmt.Sprintf("setresuid(%d, %d, %d)", u.UID, u.UID, u.UID), func() error {
		return errnoOf(unix.RawSyscall(unix.SYS_SETRESUID, uintptr(u.UID), uintptr(u.UID), uintptr(u.UID)))
	}))
}
