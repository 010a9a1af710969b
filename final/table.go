//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// columns is how wide a table may be: as the terminal that stdout is, and 80
// where it is none.
func columns() int {
	if size, err := unix.IoctlGetWinsize(1, unix.TIOCGWINSZ); err == nil && size.Col > 0 {
		return int(size.Col)
	}
	return 80
}

// table is text in columns.
type table struct {
	rows     [][]string
	flexible []flexible // what gets narrower when the table is too wide, in this order
	wraps    bool       // then a cell goes on in the next line; else it ends in an ellipsis
}

// flexible is a column that may get narrower.
type flexible struct{ column, least int }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table on stdout, at most so many columns wide, as far as the
// flexible ones allow. 0 is no limit.
func (t *table) print(columns int) {
	const gap = 2
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	total := -gap
	for _, width := range widths {
		total += width + gap
	}
	if columns > 0 {
		for _, f := range t.flexible {
			less := min(max(total-columns, 0), max(widths[f.column]-f.least, 0))
			widths[f.column] -= less
			total -= less
		}
	}
	for _, row := range t.rows {
		parts, lines := make([][]string, len(row)), 0
		for i, cell := range row {
			parts[i] = t.fit(cell, widths[i])
			lines = max(lines, len(parts[i]))
		}
		for n := range lines {
			var text strings.Builder
			for i := range row {
				part := ""
				if n < len(parts[i]) {
					part = parts[i][n]
				}
				fmt.Fprintf(&text, "%-*s", widths[i]+gap, part)
			}
			fmt.Fprintln(os.Stdout, strings.TrimRight(text.String(), " "))
		}
	}
}

// fit brings a cell's text into lines of at most width.
func (t *table) fit(text string, width int) []string {
	switch runes := []rune(text); {
	case len(runes) <= width:
		return []string{text}
	case !t.wraps:
		return []string{string(runes[:width-1]) + "…"}
	}
	return wrapped(text, width)
}

// wrapped breaks text at blanks into lines of at most width, and a longer word
// where it must.
func wrapped(text string, width int) (lines []string) {
	rest := []rune(text)
	for len(rest) > width {
		end := width
		for end > 0 && rest[end] != ' ' {
			end--
		}
		if end == 0 {
			end = width
		}
		lines = append(lines, strings.TrimRight(string(rest[:end]), " "))
		rest = []rune(strings.TrimLeft(string(rest[end:]), " "))
	}
	return append(lines, string(rest))
}
