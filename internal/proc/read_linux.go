package proc

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Read returns the text of a small file of /proc, /sys or the cgroup tree,
// without white space around it; "" for one that cannot be read. Such a file is
// never waited for, so it can do without the runtime's poller, which os.ReadFile
// asks first.
func Read(file string) string {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
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

// StatusField reads one field of /proc/PID/status, see proc_pid_status(5). pid
// may be "self". It is "" when there is none.
func StatusField(pid, field string) string {
	return Field(Read("/proc/"+pid+"/status"), field)
}

// Field returns a field of the text of /proc/PID/status, "" when there is none.
func Field(status, field string) string {
	_, rest, found := strings.Cut("\n"+status, "\n"+field+":")
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}

// tick is the unit of processor time in /proc/PID/stat, on every kernel that Go runs on.
const tick = time.Second / 100

// Used is the processor time that a process has had, 0 for one that is gone. See
// proc_pid_stat(5).
func Used(pid int) time.Duration {
	text := Read("/proc/" + strconv.Itoa(pid) + "/stat")
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:]) // the name before may be any text
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// Namespace identifies a namespace of a process: uts:[4026531838]. It is "" for
// a process that is gone, and for a namespace that this kernel lacks.
func Namespace(pid, name string) string {
	link, _ := os.Readlink("/proc/" + pid + "/ns/" + name)
	return link
}

// IsOurs reports whether the numbers below /proc are the ones that getpid(2)
// and wait(2) use here. Inside a PID namespace without a /proc of its own they
// are another namespace's, and /proc/PID is a stranger.
func IsOurs() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
}

// SameFile reports whether two paths lead to the same file.
func SameFile(a, b string) bool {
	var one, other unix.Stat_t
	return unix.Stat(a, &one) == nil && unix.Stat(b, &other) == nil &&
		one.Dev == other.Dev && one.Ino == other.Ino
}
