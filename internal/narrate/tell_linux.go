package narrate

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// record is a narrated call as -json prints it.
type record struct {
	Lesson string `json:"lesson"`
	Side   Side   `json:"side"`
	PID    int    `json:"pid"`               // as this side sees itself
	Host   int    `json:"hostpid,omitempty"` // as who watches sees it; not in lessons, where only the clone says it
	Call   string `json:"call"`
	Args   string `json:"args"` // as strace prints them, … for what was left out
	Ret    int64  `json:"ret"`
	Errno  string `json:"errno"` // "" for success, else a name as in errno(3)
	Why    string `json:"why"`
	Man    string `json:"man"`  // the manual page to read
	File   string `json:"file"` // the source that makes the call, "" when that is not the program's
	Line   int    `json:"line"` // and the line in it, 0 when there is none
}

func (w *watcher) record(t *told) record {
	return record{
		Lesson: w.Program, Side: t.speaker.side, PID: t.speaker.pid, Host: t.speaker.outside,
		Call: t.call.Name(), Args: strings.Join(t.call.Arguments, ", "),
		Ret: t.call.Return(), Errno: errnoName(t.call.Errno()),
		Why: t.reason.why, Man: t.entry.man, File: t.reason.file, Line: t.reason.line,
	}
}

// json prints the record of an answered call, whole and in a line of its own. After
// the command, which may have left a line unfinished, an empty line can stand before
// it: in a pipe or on a terminal nobody can look whether that is needed.
func (p *printer) json(r record) {
	var b strings.Builder
	if p.foreign && !p.out.beginsLine() {
		b.WriteString("\n")
	}
	p.foreign = false
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(r) == nil {
		p.out.say(b.String())
	}
}

// tell writes why a call is made, and the call.
func (w *watcher) tell(t *told) {
	p := w.print
	p.look()
	call := t.late
	if call == "" {
		call = shownCall(t.call, t.byGo)
	}
	w.spoken = t
	if !w.Lesson {
		w.tellWhole(t, call)
		return
	}
	if p.short {
		why, asked := cut(firstWords(t.reason.why, p.columns), p.columns), cut(call, p.columns-len(" = -1 EAGAIN"))
		all := []line{{styled: plainStyle.Sprint(why)}, {styled: callStyle.Sprint(asked), columns: columns(asked)}}
		p.begin(t.speaker, all, !t.command && !t.waits && !w.pause.on)
		return
	}
	all := append(p.lines(plainStyle, t.reason.why), p.lines(callStyle, call)...)
	last := &all[len(all)-1]
	if page := "  " + toType(t.entry.man); last.columns+len(page) <= p.columns {
		last.styled += faintStyle.Sprint(page)
	}
	for _, remark := range remarks(t.call, t.byGo) {
		all = append(all, p.lines(plainStyle, remark)...)
	}
	p.begin(t.speaker, all, false)
}

// firstWords is the beginning of a text up to a sentence's end, or to a colon,
// when the whole does not fit.
func firstWords(text string, width int) string {
	for columns(text) > width {
		end := max(strings.LastIndex(text, ". "), strings.LastIndex(text, ": "))
		if end < 0 {
			break
		}
		text = text[:end]
	}
	return text
}

// toType is how one types to read a manual page: man 2 mount for mount(2).
func toType(page string) string {
	name, section, _ := strings.Cut(strings.TrimSuffix(page, ")"), "(")
	return "man " + section + " " + name
}

// answer tells what the kernel said, and what can be seen of it. Where another
// call has been told since, the answer says whose it is.
func (w *watcher) answer(t *told, child *trace.Process) {
	if t.waits {
		w.print.foreign = w.print.foreign || w.began
	}
	if len(t.call.Messages) > 0 && t.call.Errno() == 0 {
		w.asks(t)
	}
	if w.JSON() {
		w.print.json(w.record(t))
		return
	}
	if t.hidden && w.hides(t) || t.folded && w.foldIn(t) {
		return
	}
	switch {
	case t.command && t.call.Errno() == 0:
		return // an execve that works does not return
	case t.command:
		w.hands = false
	case t.late != "":
		w.unfold()
		w.tell(t)
	}
	if w.fold.first == t {
		w.fold.errno = t.call.Errno()
	}
	w.print.look()
	style, text := goodStyle, fmt.Sprintf("= %d", t.call.Return())
	if errno := t.call.Errno(); errno != 0 {
		style, text = badStyle, "= -1 "+errnoText(errno)
	}
	if w.spoken != t {
		text = t.call.Name() + " " + text
	}
	if !w.Lesson {
		w.answerWhole(t, child, style, text)
		return
	}
	all := w.print.lines(style, text)
	if !w.print.short {
		for _, fact := range w.seen(t, child) {
			all = append(all, w.print.lines(plainStyle, "seen: "+fact)...)
		}
	}
	if hint := w.hint(t); hint != "" {
		all = append(all, w.print.lines(plainStyle, hint)...)
	}
	w.sayMore(t, all)
}

// sayMore adds lines to what was told of a call; where another one has been told
// since, in a block of their own.
func (w *watcher) sayMore(t *told, all []line) {
	if w.spoken != t {
		w.unfold()
		w.spoken = t
		w.print.begin(t.speaker, all, false)
		return
	}
	w.print.more(t.speaker, all)
}

// seen is the evidence for an answer.
func (w *watcher) seen(t *told, child *trace.Process) []string {
	if ended := t.call.Wait; ended != nil {
		return []string{fmt.Sprintf("si_code=%s si_status=%s: %s", ended.CodeName(), ended.StatusText(), w.whoEnded(t.thread.Process, ended))}
	}
	return evidence(t.call, t.thread.Process, child)
}

// whoEnded says whose end a process was told that has waited.
func (w *watcher) whoEnded(waiter *trace.Process, ended *trace.Waited) string {
	switch isCommand := w.isCommand(waiter, ended.PID); {
	case isCommand && ended.Exited():
		return "the command's own exit status"
	case isCommand:
		return "a signal ended the command"
	case !w.Lesson || waiter != w.host || w.container == nil || ended.PID != w.container.ID:
		return fmt.Sprintf("process %d has ended", ended.PID)
	case ended.Exited():
		return "the container's side has ended, and has not become the command"
	}
	return "a signal ended the container's side before it became the command"
}

// isCommand reports whether pid is, as a process sees it, a command that the
// container's side has become or started.
func (w *watcher) isCommand(viewer *trace.Process, pid int) bool {
	for command, numbers := range w.commands {
		if viewer == w.host {
			if command.ID == pid {
				return true
			}
			continue
		}
		// A process has a number in each PID namespace from ours down to its own.
		depth := len(pidsOf(viewer))
		if depth > 0 && depth <= len(numbers) && numbers[depth-1] == strconv.Itoa(pid) {
			return true
		}
	}
	return false
}

// pidsOf are the numbers of a process, from our PID namespace down to its own; none
// where /proc has other numbers than ours.
func pidsOf(p *trace.Process) []string {
	if !proc.IsOurs() {
		return nil
	}
	return strings.Fields(proc.StatusField(strconv.Itoa(p.ID), "NSpid"))
}

// hint says what the reader can do about an error.
func (w *watcher) hint(t *told) string {
	errno := t.call.Errno()
	// Final may go on without a call that was refused, and says itself what to do.
	if errno == 0 || !w.Lesson && !w.Explains || !proc.IsOurs() {
		return ""
	}
	status := proc.Read(fmt.Sprintf("/proc/%d/status", t.thread.ID))
	switch {
	case w.Lesson:
	case t.call.Name() == "mount" && t.entry.fold != "":
		return "" // runtimes hide what not every kernel has
	case mayAdminister(w.starter.status) || w.differs(t.thread, "user"):
		status = "" // it lacks what it has given up itself
	}
	return Hint(t.call.Name(), errno, status, w.AsRoot)
}

// remark adds a sentence of the narrator's own to a call.
func (w *watcher) remark(t *told, text string) {
	if !w.JSON() {
		w.print.look()
		w.print.more(t.speaker, w.print.lines(plainStyle, text))
	}
}

// board draws the isolation board below a call.
func (p *printer) board(s speaker, places []place) { p.more(s, p.drawBoard(places)) }

// end ends a line that is not ended, and waits until all is written.
func (p *printer) end() {
	if p.open > 0 {
		p.open = 0
		p.out.say("\n")
	}
	p.out.flush()
}

// errnoText is an error as the kernel's manual writes it: EPERM (operation not permitted).
func errnoText(errno syscall.Errno) string {
	return fmt.Sprintf("%s (%s)", errnoName(errno), errno)
}

// errnoName is the name of an errno, "" for none.
func errnoName(errno syscall.Errno) string {
	if errno == 0 {
		return ""
	}
	if name := unix.ErrnoName(errno); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", int(errno))
}
