package narrate

import (
	"fmt"

	"gonsrun/internal/trace"
)

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
