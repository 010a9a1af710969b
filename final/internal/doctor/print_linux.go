package doctor

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fatih/color"
)

// Widths of the table, in columns.
const (
	stateWidth = len("FAIL")
	gap        = 2
	minText    = 20
	maxWidth   = 100
)

var stateColors = [...]color.Attribute{OK: color.FgGreen, Warn: color.FgYellow, Fail: color.FgRed}

// Print writes the results as a table, at most width columns wide (and never
// more than 100), and reports whether nothing failed. What there is to do
// stands below its line. A line to type stands whole in a line of its own: where
// it is too wide for its column it begins further left.
func Print(w io.Writer, results []Result, width int, colored bool) (ok bool) {
	nameWidth, count := 0, [Fail + 1]int{}
	for _, r := range results {
		nameWidth = max(nameWidth, utf8.RuneCountInString(r.Name))
		count[r.State]++
	}
	indent := stateWidth + gap + nameWidth + gap
	text := max(min(width, maxWidth)-indent, minText)
	for _, r := range results {
		lead := fmt.Sprintf("%s  %-*s  ", paint(r.State, colored, fmt.Sprintf("%-*s", stateWidth, r.State)), nameWidth, r.Name)
		for _, line := range wrap(r.Found, text) {
			fmt.Fprintln(w, strings.TrimRight(lead+line, " "))
			lead = strings.Repeat(" ", indent)
		}
		if r.State == OK {
			continue
		}
		arrow := "→ "
		for _, part := range strings.Split(r.ToDo, "\n") {
			lines := []string{strings.TrimPrefix(part, "  ")}
			if lines[0] == part {
				lines = wrap(part, text-2)
			}
			for _, line := range lines {
				room := min(width, maxWidth) - utf8.RuneCountInString(arrow+line)
				fmt.Fprintln(w, strings.Repeat(" ", max(min(indent, room), 0))+arrow+line)
				arrow = "  "
			}
		}
	}
	fmt.Fprintf(w, "\n%s\n", paint(worst(count), colored, summary(count)))
	return count[Fail] == 0
}

// summary is the last line.
func summary(count [Fail + 1]int) string {
	switch {
	case count[Fail] > 0:
		return fmt.Sprintf("Not ready for the workshop: %d of %d checks failed.", count[Fail], count[OK]+count[Warn]+count[Fail])
	case count[Warn] > 0:
		return "Ready for the workshop. What is marked warn is optional."
	}
	return "Ready for the workshop."
}

func worst(count [Fail + 1]int) State {
	for state := Fail; state > OK; state-- {
		if count[state] > 0 {
			return state
		}
	}
	return OK
}

func paint(state State, colored bool, text string) string {
	c := color.New(stateColors[state])
	if state == Fail {
		c.Add(color.Bold)
	}
	if colored {
		c.EnableColor()
	} else {
		c.DisableColor()
	}
	return c.Sprint(text)
}

// wrap breaks text at spaces into lines of at most width columns. A word that
// is longer stays whole: it is to be copied.
func wrap(text string, width int) (lines []string) {
	rest := []rune(text)
	for len(rest) > width {
		end := width
		for end > 0 && rest[end] != ' ' {
			end--
		}
		if end == 0 {
			for end = width; end < len(rest) && rest[end] != ' '; end++ {
			}
		}
		lines = append(lines, strings.TrimRight(string(rest[:end]), " "))
		rest = []rune(strings.TrimLeft(string(rest[end:]), " "))
	}
	if len(rest) > 0 || lines == nil {
		lines = append(lines, string(rest))
	}
	return lines
}
