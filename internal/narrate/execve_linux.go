package narrate

import (
	"bytes"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// preparers are programs that are not the command yet: they change something, and
// then become what their arguments name.
var preparers = []string{"chroot", "unshare", "nsenter", "setpriv", "capsh", "setsid", "env", "nice", "ionice", "su", "runuser", "setarch"}

// executes says of an execve whether it starts the same program once more, and
// whether it makes a container's process its command.
func (w *watcher) executes(t *told) (again, command bool) {
	t.missing = true
	there := false
	t.file(func(file string) {
		there, t.missing = unix.Access(file, unix.X_OK) == nil, false
		again = runsFile(t.thread.Process, file)
	})
	return again, there && !again && !slices.Contains(preparers, path.Base(t.call.Path)) && w.isChanged(t.thread)
}

// runsFile reports whether a process runs the program in a file: the same file, or a copy of
// it, as runtimes make for themselves in memory. A process that has just changed its
// user, and has its maker's memory still, is not for an ordinary user to look into: it
// runs what its maker runs. See PR_SET_DUMPABLE(2const).
func runsFile(p *trace.Process, file string) bool {
	for ; p != nil; p = p.Parent {
		exe := "/proc/" + strconv.Itoa(p.ID) + "/exe"
		if identity(exe) != "" {
			return proc.SameFile(exe, file) || sameContent(exe, file)
		}
	}
	return false
}

// sameContent reports whether two files have the same bytes.
func sameContent(one, other string) bool {
	a, err1 := os.Open(one)
	b, err2 := os.Open(other)
	defer a.Close()
	defer b.Close()
	if err1 != nil || err2 != nil {
		return false
	}
	ofA, err1 := a.Stat()
	ofB, err2 := b.Stat()
	if err1 != nil || err2 != nil || !ofA.Mode().IsRegular() || !ofB.Mode().IsRegular() || ofA.Size() != ofB.Size() {
		return false
	}
	contentA, err1 := io.ReadAll(a)
	contentB, err2 := io.ReadAll(b)
	return err1 == nil && err2 == nil && bytes.Equal(contentA, contentB)
}

// lookUpMissing is the entry of an execve of a file that is not there: so the folders
// of PATH are searched.
func lookUpMissing(file string) entry {
	return entry{why: "No program is at this place. Shells try each folder of PATH.", man: "execve(2)",
		fold: "PATH " + path.Base(file), item: path.Dir(file)}
}

// file calls do with the file that an execve is about, as we can open it.
func (t *told) file(do func(file string)) {
	from := "cwd"
	if t.call.Name() == "execveat" {
		if fd := descriptor(t.call.Values[0]); fd != strconv.Itoa(unix.AT_FDCWD) {
			from = "fd/" + fd
		}
		if t.call.Path == "" { // AT_EMPTY_PATH: the descriptor's own
			do("/proc/" + strconv.Itoa(t.thread.ID) + "/" + from)
			return
		}
	}
	outside(t.thread, t.call.Path, from, do)
}

// isExecve reports whether the call makes a process another program.
func (t *told) isExecve() bool { return strings.HasPrefix(t.call.Name(), "execve") }
