package main

import (
	"fmt"
	"slices"
	"strings"

	"gonsrun/internal/check"
)

// folders are the lessons' programs.
var folders = map[int]string{1: "step01-exec", 2: "step02-uts", 3: "step03-pid", 4: "step04-chroot", 5: "step05-proc", 6: "step06-cgroups"}

// screen is what is to be seen now, in lines of at most width columns. rows is how
// many lines there is room for, 0 for as many as it takes.
func (l *learner) screen(width, rows int) (lines []check.Line) {
	add := func(kind check.Kind, format string, args ...any) {
		lines = append(lines, check.Line{Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
	if l.laidOut {
		add(check.Plain, "A copy of lesson %d is in %s/main.go now. It is yours: open it in your editor.", l.begins, l.name)
	}
	if l.done > 0 {
		s := stepOf(max(l.done, firstLesson))
		add(check.Good, "✓ Lesson %d is done. %s", l.done, s.done)
		for _, m := range l.last.manners {
			if !m.Right {
				add(check.Plain, "For good citizenship one thing is missing: %s", strings.ReplaceAll(m.Cause, "PROGRAM", l.typed()))
			}
		}
		add(check.Note, "To read: %s", check.Reading[l.done])
		add(check.Plain, "To compare: %s/main.go", folders[l.done])
		add(check.Plain, "")
	}
	if l.lesson > lastLesson {
		add(check.Title, "All six lessons are done.")
		add(check.Plain, "You know what a container is made of, for you have made one.")
		add(check.Plain, "What is still missing, and how it is done: docs/final.md")
		if r := l.last; r.err != nil || r.broken != nil || r.report.First() != "" {
			add(check.Plain, "")
			lines = append(lines, l.verdict(width)...)
		}
		return fit(fold(lines, width), rows)
	}
	if l.lesson > 0 {
		s := stepOf(l.lesson)
		add(check.Title, "Exercise %d of %d: %s", l.lesson-1, lastLesson-1, s.title)
		for _, line := range s.task {
			add(check.Task, "%s", line)
		}
		add(check.Plain, "  %s %s", l.typed(), s.try)
		add(check.Plain, "")
	}
	lines = append(lines, l.verdict(width)...)
	if l.hint > 0 && l.lesson > 0 {
		hints := stepOf(l.lesson).hints
		add(check.Plain, "")
		add(check.Title, "Hint %d of %d", l.hint, len(hints))
		for _, line := range hints[l.hint-1] {
			add(check.Plain, "%s", line)
		}
	}
	return fit(fold(lines, width), rows)
}

// fit leaves out what there is no room for: first what the program printed, last what
// is to be done, which stands on the page, too.
func fit(lines []check.Line, rows int) []check.Line {
	for _, kind := range []check.Kind{check.Output, check.Note, check.Open} {
		for i := len(lines) - 1; i >= 0 && rows > 0 && len(lines) > rows; i-- {
			if lines[i].Kind == kind {
				lines = slices.Delete(lines, i, i+1)
			}
		}
	}
	if rows > 0 && len(lines) > rows {
		lines = slices.DeleteFunc(lines, func(line check.Line) bool { return line.Kind == check.Task })
	}
	return lines
}

// verdict is what is right, and the one next thing that is wrong.
func (l *learner) verdict(width int) (lines []check.Line) {
	switch r := l.last; {
	case r.err != nil:
		return []check.Line{{Kind: check.Bad, Text: "It could not be checked: " + r.err.Error()}}
	case r.broken != nil:
		return r.broken
	case l.lesson == 0 && r.took == 0:
		return nil // it is looked at for the first time
	case l.done > 0 || r.took == 0:
		for _, text := range check.Checklist(l.lesson) {
			lines = append(lines, check.Line{Kind: check.Open, Text: "· " + text})
		}
		return lines
	default:
		report := r.report
		report.Lesson = min(l.lesson, lastLesson)
		return report.Lines(width, l.typed())
	}
}

// fold breaks long lines. What is indented stays so.
func fold(lines []check.Line, width int) (folded []check.Line) {
	for _, line := range lines {
		indent := line.Text[:len(line.Text)-len(strings.TrimLeft(line.Text, " "))]
		if len([]rune(line.Text)) <= width {
			folded = append(folded, line)
			continue
		}
		for _, part := range check.Wrap(line.Text, width-len(indent)) {
			folded = append(folded, check.Line{Kind: line.Kind, Text: indent + part})
		}
	}
	return folded
}
