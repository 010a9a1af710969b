package trace

import "golang.org/x/sys/unix"

// Name is the name of a system call that Read knows, "" for another one.
func Name(number uint64) string {
	switch {
	case number < uint64(len(names)) && names[number] != "":
		return names[number]
	case number < uint64(len(olderNames)):
		return olderNames[number]
	}
	return ""
}

// names stand at the numbers of the calls.
var names = [...]string{
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
	unix.SYS_OPEN_TREE:     "open_tree",
	unix.SYS_MOVE_MOUNT:    "move_mount",
	unix.SYS_FSOPEN:        "fsopen",
	unix.SYS_FSCONFIG:      "fsconfig",
	unix.SYS_FSMOUNT:       "fsmount",
	unix.SYS_FSPICK:        "fspick",
	unix.SYS_MOUNT_SETATTR: "mount_setattr",
	unix.SYS_STATMOUNT:     "statmount",
	unix.SYS_MKDIRAT:       "mkdirat",
	unix.SYS_UNLINKAT:      "unlinkat",
	unix.SYS_OPENAT:        "openat",
	unix.SYS_OPENAT2:       "openat2",
	unix.SYS_MKNODAT:       "mknodat",
	unix.SYS_SYMLINKAT:     "symlinkat",
	unix.SYS_FCHOWN:        "fchown",
	unix.SYS_FCHOWNAT:      "fchownat",
	unix.SYS_READ:          "read",
	unix.SYS_WRITE:         "write",
	unix.SYS_PWRITE64:      "pwrite64",
	unix.SYS_PRCTL:         "prctl",
	unix.SYS_CAPSET:        "capset",
	unix.SYS_SETUID:        "setuid",
	unix.SYS_SETGID:        "setgid",
	unix.SYS_SETREUID:      "setreuid",
	unix.SYS_SETREGID:      "setregid",
	unix.SYS_SETRESUID:     "setresuid",
	unix.SYS_SETRESGID:     "setresgid",
	unix.SYS_SETFSUID:      "setfsuid",
	unix.SYS_SETFSGID:      "setfsgid",
	unix.SYS_SETGROUPS:     "setgroups",
	unix.SYS_SECCOMP:       "seccomp",
	unix.SYS_BPF:           "bpf",
	unix.SYS_SETSID:        "setsid",
	unix.SYS_SETPGID:       "setpgid",
	unix.SYS_IOCTL:         "ioctl",
	unix.SYS_CLOSE_RANGE:   "close_range",
	unix.SYS_KEYCTL:        "keyctl",
	unix.SYS_EXECVE:        "execve",
	unix.SYS_EXECVEAT:      "execveat",
	unix.SYS_WAITID:        "waitid",
	unix.SYS_WAIT4:         "wait4",
	unix.SYS_SENDTO:        "sendto",
	unix.SYS_SENDMSG:       "sendmsg",
	unix.SYS_RECVFROM:      "recvfrom",
	unix.SYS_RECVMSG:       "recvmsg",
}
