package main

import (
	"embed"
	"fmt"
	"strings"
)

// A step is an exercise: what is to be built in a lesson. Its texts are in the
// folder steps, and read as prose.
type step struct {
	title string
	task  []string // its lines
	try   string   // what to type behind the program's name
	hints [][]string
	done  string
}

//go:embed steps
var texts embed.FS

const (
	firstLesson = 2 // lesson 1 is where one starts
	lastLesson  = 6
)

// stepOf reads the texts of a lesson's exercise.
func stepOf(lesson int) step {
	text, err := texts.ReadFile(fmt.Sprintf("steps/step%02d.md", lesson))
	if err != nil {
		panic(err)
	}
	parts := strings.Split(string(text), "\n## ")
	s := step{}
	for _, line := range paragraph(parts[0]) {
		switch {
		case strings.HasPrefix(line, "# "):
			s.title = line[2:]
		case strings.HasPrefix(line, "Try: "):
			s.try = strings.TrimPrefix(line, "Try: ")
		default:
			s.task = append(s.task, line)
		}
	}
	s.task = prose(s.task)
	for _, part := range parts[1:] {
		heading, rest, _ := strings.Cut(part, "\n")
		if heading == "Hint" {
			s.hints = append(s.hints, prose(paragraph(rest)))
		} else {
			s.done = strings.Join(paragraph(rest), " ")
		}
	}
	return s
}

// paragraph returns the lines of a text that are not empty.
func paragraph(text string) (lines []string) {
	for _, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// prose joins the lines of a paragraph, to be broken again where the screen ends.
// Lines with code, which has three blanks before it, stay as they are.
func prose(lines []string) (joined []string) {
	open := false
	for _, line := range lines {
		code := strings.Contains(line, "   ")
		if open && !code {
			joined[len(joined)-1] += " " + line
		} else {
			joined = append(joined, line)
		}
		open = !code
	}
	return joined
}
