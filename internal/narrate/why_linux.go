package narrate

import (
	"encoding/binary"
	"os"
	"path"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// frame is a function on the stack of a thread.
type frame struct {
	function string // main.run, os.(*Process).Wait
	file     string
	line     int
}

// program is a program that is narrated, of whose addresses a table says which line
// they belong to.
type program struct {
	source []string     // the lines of its main.go, none when nobody has given it
	told   map[int]bool // the lines whose comment has been told
	entry  uint64       // where the file says that it begins
	lines  func(counters []uintptr) []frame
}

// setSource says what the program's main.go is.
func (p *program) setSource(source string) {
	p.source, p.told = strings.Split(source, "\n"), map[int]bool{}
}

// programs are those that the narrated processes run.
type programs struct {
	own    *program            // this one: the narrator is the program that it narrates
	others map[string]*program // by identity of their file
	of     map[int]loaded      // by process
}

// loaded is a program in a process's memory.
type loaded struct {
	*program
	bias uint64 // how far from where its file says
}

func newPrograms(source string) programs {
	own := &program{entry: entryPoint("self"), lines: ownLines}
	if source != "" {
		own.setSource(source)
	}
	return programs{own: own, others: map[string]*program{}, of: map[int]loaded{}}
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

// forget forgets what a process runs: it has started anew.
func (p *programs) forget(process *trace.Process) { delete(p.of, process.ID) }

// find returns what a process runs.
func (p *programs) find(process *trace.Process) loaded {
	found, known := p.of[process.ID]
	if known {
		return found
	}
	found.program = p.own
	if exe := "/proc/" + strconv.Itoa(process.ID) + "/exe"; proc.IsOurs() && !proc.SameFile("/proc/self/exe", exe) {
		id := identity(exe)
		if found.program = p.others[id]; found.program == nil {
			found.program = readProgram(exe)
			p.others[id] = found.program
		}
	}
	if theirs := entryPoint(strconv.Itoa(process.ID)); theirs != 0 && found.entry != 0 {
		found.bias = theirs - found.entry
	}
	p.of[process.ID] = found
	return found
}

// frames names the functions on a thread's stack, from the innermost outward.
func (p *programs) frames(thread *trace.Thread) []frame {
	program := p.find(thread.Process)
	if program.lines == nil {
		return nil
	}
	var counters []uintptr
	for _, counter := range thread.Stack() {
		counters = append(counters, uintptr(counter-program.bias))
	}
	return program.lines(counters)
}

// reason is why the call is made that a thread is about to make.
func (p *programs) reason(thread *trace.Thread, frames []frame) reason {
	found := p.find(thread.Process)
	if found.source == nil && found.program == p.own {
		return found.place(frames)
	}
	return found.reason(frames)
}

// ownLines asks this program's own table.
func ownLines(counters []uintptr) (all []frame) {
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
		if !strings.HasPrefix(f.function, "main.") || path.Base(f.file) != "main.go" || p.source == nil {
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

// place is where a program without comments makes a call: in the innermost function
// of package main, which is where its story is told, else of this module.
func (p *program) place(frames []frame) (r reason) {
	for _, prefix := range []string{"main.", module()} {
		for _, f := range frames {
			if strings.HasPrefix(f.function, prefix) && f.function != "main.main" {
				return reason{file: path.Base(f.file), line: f.line}
			}
		}
	}
	return reason{}
}

// module is the path of this module with a slash, as it begins the names of its
// functions: gonsrun/
var module = sync.OnceValue(func() string {
	self, _, _ := strings.Cut(reflect.TypeFor[program]().PkgPath(), "/")
	return self + "/"
})

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

// isOwnOfGo reports whether Go's standard library makes a call for itself: such are no
// part of the story. os finds out, once, what this kernel's pidfds can do.
func isOwnOfGo(call string, frames []frame) bool {
	switch call {
	case "clone", "clone3", "waitid", "wait4":
	default:
		return false
	}
	for _, f := range frames {
		switch f.function {
		case "os.checkPidfd", "os.checkClonePidfd", "syscall.os_checkClonePidfd", "syscall.doCheckClonePidfd":
			return true
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
