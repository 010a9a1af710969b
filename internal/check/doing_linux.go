package check

import (
	"fmt"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// doing says in words what a thread is in the middle of.
func doing(c *trace.Call) string {
	if c == nil || c.Number == unix.SYS_RT_SIGRETURN { // which is where Go's scheduler interrupts a loop
		return ""
	}
	switch c.Number {
	case unix.SYS_READ, unix.SYS_READV, unix.SYS_PREAD64:
		return fmt.Sprintf("it reads from descriptor %d, and nothing comes (%s)", int32(c.Values[0]), waits[c.Number].name)
	case unix.SYS_WRITE, unix.SYS_WRITEV:
		return fmt.Sprintf("it writes to descriptor %d, and nobody reads (%s)", int32(c.Values[0]), waits[c.Number].name)
	}
	if w, ok := waits[c.Number]; ok {
		return fmt.Sprintf("%s (%s)", w.words, w.name)
	}
	if name := c.Name(); name != "" {
		if c.Arguments != nil {
			return "it is in " + c.Text()
		}
		return "it is in " + name
	}
	return fmt.Sprintf("it is in system call number %d", c.Number)
}

// wait is a call in which a thread may stay, in words.
type wait struct{ name, words string }

const (
	forEnd    = "it waits for the end of a process"
	forSignal = "it waits for a signal"
	forData   = "it waits for something to read"
	forPeer   = "it waits for somebody to connect"
	forLock   = "it waits for a lock"
	forTime   = "it sleeps"
	forRest   = "it waits"
)

// waits are the calls in which a thread may stay, by their numbers.
var waits = func() map[uint64]wait {
	all := map[uint64]wait{
		unix.SYS_READ:            {"read", forData},
		unix.SYS_READV:           {"readv", forData},
		unix.SYS_PREAD64:         {"pread64", forData},
		unix.SYS_RECVFROM:        {"recvfrom", forData},
		unix.SYS_RECVMSG:         {"recvmsg", forData},
		unix.SYS_PPOLL:           {"ppoll", forData},
		unix.SYS_PSELECT6:        {"pselect6", forData},
		unix.SYS_EPOLL_PWAIT:     {"epoll_pwait", "it sleeps, or waits for something to read"},
		unix.SYS_FUTEX:           {"futex", "it sleeps, or its threads wait for each other"},
		unix.SYS_WRITE:           {"write", forRest},
		unix.SYS_WRITEV:          {"writev", forRest},
		unix.SYS_WAIT4:           {"wait4", forEnd},
		unix.SYS_WAITID:          {"waitid", forEnd},
		unix.SYS_NANOSLEEP:       {"nanosleep", forTime},
		unix.SYS_CLOCK_NANOSLEEP: {"clock_nanosleep", forTime},
		unix.SYS_SCHED_YIELD:     {"sched_yield", "it computes, and lets others go first"},
		unix.SYS_RT_SIGSUSPEND:   {"rt_sigsuspend", forSignal},
		unix.SYS_RT_SIGTIMEDWAIT: {"rt_sigtimedwait", forSignal},
		unix.SYS_ACCEPT:          {"accept", forPeer},
		unix.SYS_ACCEPT4:         {"accept4", forPeer},
		unix.SYS_CONNECT:         {"connect", "it waits for an answer to its connection"},
		unix.SYS_SENDTO:          {"sendto", forRest},
		unix.SYS_SENDMSG:         {"sendmsg", forRest},
		unix.SYS_FLOCK:           {"flock", forLock},
		unix.SYS_FCNTL:           {"fcntl", forLock},
		unix.SYS_SEMTIMEDOP:      {"semtimedop", forLock},
		unix.SYS_OPENAT:          {"openat", "it waits for the other end of a pipe that it opens"},
		unix.SYS_SPLICE:          {"splice", forData},
		unix.SYS_IOCTL:           {"ioctl", "it waits for a device"},
		unix.SYS_CLOSE:           {"close", forRest},
		unix.SYS_FSYNC:           {"fsync", "it waits for a disk"},
		unix.SYS_IO_URING_ENTER:  {"io_uring_enter", forRest},
	}
	for number, w := range olderWaits {
		all[number] = w
	}
	return all
}()
