package trace

import "golang.org/x/sys/unix"

// Name is the name of a system call that Read knows, "" for another one.
func Name(number uint64) string { return names[number] }

var names = func() map[uint64]string {
	all := map[uint64]string{
		unix.SYS_CLONE:         "clone",
		unix.SYS_CLONE3:        "clone3",
		unix.SYS_UNSHARE:       "unshare",
		unix.SYS_SETNS:         "setns",
		unix.SYS_SETHOSTNAME:   "sethostname",
		unix.SYS_SETDOMAINNAME: "setdomainname",
		unix.SYS_CHROOT:        "chroot",
		unix.SYS_CHDIR:         "chdir",
		unix.SYS_FCHDIR:        "fchdir",
		unix.SYS_PIVOT_ROOT:    "pivot_root",
		unix.SYS_MOUNT:         "mount",
		unix.SYS_UMOUNT2:       "umount2",
		unix.SYS_MKDIRAT:       "mkdirat",
		unix.SYS_UNLINKAT:      "unlinkat",
		unix.SYS_WRITE:         "write",
		unix.SYS_PRCTL:         "prctl",
		unix.SYS_EXECVE:        "execve",
		unix.SYS_EXECVEAT:      "execveat",
		unix.SYS_WAITID:        "waitid",
		unix.SYS_WAIT4:         "wait4",
	}
	for number, name := range olderNames {
		all[number] = name
	}
	return all
}()
