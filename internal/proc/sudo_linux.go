package proc

import (
	"os"
	"strconv"
)

// SudoCaller returns the user who called sudo, where that made this process root.
func SudoCaller() (uid, gid int, ok bool) {
	uid, err1 := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, err2 := strconv.Atoi(os.Getenv("SUDO_GID"))
	return uid, gid, os.Geteuid() == 0 && err1 == nil && err2 == nil && uid != 0
}
