package lessontest

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long a test waits for what must happen soon.
var Patience = 10 * time.Second

// Soon is how long what ends at once may take to be gone.
var Soon = time.Second

// Sized returns how much of the same a test does: all, or with -test.short, as
// on an emulated machine, the lesser amount.
func Sized[T any](all, short T) T {
	if testing.Short() {
		return short
	}
	return all
}

// Eventually waits until is reports true, and reports whether it did in time.
func Eventually(patience time.Duration, is func() bool) bool {
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if is() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// process is what /proc/PID/stat and /proc/PID/cmdline say, see proc_pid_stat(5).
type process struct {
	pid, parent, group, session int
	state                       string // "Z" for one that nobody has waited for
	args                        []string
}

func (p process) String() string {
	return itoa(p.pid) + " (" + p.state + ") " + strings.Join(p.args, " ")
}

// thing names p in an inventory, whatever it is doing.
func (p process) thing() string { return "process " + itoa(p.pid) + " " + strings.Join(p.args, " ") }

func readProcess(pid int) (p process, ok bool) {
	dir := "/proc/" + itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	end := strings.LastIndex(string(stat), ") ")
	if err != nil || end < 0 {
		return p, false
	}
	fields := strings.Fields(string(stat[end+2:]))
	number := func(i int) int { n, _ := strconv.Atoi(fields[i]); return n }
	cmdline, _ := os.ReadFile(dir + "/cmdline")
	args := strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	return process{pid: pid, state: fields[0], parent: number(1), group: number(2), session: number(3), args: args}, true
}

func parentOf(pid int) int {
	p, _ := readProcess(pid)
	return p.parent
}

// descendants returns the processes below pid.
func descendants(pid int) (below []process) {
	children := map[int][]process{}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, entry := range entries {
		pid, _ := strconv.Atoi(filepath.Base(entry))
		if p, ok := readProcess(pid); ok {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	queue := []int{pid}
	for len(queue) > 0 {
		for _, child := range children[queue[0]] {
			below = append(below, child)
			queue = append(queue, child.pid)
		}
		queue = queue[1:]
	}
	return below
}

// alive is descendants without those that are dead and only wait to be asked.
func alive(pid int) []process {
	return slices.DeleteFunc(descendants(pid), func(p process) bool { return p.state == "Z" || p.state == "X" })
}

// find waits for a process below pid with these arguments and no others: those
// of what only becomes this command end like them.
func find(t testing.TB, pid int, args ...string) process {
	t.Helper()
	return findWhere(t, pid, func(p process) bool { return slices.Equal(p.args, args) }, args)
}

// findEnding waits for a process below pid with these last arguments.
func findEnding(t testing.TB, pid int, args ...string) process {
	t.Helper()
	return findWhere(t, pid, func(p process) bool {
		return len(p.args) >= len(args) && slices.Equal(p.args[len(p.args)-len(args):], args)
	}, args)
}

func findWhere(t testing.TB, pid int, is func(process) bool, args []string) process {
	t.Helper()
	var found process
	if !Eventually(Patience, func() bool {
		for _, p := range alive(pid) {
			if is(p) {
				found = p
				return true
			}
		}
		return false
	}) {
		t.Fatalf("no process %q within %v; there are %v", strings.Join(args, " "), Patience, alive(pid))
	}
	return found
}

// reap waits for the orphans that became our children and have ended.
func reap() {
	for _, p := range descendants(os.Getpid()) {
		if p.parent == os.Getpid() && p.state == "Z" {
			unix.Wait4(p.pid, nil, unix.WNOHANG, nil)
		}
	}
}

// Namespace identifies a namespace of the test: uts:[4026531838].
func Namespace(t testing.TB, name string) string {
	t.Helper()
	link, err := os.Readlink("/proc/thread-self/ns/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return link
}
