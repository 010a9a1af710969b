package trace

import "golang.org/x/sys/unix"

// olderNames are calls that newer processors have only in a more general form.
var olderNames = [...]string{
	unix.SYS_FORK:    "fork",
	unix.SYS_VFORK:   "vfork",
	unix.SYS_OPEN:    "open",
	unix.SYS_MKDIR:   "mkdir",
	unix.SYS_RMDIR:   "rmdir",
	unix.SYS_UNLINK:  "unlink",
	unix.SYS_MKNOD:   "mknod",
	unix.SYS_SYMLINK: "symlink",
	unix.SYS_CHOWN:   "chown",
	unix.SYS_LCHOWN:  "lchown",
}
