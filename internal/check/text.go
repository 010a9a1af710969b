package check

import (
	"fmt"
	"slices"
	"strings"
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
	if lesson == 1 {
		return "What lesson 1 promises."
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
func (r Report) Lines(width int, typed string) (lines []Line) {
	add := func(kind Kind, first, text string) {
		for i, part := range Wrap(text, width-len([]rune(first))) {
			if i > 0 {
				first = strings.Repeat(" ", len([]rune(first)))
			}
			lines = append(lines, Line{first + part, kind})
		}
	}
	verdict := func(v Verdict) {
		if v.Right {
			add(Good, "✓ ", v.Promise)
			return
		}
		add(Bad, "✗ ", v.Promise)
		add(Why, "    ", strings.ReplaceAll(v.Cause, "PROGRAM", typed))
	}
	before := 0
	for _, v := range r.Promises {
		if v.Right && v.Lesson < r.Lesson {
			before = v.Lesson
		}
	}
	if wrong := r.broken(); before > 0 && (wrong == nil || wrong.Lesson > before) {
		add(Good, "✓ ", promisedBy(before))
	}
	for _, v := range r.Promises {
		if v.Lesson == r.Lesson || !v.Right {
			verdict(v)
		}
	}
	for _, text := range Promises(r.Lesson) {
		if !slices.ContainsFunc(r.Promises, func(v Verdict) bool { return v.Promise == text }) {
			add(Open, "· ", text)
		}
	}
	switch n := len(r.Manners); {
	case n == 0:
		add(Open, "· ", Citizenship)
	case r.Manners[n-1].Right:
		add(Good, "✓ ", Citizenship)
	default:
		add(Plain, "", "The lesson's promises are kept. What is missing is good citizenship:")
		verdict(r.Manners[n-1])
	}
	if wrong := r.broken(); wrong != nil {
		about := wrong.Lesson
		if about == 1 { // it may be any of the calls that were added since
			about = r.Lesson
		}
		if len(r.Output) > 0 {
			add(Plain, "", "What your program printed:")
		}
		for _, text := range r.Output {
			if runes := []rune(text); len(runes) > width-4 {
				text = string(runes[:width-5]) + "…"
			}
			lines = append(lines, Line{"  │ " + text, Output})
		}
		add(Note, "", "To read: "+Reading[about])
	}
	return lines
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
