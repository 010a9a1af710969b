package narrate

import (
	"fmt"
	"math/bits"
	"path"
	"regexp"
	"strings"
	"sync"

	"gonsrun/internal/trace"
)

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
func (w *watcher) answerWhole(t *told, child *trace.Process, style paint, text string) {
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
