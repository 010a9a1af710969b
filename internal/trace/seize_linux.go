package trace

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// ErrOldKernel is the error of Seize before Linux 5.3.
var ErrOldKernel = errors.New("PTRACE_GET_SYSCALL_INFO: this kernel is older than Linux 5.3")

// Seize starts to trace a running process with all its threads. It does not stop
// them, but for a moment. The error wraps the errno: EPERM when the process is
// traced already, when /proc/sys/kernel/yama/ptrace_scope forbids it, or when it
// is somebody else's; ESRCH when it is gone. It is ErrOldKernel before Linux 5.3.
func Seize(pid int) (*Tracer, error) {
	t := &Tracer{threads: map[int]*Thread{}, stops: make(chan stop, 1), root: &Process{ID: pid}}
	left := map[int]bool{} // what we need not look at again
	for more := true; more; {
		more = false
		for _, id := range threadsOf(pid) {
			if left[id] || t.threads[id] != nil {
				continue
			}
			err := ptrace(unix.PTRACE_SEIZE, id, 0, options)
			if err != nil && (err == unix.ESRCH && id != pid || isOver(pid, id)) {
				left[id] = true // it has just ended, or a seized one has just made it
				continue
			}
			if err != nil {
				t.letGo()
				return nil, fmt.Errorf("ptrace(PTRACE_SEIZE, %d): %w", id, err)
			}
			ptrace(unix.PTRACE_INTERRUPT, id, 0, 0)
			t.add(id, t.root)
			more = true
		}
	}
	for id := range t.threads {
		if !canAsk(id) {
			t.letGo()
			return nil, ErrOldKernel
		}
	}
	if len(t.threads) == 0 {
		return nil, fmt.Errorf("ptrace(PTRACE_SEIZE, %d): %w", pid, unix.ESRCH)
	}
	return t, nil
}

// canAsk reports whether this kernel has PTRACE_GET_SYSCALL_INFO, and no filter
// refuses it. Of a thread that runs, as most do here, an older kernel does not say
// that it lacks that: then its number does.
func canAsk(thread int) bool {
	if _, err := getSyscallInfo(thread); err != unix.ESRCH {
		return err == nil
	}
	var name unix.Utsname
	var major, minor int
	unix.Uname(&name)
	n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor)
	return n < 2 || major > 5 || major == 5 && minor >= 3
}

// isOver reports whether a thread that cannot be seized need not be: it has ended
// and only its entry is left, or it is traced by us since it was made. Where /proc
// does not say so, that is taken for granted of all threads but the first.
func isOver(pid, thread int) bool {
	if !proc.IsOurs() {
		return thread != pid
	}
	status := proc.Read(fmt.Sprintf("/proc/%d/task/%d/status", pid, thread))
	state, tracer := proc.Field(status, "State"), proc.Field(status, "TracerPid")
	over := state == "" || strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
	return over || tracer == strconv.Itoa(unix.Gettid())
}

// letGo undoes half a seizing: a thread must stop before it can be let go.
func (t *Tracer) letGo() {
	const ourThread = 0x20000000 // __WNOTHREAD: what this thread traces, and nobody else's children
	t.Detach(t.root)
	for len(t.threads) > 0 {
		var status syscall.WaitStatus
		id, err := syscall.Wait4(-1, &status, syscall.WALL|ourThread, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return
		}
		t.Event(stop{id, status})
	}
}

func threadsOf(pid int) []int {
	entries, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if len(entries) == 0 || !proc.IsOurs() {
		return probedThreads(pid)
	}
	ids := make([]int, len(entries))
	for i, entry := range entries {
		ids[i], _ = strconv.Atoi(entry.Name())
	}
	return ids
}

// probedThreads is threadsOf where /proc has another PID namespace's numbers: of each
// number that may be a thread of the process, tgkill(2) says whether it is, see
// processOf. The process itself is one, in any case.
func probedThreads(pid int) (ids []int) {
	const later = 1000 // so many numbers may have been given since ours
	first, last := pid, unix.Gettid()
	if last < first { // they have begun anew
		first, last = 1, first
	}
	for id := first; id < last+later; id++ {
		if id == pid || unix.Tgkill(pid, id, 0) != unix.ESRCH {
			ids = append(ids, id)
		}
	}
	return ids
}
