package narrate

import (
	"encoding/binary"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// frame is a function on the stack of a thread.
type frame struct {
	function string // main.run, os.(*Process).Wait
	file     string
	line     int
}

// program is the program that is narrated, which is also ours: the same file, so
// our own table of lines says which line an address belongs to.
type program struct {
	source []string       // the lines of its main.go
	told   map[int]bool   // the lines whose comment has been told
	entry  uint64         // AT_ENTRY of our own process
	bias   map[int]uint64 // process → how far from ours it is loaded
}

func newProgram(source string) *program {
	return &program{source: strings.Split(source, "\n"), told: map[int]bool{}, entry: entryPoint("self"), bias: map[int]uint64{}}
}

// entryPoint is where a process's program begins, AT_ENTRY of getauxval(3). It
// differs from process to process when the program is position-independent. It
// is 0 where that cannot be read, or /proc has it of a stranger.
func entryPoint(pid string) uint64 {
	const atEntry = 9
	if !proc.IsOurs() {
		return 0
	}
	auxiliary, _ := os.ReadFile("/proc/" + pid + "/auxv")
	for ; len(auxiliary) >= 16; auxiliary = auxiliary[16:] {
		if binary.LittleEndian.Uint64(auxiliary) == atEntry {
			return binary.LittleEndian.Uint64(auxiliary[8:])
		}
	}
	return 0
}

// loaded forgets where a process's program was loaded: it has started anew.
func (p *program) loaded(process *trace.Process) { delete(p.bias, process.ID) }

// frames names the functions on a thread's stack, from the innermost outward.
func (p *program) frames(thread *trace.Thread) (all []frame) {
	id := thread.Process.ID
	bias, known := p.bias[id]
	if !known {
		if theirs := entryPoint(strconv.Itoa(id)); theirs != 0 && p.entry != 0 {
			bias = theirs - p.entry
		}
		p.bias[id] = bias
	}
	var counters []uintptr
	for _, counter := range thread.Stack() {
		counters = append(counters, uintptr(counter-bias))
	}
	found := runtime.CallersFrames(counters)
	for {
		f, more := found.Next()
		if f.Function != "" {
			all = append(all, frame{f.Function, f.File, f.Line})
		}
		if !more {
			return all
		}
	}
}

// reason is why a call is made, and where.
type reason struct {
	why       string
	commented bool   // by a comment, which may have been told before
	file      string // main.go, "" for a call that no line of it made
	line      int
}

// String is where the call was made: main.go:48.
func (r reason) String() string {
	if r.file == "" {
		return ""
	}
	return r.file + ":" + strconv.Itoa(r.line)
}

// reason finds the innermost function in main.go that makes the call in a line
// with a comment directly above it. A comment is told once: what else its line
// makes the kernel do has no why from there.
func (p *program) reason(frames []frame) (r reason) {
	for _, f := range frames {
		if !strings.HasPrefix(f.function, "main.") || path.Base(f.file) != "main.go" {
			continue
		}
		if r.file == "" {
			r.file, r.line = "main.go", f.line
		}
		if comment := p.comment(f.line); comment != "" {
			r.line, r.commented = f.line, true
			if !p.told[f.line] {
				p.told[f.line] = true
				r.why = comment
			}
			return r
		}
	}
	return r
}

// isDirective reports whether a comment is for a tool: //go:noinline
func isDirective(comment string) bool {
	tool, what, found := strings.Cut(comment, ":")
	return found && tool != "" && strings.Trim(tool, "abcdefghijklmnopqrstuvwxyz0123456789") == "" && strings.TrimSpace(what) == what && what != ""
}

// comment is the text of the comment that ends in the line above.
func (p *program) comment(line int) string {
	var words []string
	for i := line - 2; i >= 0 && i < len(p.source); i-- {
		text, ok := strings.CutPrefix(strings.TrimSpace(p.source[i]), "//")
		if !ok || isDirective(text) {
			break
		}
		words = append([]string{strings.TrimSpace(text)}, words...)
	}
	return strings.Join(words, " ")
}

// ownOfGo are calls that the Go runtime and its standard library make for
// themselves, by the function that makes them: they are no part of the story.
var ownOfGo = map[string][]string{
	// os finds out, once, what this kernel's pidfds can do.
	"os.checkPidfd":              {"clone", "clone3", "waitid", "wait4"},
	"os.checkClonePidfd":         {"clone", "clone3", "waitid", "wait4"},
	"syscall.os_checkClonePidfd": {"clone", "clone3", "waitid", "wait4"},
	"syscall.doCheckClonePidfd":  {"clone", "clone3", "waitid", "wait4"},
}

// isOwnOfGo reports whether Go makes a call for itself.
func isOwnOfGo(call string, frames []frame) bool {
	for _, f := range frames {
		for _, own := range ownOfGo[f.function] {
			if own == call {
				return true
			}
		}
	}
	return false
}

// forks reports whether the call is made by Go's way to start a program.
func forks(frames []frame) bool {
	for _, f := range frames {
		if strings.HasPrefix(f.function, "syscall.forkAndExecInChild") || f.function == "syscall.forkExec" {
			return true
		}
	}
	return false
}
