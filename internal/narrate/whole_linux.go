package narrate

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/fatih/color"
	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// What stands in this file is for programs that are no lesson, as Beside tells them:
// any number of processes, none of which is held back. Which of them speak for the
// container, the kernel says.

// isChanged reports whether a thread has another PID namespace or another root than
// who was started: what it becomes then is a container's command.
func (w *watcher) isChanged(thread *trace.Thread) bool {
	dir := strconv.Itoa(thread.ID)
	root := identity("/proc/" + dir + "/root/.")
	return root != "" && root != w.starter.root || w.differs(thread, "pid")
}

// differs reports whether a thread has another namespace of this kind than who was
// started.
func (w *watcher) differs(thread *trace.Thread, kind string) bool {
	ns := proc.Namespace(strconv.Itoa(thread.ID), kind)
	return ns != "" && ns != w.starter.namespaces[kind]
}

// speakerOf is who makes a call: the container's side is who has a namespace that the
// starter has not.
func (w *watcher) speakerOf(thread *trace.Thread, r reason) speaker {
	p := thread.Process
	s := speaker{side: Host, pid: p.ID, outside: p.ID, where: r.String()}
	for _, kind := range kinds {
		if w.differs(thread, kind) {
			s.side = Container
		}
	}
	if pids := pidsOf(p); len(pids) > 0 {
		s.pid, _ = strconv.Atoi(pids[len(pids)-1])
	}
	return s
}

// place finds the chapter that a call belongs to: its own, or that of what its side did
// before.
func (w *watcher) place(t *told) {
	const first, last = "namespaces", "the command"
	side := t.speaker.side
	switch {
	case t.command:
		t.chapter = last
	case t.entry.chapter != "":
		t.chapter = t.entry.chapter
	case w.chapters[side] != "":
		t.chapter = w.chapters[side]
	default:
		t.chapter = first
	}
	w.chapters[side] = t.chapter
}

// resolve gives the call the paths that lead somewhere through a descriptor: only
// those mean something to the catalogue.
func (t *told) resolve() {
	if t.isExecve() {
		return
	}
	if file := behind(t.thread, t.call.Path); file != "" {
		t.behind = t.call.Path + " is " + trace.Quote(file)
		t.call.Path = file
	}
	if source := behind(t.thread, t.call.Source); source != "" && t.call.Name() == "mount" { // not a link's text
		t.call.Source = source
	}
}

// behind is what a path leads to that goes through a file descriptor of the thread's,
// as /proc/self/fd/7 does: runtimes resolve a path once, and then use that. It is "" for
// every other path.
func behind(thread *trace.Thread, path string) string {
	for _, dir := range []string{"/proc/self/fd/", "/proc/thread-self/fd/"} {
		if fd, ok := strings.CutPrefix(path, dir); ok {
			name, _, _ := strings.Cut(fd, "/")
			file, err := os.Readlink("/proc/" + strconv.Itoa(thread.ID) + "/fd/" + name)
			if err == nil && file != "/" { // a mount that is at no place yet
				return file + strings.TrimPrefix(fd, name)
			}
		}
	}
	return ""
}

// preparers are programs that are not the command yet: they change something, and
// then become what their arguments name.
var preparers = map[string]bool{"chroot": true, "unshare": true, "nsenter": true, "setpriv": true, "capsh": true,
	"setsid": true, "env": true, "nice": true, "ionice": true, "su": true, "runuser": true, "setarch": true}

// executes says of an execve whether it starts the same program once more, and
// whether it makes a container's process its command.
func (w *watcher) executes(t *told) (again, command bool) {
	t.missing = true
	there := false
	t.file(func(file string) {
		there, t.missing = unix.Access(file, unix.X_OK) == nil, false
		again = runsFile(t.thread.Process, file)
	})
	return again, there && !again && !preparers[path.Base(t.call.Path)] && w.isChanged(t.thread)
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
	return entry{why: "The program is looked for in the folders of PATH, one after the other.", man: "execve(2)",
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

// numberSeen is the number that the maker of a process is told, which differs from
// ours where the maker lives in a PID namespace further down.
func numberSeen(maker, made *trace.Process) int64 {
	depth, numbers := len(pidsOf(maker)), pidsOf(made)
	if depth > 0 && depth <= len(numbers) {
		if n, err := strconv.Atoi(numbers[depth-1]); err == nil {
			return int64(n)
		}
	}
	return int64(made.ID)
}

// takeSource takes the source that a program offers, see offer. It reports whether the
// call was such an offer, and answers it.
func (w *watcher) takeSource(thread *trace.Thread, c *trace.Call) bool {
	const most = 1 << 20
	if w.Lesson || c.Name() != "prctl" || c.Values[0] != offerOption || c.Values[2] > most {
		return false
	}
	source, err := thread.Memory().Bytes(c.Values[1], c.Values[2])
	if program := w.programs.find(thread.Process); err == nil && len(source) > 0 && program.program != w.programs.own {
		program.setSource(string(source))
	}
	w.tracer.Fail(thread, unix.EALREADY)
	return true
}

// watchesOn reports whether there is more to tell after the end of the program that was
// started: a container that "runc create" leaves behind becomes its command later. Only a
// narration that goes into a file waits for that: a terminal is somebody else's by then.
func (w *watcher) watchesOn() bool {
	if !w.Explains || w.Settings.To == "" || w.began {
		return false
	}
	for p := range w.known {
		if p != w.host && len(p.Threads) > 0 && w.isChanged(p.Threads[0]) {
			return true
		}
	}
	return false
}

// noCommand says at the end that no container's command was seen.
func (w *watcher) noCommand() {
	if !w.Explains || w.began || w.unseen || w.JSON() {
		return
	}
	w.unseen = true // and says it once
	w.print.look()
	all := w.print.lines(plainStyle, "No process in a new PID namespace or with a new root has become a command, so there is no board: "+
		"this was no container, or what makes it was here before, as Docker's daemon is.")
	w.print.begin(speaker{side: Host, pid: w.host.ID}, all, false)
}

// JSON reports whether records are printed, and no text.
func (w *watcher) JSON() bool { return w.Settings.JSON }

// tellWhole writes why a call is made, and the call: beside the name of a chapter that
// begins with it, and with room for the answer in the same line. With -short it is one line.
func (w *watcher) tellWhole(t *told, call string) {
	p := w.print
	why := t.reason.why
	if strings.HasSuffix(t.entry.fold, ".") { // it says what a row of calls does together
		why = t.entry.fold
	}
	if p.short {
		most := p.columns
		if t.entry.fold != "" {
			most -= len(" (+99)")
		}
		text := cut(t.call.Name()+": "+firstWords(why, most-columns(t.call.Name())-2), most)
		p.begin(t.speaker, []line{{styled: text, columns: columns(text)}}, t.entry.fold != "")
		return
	}
	if t.chapter != w.headings[t.speaker.side] {
		w.headings[t.speaker.side] = t.chapter
		t.speaker.chapter = t.chapter
	}
	all := p.lines(plainStyle, why)
	all = append(all, p.lines(callStyle, compact(t, call, p.columns))...)
	p.begin(t.speaker, all, !t.command && !w.pause.on)
}

// compact is a call in one line, with room for a short answer, or in two where these
// tell what matters most. What does not fit is left out: -json has all of it.
func compact(t *told, call string, width int) string {
	most := width - len(" = -1")
	if len(t.call.Messages) > 0 {
		most -= len("23 answered: done")
	}
	if t.command || t.call.MakesProcess() {
		most += width
	}
	switch c := t.call; {
	case len(c.Messages) > 0:
		var texts []string
		for _, m := range c.Messages {
			texts = append(texts, m.TypeName+": "+m.Text)
		}
		call = c.Name() + "(…, [" + strings.Join(texts, "; ") + "], …)"
	case c.Caps != nil:
		call = fmt.Sprintf("capset(…, {effective=%d, permitted=%d, inheritable=%d})",
			bits.OnesCount64(c.Caps.Effective), bits.OnesCount64(c.Caps.Permitted), bits.OnesCount64(c.Caps.Inheritable))
	}
	if call = shortPaths(call); columns(call) <= most {
		return call
	}
	return strings.TrimSuffix(cut(call, most-1), "…") + "…)"
}

// longPath is a path of three parts and more.
var longPath = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:/[^/",<>:\s\\]+){3,}`) })

// shortPaths leaves out the beginning of long paths: what a container's root is called
// on the host is in each of them.
func shortPaths(text string) string {
	const bearable = 28 // columns
	return longPath().ReplaceAllStringFunc(text, func(long string) string {
		if columns(long) <= bearable {
			return long
		}
		folder, name := path.Split(long)
		return "…/" + path.Base(folder) + "/" + name
	})
}

// answerWhole tells what the kernel said, what can be seen of it, and which page of the
// manual to read where there is room for that.
func (w *watcher) answerWhole(t *told, child *trace.Process, style *color.Color, text string) {
	p := w.print
	if t.call.Errno() == 0 && (p.short && !t.waits || w.spoken != t && t.isExecve()) {
		return // what the new program does shows that it runs
	}
	all := p.lines(style, text)
	last := &all[len(all)-1]
	if page := "  " + toType(t.entry.man); len(t.call.Messages) == 0 && p.open+1+last.columns+len(page) <= p.columns {
		last.styled += faintStyle.Sprint(page)
		last.columns += len(page)
	}
	facts := w.seen(t, child)
	if t.call.MakesProcess() {
		facts = nil // its numbers stand beside what it does, its namespaces on the board
	}
	if t.behind != "" {
		facts = append(facts, t.behind)
	}
	if ended := t.call.Wait; ended != nil {
		whose := ""
		if w.isCommand(t.thread.Process, ended.PID) {
			whose = " (" + w.whoEnded(t.thread.Process, ended) + ")"
		}
		facts, all = nil, p.lines(style, text+", "+ended.CodeName()+" "+ended.StatusText()+whose)
	}
	if len(facts) > 0 && !p.short {
		all = append(all, p.lines(plainStyle, "seen: "+strings.Join(facts, ", "))...)
	}
	if hint := w.hint(t); hint != "" && !t.missing {
		all = append(all, p.lines(plainStyle, hint)...)
	}
	if w.spoken == t && len(t.call.Messages) > 0 && t.call.Errno() == 0 && !w.pause.on {
		p.write(t.speaker, all, true) // with room for the kernel's message
		return
	}
	w.sayMore(t, all)
}

// isHelpers reports whether a call only makes a helper, or waits for one: what the
// helper does is told, with its pid.
func (w *watcher) isHelpers(t *told) bool {
	switch id := strconv.Itoa(t.thread.ID); {
	case t.call.MakesProcess():
		return len(namespaceKinds(t.call.CloneFlags())) == 0 &&
			proc.Namespace(id, "pid_for_children") == proc.Namespace(id, "pid")
	case t.call.Waits():
		return !w.waitsForContainer(t)
	}
	return false
}

// waitsForContainer reports whether a call may be answered with the end of a container's
// process.
func (w *watcher) waitsForContainer(t *told) bool {
	if len(pidsOf(t.thread.Process)) > 1 {
		return true // in a PID namespace further down, whose numbers differ
	}
	for command := range w.commands {
		if t.call.WaitsFor(command.ID) {
			return true
		}
	}
	for p := range w.known {
		if p != t.thread.Process && len(p.Threads) > 0 && w.differs(p.Threads[0], "pid") && t.call.WaitsFor(p.ID) {
			return true
		}
	}
	return false
}

// hides reports whether an answered call that is hidden stays so: when it failed, or when
// what it has waited for did, it is told.
func (w *watcher) hides(t *told) bool {
	ended := t.call.Wait
	if t.call.Errno() == 0 && (ended == nil || ended.Exited() && ended.Status == 0) {
		return true
	}
	w.unfold()
	w.tell(t)
	return false
}

// foldIn puts an answered call into the row that it belongs to. It reports false for one
// that must be told by itself: its answer is another than the row's, or the row has ended
// before it came.
func (w *watcher) foldIn(t *told) bool {
	if w.fold.answers(t) {
		w.fold.add(t)
		return true
	}
	w.unfold()
	w.fold.begin(t)
	w.tell(t)
	return false
}

// request is a netlink message that has no answer yet.
type request struct {
	process *trace.Process
	number  uint32
	sent    *told
}

// asks notes the netlink messages of a call that has been made.
func (w *watcher) asks(t *told) {
	for _, m := range t.call.Messages {
		w.requests = append(w.requests, request{t.thread.Process, m.Sequence, t})
	}
}

// receives reports whether the call may bring the answer to a request.
func (w *watcher) receives(thread *trace.Thread, c *trace.Call) bool {
	switch c.Name() {
	case "recvfrom", "recvmsg", "read":
	default:
		return false
	}
	for _, r := range w.requests {
		if r.process == thread.Process {
			return true
		}
	}
	return false
}

// answered tells the kernel's answers to netlink messages: they are messages, too, and
// have the number of what they answer. See rtnetlink(7).
func (w *watcher) answered(t *told) {
	for _, m := range t.call.Messages {
		for i, r := range w.requests {
			if !m.Answers() || r.process != t.thread.Process || r.number != m.Sequence {
				continue
			}
			w.requests = append(w.requests[:i:i], w.requests[i+1:]...)
			w.tellAnswer(t, r.sent, m)
			break
		}
	}
}

func (w *watcher) tellAnswer(t, sent *told, m trace.Message) {
	text := "done"
	if m.Errno != 0 {
		text = errnoText(m.Errno)
	}
	if w.JSON() {
		t.speaker = w.speakerOf(t.thread, reason{})
		t.entry.man = "rtnetlink(7)"
		t.reason.why = fmt.Sprintf("The kernel answers message %d: %s.", m.Sequence, text)
		w.print.json(w.record(t))
		return
	}
	style := goodStyle
	if m.Errno != 0 {
		style = badStyle
	}
	w.print.look()
	if w.fold.isLast(sent) && m.Errno == 0 {
		return // of a row of messages, what went wrong is told
	}
	if w.Settings.Short && m.Errno == 0 {
		return
	}
	w.sayMore(sent, w.print.lines(style, "answered: "+text))
}
