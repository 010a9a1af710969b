package check

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

func (r *recorder) handle(e trace.Event) {
	r.last = time.Now()
	p := r.processes[e.Thread.Process.ID]
	switch e.Kind {
	case trace.Entry:
		r.entry(e)
	case trace.Exit:
		delete(r.at, e.Thread)
		r.answer(e)
		if c, _ := e.Call.Note.(*call); c != nil && c.data == ready && c.pid == r.command && !r.looked {
			r.readyAt, r.held = time.Now(), e.Thread
			return
		}
	case trace.Born:
		r.born(e)
		r.tracer.ContinueBorn(e.Child)
	case trace.Execed:
		delete(r.at, e.Thread)
		r.answer(e)
		r.execed(e)
	case trace.Ending:
		if p != nil && p.pid == r.first && !r.hung && !r.tooMany {
			r.early, r.unwaited = r.livesOn(), r.isZombie(r.command)
		}
	case trace.Ended:
		delete(r.at, e.Thread)
		if len(e.Thread.Process.Threads) == 0 && p != nil {
			p.ended, p.status = true, statusOf(e.Status)
			if p.pid == r.first {
				r.run.status, r.over = p.status, true
			}
		}
		return
	}
	r.tracer.Continue(e.Thread)
}

// statusOf is the exit status, or -n for signal n.
func statusOf(status syscall.WaitStatus) int {
	if status.Signaled() {
		return -int(status.Signal())
	}
	return status.ExitStatus()
}

// entry is a call that is about to be made.
func (r *recorder) entry(e trace.Event) {
	r.at[e.Thread] = e.Call
	if c := r.read(e); c != nil && e.Call.Note == nil {
		e.Call.Note = c
		r.calls = append(r.calls, c)
		if again := fmt.Sprint(c.pid, c.text); c.name != "rmdir" && c.name != "unlinkat" && !r.asked[again] {
			r.asked[again] = true // the same once more is no progress
			r.moved = r.last
		}
	}
}

// recorded are the calls that containers are made of, in the lessons.
var recorded = map[string]bool{"clone": true, "clone3": true, "fork": true, "vfork": true, "unshare": true, "setns": true,
	"sethostname": true, "setdomainname": true, "chroot": true, "chdir": true, "fchdir": true, "pivot_root": true,
	"mount": true, "umount2": true, "mkdir": true, "mkdirat": true, "rmdir": true, "unlinkat": true, "write": true,
	"execve": true, "execveat": true}

// read writes down a call of the kinds that containers are made of, nil for
// another one.
func (r *recorder) read(e trace.Event) *call {
	asked, pid := e.Call, e.Thread.Process.ID
	c := &call{pid: pid, thread: e.Thread.ID, name: asked.Name()}
	v := asked.Values
	switch {
	case asked.Number == unix.SYS_PTRACE && v[0] == unix.PTRACE_SEIZE:
		r.processes[pid].tracer = true
		return nil
	case c.name == "openat":
		file, _ := e.Thread.Memory().String(v[1])
		if !isGroupFile(file) || v[2]&unix.O_ACCMODE == unix.O_RDONLY {
			return nil
		}
		c.name, c.path = "openat", file
		c.text = fmt.Sprintf("openat(%s)", trace.Quote(file))
		return c
	}
	if !recorded[c.name] {
		return nil
	}
	switch c.name {
	case "write":
		if pid != r.command {
			file, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", e.Thread.ID, int32(v[0])))
			if err != nil || !isGroupFile(file) && path.Base(file) != "uid_map" {
				return nil
			}
		} else if !r.readyAt.IsZero() || v[2] > 64 {
			return nil
		}
	case "clone", "clone3":
		if asked.CloneFlags()&unix.CLONE_THREAD != 0 {
			return nil
		}
	}
	asked.Read()
	c.text, c.path, c.data, c.list = asked.Text(), asked.Path, string(asked.Data), asked.List
	switch c.name {
	case "clone", "clone3":
		c.flags = asked.CloneFlags()
	case "unshare":
		c.flags = v[0]
	case "setns":
		c.flags = v[1]
	case "mount":
		c.flags = v[3]
		c.source, c.kind = unquote(asked.Arguments[0]), unquote(asked.Arguments[2])
	case "pivot_root":
		c.path = unquote(asked.Arguments[0])
	}
	return c
}

func unquote(text string) string {
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	return ""
}

func isGroupFile(path string) bool {
	return strings.HasPrefix(path, "/sys/fs/cgroup") && strings.Contains(path, ".") || strings.HasPrefix(path, "/sys/fs/cgroup/") && strings.Count(path, "/") > 4
}

func (r *recorder) answer(e trace.Event) {
	if e.Call == nil {
		return
	}
	c, _ := e.Call.Note.(*call)
	if c == nil || c.answered && c.child != 0 {
		return
	}
	c.answered = true
	if errno := e.Call.Errno(); errno != 0 {
		c.errno = unix.ErrnoName(errno)
	}
}

// born is a new process.
func (r *recorder) born(e trace.Event) {
	p := &process{pid: e.Child.ID, parent: e.Thread.Process.ID}
	if e.Call != nil {
		if c, _ := e.Call.Note.(*call); c != nil {
			c.child, c.answered, p.made = p.pid, true, c
		}
	}
	p.own, p.number = ownNamespaces(p.pid), innerNumber(p.pid)
	r.processes[p.pid] = p
	r.tooMany = r.tooMany || len(r.processes) > mostMade
}

// execed is a process that has become another program.
func (r *recorder) execed(e trace.Event) {
	p := r.processes[e.Thread.Process.ID]
	if p == nil || e.Call == nil {
		return
	}
	c, _ := e.Call.Note.(*call)
	if c == nil {
		return
	}
	p.became = c.list
	if r.isProgram(c.path) && len(c.list) > 1 && c.list[1] == "watch" { // our narrator, which sees that it is too late
		p.tracer = true
	}
	switch {
	case r.isCommand(c) && (r.command == 0 || !r.exact):
		r.command, r.ranAt = p.pid, time.Now()
		r.exact = slices.Equal(c.list[1:], r.typed[2:])
	case r.command != 0:
	case path.Base(c.path) == path.Base(r.typed[1]):
		r.stdin.Close() // a shell that got no arguments reads commands from there
	}
}

// isCommand reports whether an execve starts what was typed: the last argument
// is ours alone.
func (r *recorder) isCommand(c *call) bool {
	want := r.typed[1:]
	return len(c.list) > 0 && path.Base(c.path) == path.Base(r.typed[1]) && c.list[len(c.list)-1] == want[len(want)-1] && !slices.Contains(c.list, "run") && !r.isProgram(c.path)
}

func (r *recorder) isProgram(path string) bool {
	return path == "/proc/self/exe" || path == r.program || proc.SameFile(path, r.program)
}
