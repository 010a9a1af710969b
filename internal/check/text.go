package check

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Line is one line of a report, with what it is, for color.
type Line struct {
	Text string
	Kind Kind
}

// Kind says what a line of a report is.
type Kind int

// The kinds of lines.
const (
	Plain Kind = iota
	Good
	Bad
	Why
	Output
	Title
	Open // what has not been looked at yet
	Note // what can be left out where there is no room
	Task // what is to be done
)

// Reading is what to read about a lesson.
var Reading = map[int]string{
	1: "docs/step01-exec.md; man 2 clone, man 2 execve, man 2 waitid",
	2: "docs/step02-uts.md; man 7 uts_namespaces, man 2 sethostname",
	3: "docs/step03-pid.md; man 7 pid_namespaces",
	4: "docs/step04-chroot.md; man 2 chroot, man 2 chdir",
	5: "docs/step05-proc.md; man 7 mount_namespaces, man 2 mount",
	6: "docs/step06-cgroups.md; man 7 cgroups",
}

// Citizenship is what is asked for beside the promises.
const Citizenship = "Good citizenship: exit statuses, signals, stdin and stdout, -h."

// Checklist is what a lesson's exercise asks for, one sentence each.
func Checklist(lesson int) (items []string) {
	if lesson > 1 {
		items = append(items, promisedBy(lesson-1))
	}
	return append(append(items, Promises(lesson)...), Citizenship)
}

func promisedBy(lesson int) string {
	switch lesson {
	case 1:
		return "What lesson 1 promises."
	case 2:
		return "What lessons 1 and 2 promise."
	}
	return fmt.Sprintf("What lessons 1 to %d promise.", lesson)
}

// DoesNotCompile is what is said instead of a report of a program with mistakes:
// the first of them, what it means, and some others.
func DoesNotCompile(first, others []string) (lines []Line) {
	lines = append(lines, Line{"✗ It does not compile:", Bad})
	for _, text := range first {
		lines = append(lines, Line{"    " + text, Why})
	}
	for _, text := range others {
		lines = append(lines, Line{"    " + text, Output})
	}
	return lines
}

// Lines is the report in at most 25 lines of at most width columns: what is right,
// and the first that is wrong, why, and what the program printed. typed is the line
// that starts the program.
func (r Report) Lines(width int, typed string) []Line {
	p := &paper{width: width, typed: typed}
	wrong := r.broken()
	if before := r.keptBefore(); before > 0 && (wrong == nil || wrong.Lesson > before) {
		p.add(Good, "✓ ", promisedBy(before))
	}
	for _, v := range r.Promises {
		if v.Lesson == r.Lesson || !v.Right {
			p.verdict(v)
		}
	}
	for _, text := range Promises(r.Lesson) {
		if !slices.ContainsFunc(r.Promises, func(v Verdict) bool { return v.Promise == text }) {
			p.add(Open, "· ", text)
		}
	}
	switch n := len(r.Manners); {
	case n == 0:
		p.add(Open, "· ", Citizenship)
	case r.Manners[n-1].Right:
		p.add(Good, "✓ ", Citizenship)
		p.add(Note, "", "To read: "+Reading[r.Lesson])
	default:
		p.add(Plain, "", "The lesson's promises are kept. What is missing is good citizenship:")
		p.verdict(r.Manners[n-1])
	}
	if wrong != nil {
		p.output(r.Output)
		about := wrong.Lesson
		if about == 1 { // it may be any of the calls that were added since
			about = r.Lesson
		}
		p.add(Note, "", "To read: "+Reading[about])
	}
	return p.lines
}

// keptBefore is the last lesson before the report's with a promise that is kept.
func (r Report) keptBefore() (lesson int) {
	for _, v := range r.Promises {
		if v.Right && v.Lesson < r.Lesson {
			lesson = v.Lesson
		}
	}
	return lesson
}

// paper is what a report is written on.
type paper struct {
	width int
	typed string // the line that starts the program
	lines []Line
}

// add writes a text in as many lines as it takes. What comes first is an indent for
// the others.
func (p *paper) add(kind Kind, first, text string) {
	for i, part := range Wrap(text, p.width-len([]rune(first))) {
		if i > 0 {
			first = strings.Repeat(" ", len([]rune(first)))
		}
		p.lines = append(p.lines, Line{first + part, kind})
	}
}

func (p *paper) verdict(v Verdict) {
	if v.Right {
		p.add(Good, "✓ ", v.Promise)
		return
	}
	p.add(Bad, "✗ ", v.Promise)
	p.add(Why, "    ", strings.ReplaceAll(v.Cause, "PROGRAM", p.typed))
}

// output writes what the program printed, each line cut where the paper ends.
func (p *paper) output(printed []string) {
	if len(printed) > 0 {
		p.add(Output, "", "What your program printed:")
	}
	for _, text := range printed {
		if runes := []rune(text); len(runes) > p.width-4 {
			text = string(runes[:p.width-5]) + "…"
		}
		p.lines = append(p.lines, Line{"  │ " + text, Output})
	}
}

// broken is the first broken promise, nil for none.
func (r Report) broken() *Verdict {
	for i, v := range r.Promises {
		if !v.Right {
			return &r.Promises[i]
		}
	}
	return nil
}

// Wrap breaks a text at blanks. A word that is longer than a line stays whole.
func Wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%d seconds", int(d.Seconds())) }
