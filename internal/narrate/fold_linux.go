package narrate

import (
	"fmt"
	"strings"
	"syscall"

	"gonsrun/internal/trace"
)

// fold is a row of calls that is told in one block: the first as every call is, of the
// others what they are about.
type fold struct {
	key     string // of the catalogue's entry, "" for no row
	process *trace.Process
	speaker speaker
	items   []string // what the others are about; of two in a row about the same thing, once
	count   int      // of calls beside the first
	last    string   // what the last call is about
	unnamed bool     // of one it is not known what it is about
	first   *told
	errno   syscall.Errno // the first one's answer, and so that of all
}

// isLast reports whether a call is one of the row that is open now, and not its first.
func (f *fold) isLast(t *told) bool {
	return t.folded && f.process == t.thread.Process && f.key == t.entry.fold
}

// takes reports whether a call continues the row.
func (f *fold) takes(t *told) bool {
	return f.key != "" && f.key == t.entry.fold && f.process == t.thread.Process
}

// begin begins a row with its first call, or none.
func (f *fold) begin(t *told) {
	*f = fold{key: t.entry.fold, process: t.thread.Process, speaker: t.speaker, last: t.entry.item, first: t}
}

// answers reports whether a call has the same answer as the row's first.
func (f *fold) answers(t *told) bool { return f.takes(t) && t.call.Errno() == f.errno }

// add adds an answered call.
func (f *fold) add(t *told) {
	f.count++
	f.unnamed = f.unnamed || t.entry.item == ""
	if t.entry.item != f.last {
		f.items, f.last = append(f.items, t.entry.item), t.entry.item
	}
}

// text names what the row's other calls are about.
func (f *fold) text() string {
	switch {
	case f.count == 0:
		return ""
	case f.count == 1 && len(f.items) == 0:
		return "and one more such call"
	case f.unnamed || len(f.items) == 0:
		return fmt.Sprintf("and %d more such calls", f.count)
	case f.count == 1:
		return "and one more: " + f.items[0]
	}
	return fmt.Sprintf("and %d more: %s", f.count, shortPaths(strings.Join(f.items, ", ")))
}

// unfold ends the row, and tells what was in it.
func (w *watcher) unfold() {
	text, s, count, errno := w.fold.text(), w.fold.speaker, w.fold.count, w.fold.errno
	w.fold = fold{}
	if text == "" {
		return
	}
	w.print.look()
	switch {
	case w.Settings.Short:
		text = fmt.Sprintf("(+%d)", count)
	case errno != 0:
		text += ", with the same answer"
	}
	w.print.more(s, w.print.lines(plainStyle, text))
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
