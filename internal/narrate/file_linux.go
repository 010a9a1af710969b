package narrate

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Read returns the text of a small file of /proc, /sys or the cgroup tree,
// without white space around it; "" for one that cannot be read. Such a file is
// never waited for, so it can do without the runtime's poller, which os.ReadFile
// asks first.
func Read(file string) string {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var text []byte
	part := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, part)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return strings.TrimSpace(string(text))
		}
		text = append(text, part[:n]...)
	}
}

// Write narrates the write of value into such a file. An error ends the
// program, with what to do about it.
func Write(why, file, value string) {
	if err := TryWrite(why, file, value); err != nil {
		Fail(err)
	}
}

// TryWrite is Write for a caller that wants the error, a *CallError. The file
// must exist.
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
