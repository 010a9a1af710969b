package docs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The book's notation for what changes from run to run (see README.md here):
//
//	a line of only …    stands for any number of lines
//	… in a line         stands for anything
//	4250                a number of four digits and more is that of the run that
//	                    was printed; where it stands twice, it is the same again
//
// Numbers that the page itself names, outside of outputs, are exact.
const anything = "…"

// variable is what changes from run to run: a device and inode as the board
// shows them, a container's id, and numbers.
var variable = regexp.MustCompile(`\b\d+:\d+/\d+(?:…|\b)|\b[0-9a-f]{12}\b|\b[1-9]\d{3,}\b`)

// scope remembers what the numbers of the book are in this run.
type scope struct {
	exact map[string]bool
	seen  map[string]string
}

// newScope starts a section of a page: its prose tells which numbers are exact.
func newScope(prose string) *scope {
	s := &scope{exact: map[string]bool{}, seen: map[string]string{}}
	for _, number := range variable.FindAllString(prose, -1) {
		s.exact[number] = true
	}
	return s
}

// command returns what to type where the book types text: with the numbers
// that this run showed in place of the book's.
func (s *scope) command(text string) string {
	return variable.ReplaceAllStringFunc(text, func(number string) string {
		if actual, ok := s.seen[number]; ok {
			return actual
		}
		return number
	})
}

// match compares an output with the book's, and remembers the numbers. It
// returns what is wrong, "" for nothing.
func (s *scope) match(expected, actual []string) string {
	pattern, numbers := s.pattern(normalize(expected))
	found := pattern.FindStringSubmatch(normalize(actual))
	if found == nil {
		return "the output is another"
	}
	for i, number := range numbers {
		if was, ok := s.seen[number]; ok && was != found[i+1] {
			return fmt.Sprintf("what is %s in the book was %s and now is %s", number, was, found[i+1])
		}
		s.seen[number] = found[i+1]
	}
	return ""
}

// pattern makes an expression of an expected text. numbers are what its groups
// stand for.
func (s *scope) pattern(text string) (pattern *regexp.Regexp, numbers []string) {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	parts := strings.Split(text, anything)
	for i, part := range parts {
		if i > 0 {
			b.WriteString(`.*?`)
			part = strings.TrimLeft(part, " ")
		}
		if i < len(parts)-1 {
			part = strings.TrimRight(part, " ")
		}
		next := 0
		for _, at := range variable.FindAllStringIndex(part, -1) {
			number := part[at[0]:at[1]]
			if s.exact[number] {
				continue
			}
			b.WriteString(regexp.QuoteMeta(part[next:at[0]]) + shape(number))
			numbers = append(numbers, number)
			next = at[1]
		}
		b.WriteString(regexp.QuoteMeta(part[next:]))
	}
	b.WriteString(`$`)
	return regexp.MustCompile(speaker.ReplaceAllStringFunc(b.String(), leavesOut)), numbers
}

// speaker, in an expression, is what stands in the left column: who speaks, the
// chapter that begins, the pid outside, and the line of the program.
var speaker = regexp.MustCompile(`((?:host|container) (?:\([^)]*\)|\d+))( [a-z ]*[a-z])?( = (?:\([^)]*\)|\d+))?( \w+\\\.go:\d+)? │`)

// leavesOut lets everything below a speaker be missing in the book: it may be
// among what was left out.
func leavesOut(label string) string {
	parts := speaker.FindStringSubmatch(label)
	for i, missing := range []string{2: `(?: [a-z ]*[a-z])?`, 3: `(?: = \d+)?`, 4: `(?: \w+\.go:\d+)?`} {
		if parts[i] == "" {
			parts[i] = missing
		}
	}
	return strings.Join(parts[1:], "") + " │"
}

// shape is what may stand for a number of the book.
func shape(number string) string {
	switch {
	case strings.Contains(number, ":"):
		return `(\d+:\d+/\d+…?)`
	case strings.Trim(number, "0123456789") != "":
		return `([0-9a-f]{12})`
	}
	return `([1-9]\d*)`
}

var (
	margin  = regexp.MustCompile(`^( ?(?:host|container|cont\.) \d+)?( ?(?:[a-z ]*[a-z]|= \d+|\w+\.go:\d+))? *│ ?`)
	manPage = regexp.MustCompile(`  man \d \w+$`)
	broken  = regexp.MustCompile(`([/|,]) `)
)

// normalize joins lines. Narration is broken into lines by its width, and a
// pid of seven digits takes more of that than one of four: so each speaker's
// lines become one, behind what stands in the left column, and the manual page,
// which stands where there is room, does not count. Columns may be wider, too.
func normalize(lines []string) string {
	var text, said strings.Builder
	var label string
	spoken := func() {
		if label != "" {
			text.WriteString("\n" + strings.TrimLeft(label, " ") + " │")
		}
		text.WriteString(said.String())
		label = ""
		said.Reset()
	}
	for _, line := range lines {
		left := margin.FindStringSubmatch(line)
		if left == nil {
			spoken()
			text.WriteString("\n" + strings.Join(strings.Fields(line), " "))
			continue
		}
		if left[1] != "" {
			spoken()
		}
		for _, part := range left[1:] {
			if part = strings.TrimLeft(part, " "); part != "" {
				label += " " + strings.Replace(part, "cont.", "container", 1) // shorter where the pid is long
			}
		}
		said.WriteString(" " + strings.Join(strings.Fields(manPage.ReplaceAllString(line[len(left[0]):], "")), " "))
	}
	spoken()
	return strings.TrimSpace(strings.ReplaceAll(broken.ReplaceAllString(text.String(), "$1"), "\n"+anything, anything))
}

// renew returns the actual output as the book should print it: lines that
// still are right stay as they are, and so do the … that stand for lines.
func (s *scope) renew(expected, actual []string) []string {
	const skipped = 1 // cost of a line that only one of the two has, times ten
	cost := make([][]int, len(expected)+1)
	for i := range cost {
		cost[i] = make([]int, len(actual)+1)
	}
	same := func(i, j int) bool {
		local := &scope{exact: s.exact, seen: map[string]string{}}
		return margin.MatchString(expected[i]) == margin.MatchString(actual[j]) && local.match(expected[i:i+1], actual[j:j+1]) == ""
	}
	gap := func(i int) bool {
		return i < len(expected) && strings.TrimSpace(margin.ReplaceAllString(expected[i], "")) == anything
	}
	for i := len(expected); i >= 0; i-- {
		for j := len(actual); j >= 0; j-- {
			if i == len(expected) && j == len(actual) {
				continue
			}
			best := 1 << 30
			if i < len(expected) {
				best = min(best, cost[i+1][j]+map[bool]int{true: 0, false: 10 * skipped}[gap(i)])
			}
			if j < len(actual) {
				best = min(best, cost[i][j+1]+map[bool]int{true: 1, false: 10 * skipped}[gap(i)])
			}
			if i < len(expected) && j < len(actual) && !gap(i) && same(i, j) {
				best = min(best, cost[i+1][j+1])
			}
			cost[i][j] = best
		}
	}
	// The lines that stay say what the book's numbers are now: first these, then
	// the new lines are printed.
	known := &scope{exact: s.exact, seen: maps.Clone(s.seen)}
	var lines []string
	added := map[int]string{}
	for i, j := 0, 0; i < len(expected) || j < len(actual); {
		switch {
		case i < len(expected) && j < len(actual) && !gap(i) && same(i, j) && cost[i][j] == cost[i+1][j+1]:
			known.match(expected[i:i+1], actual[j:j+1])
			lines = append(lines, expected[i])
			i, j = i+1, j+1
		case gap(i) && j < len(actual) && cost[i][j] == cost[i][j+1]+1:
			j++
		case gap(i):
			lines = append(lines, expected[i])
			i++
		case j < len(actual) && cost[i][j] == cost[i][j+1]+10*skipped:
			added[len(lines)] = actual[j]
			lines = append(lines, "")
			j++
		default:
			i++
		}
	}
	for at, line := range added {
		lines[at] = known.printed(line)
	}
	return slices.Clip(lines)
}

// printed writes an actual line with the numbers that the book already has. The
// left column stays as wide as it is.
func (s *scope) printed(line string) string {
	inBook := slices.Sorted(maps.Keys(s.seen))
	replaced := variable.ReplaceAllStringFunc(line, func(number string) string {
		for _, known := range inBook {
			if s.seen[known] == number {
				return known
			}
		}
		return number
	})
	if left, right, ok := strings.Cut(replaced, "│"); ok && margin.MatchString(line) {
		was, _, _ := strings.Cut(line, "│")
		label, least := strings.TrimRight(left, " "), len(was)-len(strings.TrimRight(was, " "))
		return label + strings.Repeat(" ", max(min(1, least), len(was)-len(label))) + "│" + right
	}
	return replaced
}
