//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// errnoOf makes an error of what a raw system call returns.
func errnoOf(_, _ uintptr, errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// setgroups sets the supplementary groups of this thread alone; the one in
// x/sys/unix is for whole programs.
func setgroups(gids []uint32) error {
	var list unsafe.Pointer
	if len(gids) > 0 {
		list = unsafe.Pointer(&gids[0])
	}
	return errnoOf(unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(gids)), uintptr(list), 0))
}
