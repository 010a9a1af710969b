package lessontest

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// late is how long the host's side is kept from running: as on a machine with much else
// to do, though longer than there.
const late = 4 * time.Second

// sameTextLate freezes the host's side while the container's becomes this program.
func (l Lesson) sameTextLate(t *testing.T) {
	NeedRoot(t)
	trees := cgroupTrees()
	i := slices.IndexFunc(trees, func(tree cgroupTree) bool { return tree.v1 == "freezer" })
	if i < 0 {
		t.Skip("without the v1 controller freezer no process can be kept from running that does not seem to sleep")
	}
	dir := trees[i].dir + "/gonsrun-late-" + itoa(os.Getpid())
	set := func(file, value string) {
		if err := os.WriteFile(dir+"/"+file, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer func() { Eventually(Patience, func() bool { return unix.Rmdir(dir) != syscall.EBUSY }) }()
	term := NewTerminal(t, 100, l.command("-pause", "run", "/bin/sh", "-c", "exit 7"))
	for term.Expect(pausePrompt); !strings.Contains(term.Raw(), "/proc/self/exe"); term.Expect(pausePrompt) {
		term.Type("\n")
	}
	set("cgroup.procs", itoa(term.Command.Process.Pid))
	set("freezer.state", "FROZEN")
	defer set("freezer.state", "THAWED")
	term.Type("g")
	if Eventually(late, func() bool { return strings.Contains(term.Raw(), "sethostname(") }) {
		term.fail("the container's side is held until the host's waits, and has not made its first call before")
	}
	set("freezer.state", "THAWED")
	if status := term.Wait(); status != 7 {
		t.Errorf("exit status %d, expected 7:\n%s", status, term.Screen())
	}
	if text := term.Raw(); strings.Index(text, "waitid(") > strings.Index(text, "sethostname(") {
		term.fail("the host's waitid is told before the container's sethostname")
	}
}
