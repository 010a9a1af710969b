package narrate

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// TryWrite narrates the write of value into a small file of /proc, /sys or the
// cgroup tree. The file must exist. Its error is a *CallError.
func TryWrite(why, file, value string) error {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &CallError{Call: fmt.Sprintf("openat(AT_FDCWD, %s, O_WRONLY|O_CLOEXEC)", Quote(file)), Err: err}
	}
	defer unix.Close(fd)
	_, err = TryResult(why, fmt.Sprintf("write(…%s>, %s, %d)", shown(file), Quote(value), len(value)),
		func() (int, error) { return unix.Write(fd, []byte(value)) })
	return err
}

// shown is the path of an open file as strace -y writes it, or its end.
func shown(file string) string {
	if config.Compact {
		if parts := strings.Split(file, "/"); len(parts) > 3 {
			return "/" + strings.Join(parts[len(parts)-3:], "/")
		}
	}
	return "<" + file
}
