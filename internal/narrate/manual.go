package narrate

import "strings"

// Manual is what the first comment of a program's main.go says.
type Manual struct {
	Program string // the comment's first word, in lower case: step03-pid
	Text    string
}

// ParseManual reads the comment that stands before "package main".
func ParseManual(source string) Manual {
	head, _, _ := strings.Cut(source, "\npackage main")
	var lines []string
	for _, line := range strings.Split(head, "\n") {
		if text, ok := strings.CutPrefix(line, "//"); ok && !strings.HasPrefix(text, "go:") {
			lines = append(lines, strings.TrimPrefix(text, " "))
		}
	}
	text := strings.TrimSpace(strings.Join(lines, "\n"))
	first, _, _ := strings.Cut(text, " ")
	return Manual{Program: strings.ToLower(first), Text: text}
}
