package docs

import "fmt"

const context = 2 // unchanged lines shown around a change

// listing is what is compared of a file: its lines from one on.
type listing struct {
	name  string
	above int // lines that stand above
	lines []string
}

// difference returns the difference between two files as diff -U2 prints it.
func difference(old, new listing) []string {
	edits := shortestEdits(old.lines, new.lines)
	out := []string{"--- " + old.name, "+++ " + new.name}
	for i := 0; i < len(edits); {
		if edits[i].mark == ' ' {
			i++
			continue
		}
		first := max(0, i-context)
		last := i // of the hunk: no change follows within two contexts
		for j := i; j < len(edits) && j-last <= 2*context; j++ {
			if edits[j].mark != ' ' {
				last = j
			}
		}
		end := min(len(edits), last+context+1)
		out = append(out, hunk(old.above, new.above, edits[:first], edits[first:end])...)
		i = end
	}
	return out
}

// hunk writes some of the edits, with where they stand in the two files.
func hunk(oldAbove, newAbove int, before, edits []edit) (lines []string) {
	count := func(edits []edit, other byte) (n int) {
		for _, e := range edits {
			if e.mark != other {
				n++
			}
		}
		return n
	}
	lines = []string{fmt.Sprintf("@@ -%d,%d +%d,%d @@", oldAbove+count(before, '+')+1, count(edits, '+'), newAbove+count(before, '-')+1, count(edits, '-'))}
	for _, e := range edits {
		if e.line == "" && e.mark == ' ' {
			lines = append(lines, "")
			continue
		}
		lines = append(lines, string(e.mark)+e.line)
	}
	return lines
}

// edit is a line that both have (' '), or only one of the two ('-', '+').
type edit struct {
	mark byte
	line string
}

// shortestEdits makes new from old by the longest common subsequence.
func shortestEdits(old, new []string) (edits []edit) {
	common := make([][]int, len(old)+1) // common[i][j]: of old[i:] and new[j:]
	for i := range common {
		common[i] = make([]int, len(new)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(new) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if old[i] == new[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(old) || j < len(new) {
		switch {
		case i < len(old) && j < len(new) && old[i] == new[j]:
			edits = append(edits, edit{' ', old[i]})
			i, j = i+1, j+1
		case j == len(new) || i < len(old) && common[i+1][j] >= common[i][j+1]:
			edits = append(edits, edit{'-', old[i]})
			i++
		default:
			edits = append(edits, edit{'+', new[j]})
			j++
		}
	}
	return edits
}
