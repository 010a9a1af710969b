package lessontest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gonsrun/internal/proc"
)

// Hostname returns the test's hostname.
func Hostname(t testing.TB) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// Mounts returns the test's mount table.
func Mounts() []string { return lines("/proc/thread-self/mountinfo") }

// SameMounts expects the test's mount table to be what it was.
func SameMounts(t testing.TB, when string, before []string) {
	t.Helper()
	if now := Mounts(); !slices.Equal(now, before) {
		t.Errorf("the host's mount table has changed %s:\n%s\nIt was:\n%s", when, strings.Join(now, "\n"), strings.Join(before, "\n"))
	}
}

// PidOutside returns the pid that the test sees for the command of a running
// lesson, known by its arguments.
func (r *Running) PidOutside(args ...string) int {
	r.t.Helper()
	return find(r.t, r.Pid(), args...).pid
}

// NSpid returns the pids of a process, from the test's PID namespace inward.
func NSpid(pid int) (pids []string) {
	for _, line := range lines("/proc/" + itoa(pid) + "/status") {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			pids = strings.Fields(rest)
		}
	}
	return pids
}

// Child returns the pid of the container's first process: the child of the
// host's side that is not the watcher, which traces the host's side.
func (r *Running) Child() int {
	r.t.Helper()
	watcher := proc.StatusField(itoa(r.Pid()), "TracerPid")
	for _, p := range alive(r.Pid()) {
		if p.parent == r.Pid() && itoa(p.pid) != watcher {
			return p.pid
		}
	}
	r.t.Fatalf("%s has no child", shellLine(r.Command))
	return 0
}
