package narrate

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// Whose end a call was told that waits: the command's, the container's side's that has
// not become one, or another process's.
func TestWhoEnded(t *testing.T) {
	inside := exec.Command("sleep", "100")
	inside.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if err := inside.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { inside.Process.Kill(); inside.Wait() })

	host := &trace.Process{ID: os.Getpid()}
	container := &trace.Process{ID: inside.Process.Pid, Parent: host}
	command := &trace.Process{ID: 4300, Parent: container}
	const (
		exited, killed = 1, 2
		notBecome      = "the container's side has ended, and has not become the command"
		notYet         = "a signal ended the container's side before it became the command"
		ownStatus      = "the command's own exit status"
	)
	for _, test := range []struct {
		name            string
		command, waiter *trace.Process
		pid, code       int
		want            string
	}{
		{"it became the command", container, host, container.ID, exited, ownStatus},
		{"and was killed", container, host, container.ID, killed, "a signal ended the command"},
		{"it became none", nil, host, container.ID, exited, notBecome},
		{"and was killed", nil, host, container.ID, killed, notYet},
		{"a helper of the host's side", container, host, 4299, exited, "process 4299 has ended"},
		{"a helper, before there is a command", nil, host, 4299, exited, "process 4299 has ended"},
		{"it started the command", command, container, 7, exited, ownStatus},
		{"and the host's side waits for it", command, host, container.ID, exited, notBecome},
		{"a helper of the container's side", command, container, 6, exited, "process 6 has ended"},
		{"a helper with the number that the command has outside", command, container, 4300, exited, "process 4300 has ended"},
	} {
		w := &watcher{brief: brief{Lesson: true}, host: host, container: container, commands: map[*trace.Process][]string{}}
		if test.command != nil {
			w.commands[test.command] = []string{strconv.Itoa(test.command.ID), "7"}
		}
		if got := w.whoEnded(test.waiter, &trace.Waited{PID: test.pid, Code: test.code}); got != test.want {
			t.Errorf("%s: %q, expected %q", test.name, got, test.want)
		}
	}
}
