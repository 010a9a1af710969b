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
	for number, words := range map[uint64]string{
		unix.SYS_READ:            fmt.Sprintf("it reads from descriptor %d, and nothing comes (read)", int32(c.Values[0])),
		unix.SYS_WRITE:           fmt.Sprintf("it writes to descriptor %d, and nobody reads (write)", int32(c.Values[0])),
		unix.SYS_WAIT4:           "it waits for the end of a process (wait4)",
		unix.SYS_WAITID:          "it waits for the end of a process (waitid)",
		unix.SYS_FUTEX:           "it sleeps, or its threads wait for each other (futex)",
		unix.SYS_NANOSLEEP:       "it sleeps (nanosleep)",
		unix.SYS_CLOCK_NANOSLEEP: "it sleeps (clock_nanosleep)",
		unix.SYS_EPOLL_PWAIT:     "it sleeps, or waits for something to read (epoll_pwait)",
		unix.SYS_PPOLL:           "it waits for something to read (ppoll)",
		unix.SYS_RT_SIGSUSPEND:   "it waits for a signal (rt_sigsuspend)",
		unix.SYS_RT_SIGTIMEDWAIT: "it waits for a signal (rt_sigtimedwait)",
		unix.SYS_FLOCK:           "it waits for a lock (flock)",
	} {
		if number == c.Number {
			return words
		}
	}
	if name := c.Name(); name != "" {
		if c.Arguments != nil {
			return "it is in " + c.Text()
		}
		return "it is in " + name
	}
	return fmt.Sprintf("it is in system call number %d", c.Number)
}
