package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gonsrun/internal/check"
)

// The page of a lesson ends with the exercise that leads to the next one. What it
// asks for and its hints are those of docs/learn, so they are written here from
// the same source: internal/check, and docs/learn/steps.
func TestExercises(t *testing.T) {
	for n := range len(lessons) - 1 {
		p := pageOf(t, lessons[n])
		lesson := n + 2 // which one it leads to
		want := p.exercise(check.Checklist(lesson), hints(t, lesson))
		if items := strings.Count(strings.Join(want, "\n"), "\n- [ ] "); items != len(check.Checklist(lesson)) {
			t.Errorf("%s: its section Your turn has %d requirements, expected %d: write one line  - [ ] …", p.name, items, len(check.Checklist(lesson)))
		}
		for i, name := range []string{"Hint 1", "Hint 2", "Hint 3"} {
			if strings.Count(strings.Join(want, "\n"), "<summary>"+name+"</summary>") != 1 {
				t.Errorf("%s: its section Your turn has no fold with hint %d", p.name, i+1)
			}
		}
		solution := p.fold("The solution")
		if !slices.ContainsFunc(solution, func(line string) bool { return line == "```diff "+lessons[n]+" "+lessons[n+1] }) {
			t.Errorf("%s: its solution is not the difference to %s: ```diff %s %[2]s", p.name, lessons[n+1], lessons[n])
		}
		switch {
		case slices.Equal(want, p.lines):
		case *update:
			if err := os.WriteFile(filepath.Join("..", p.name), []byte(strings.Join(want, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s: the exercise is not the one that docs/learn has (go test ./docs -run TestExercises -update):\n%s", p.name,
				strings.Join(difference(listing{"in the book", 0, p.lines}, listing{"now", 0, want}), "\n"))
		}
	}
}

// pageOf reads the page of a lesson.
func pageOf(t *testing.T, lesson string) *page {
	t.Helper()
	text, err := os.ReadFile(lesson + ".md")
	if err != nil {
		t.Fatal(err)
	}
	return parsePage("docs/"+lesson+".md", string(text))
}

// hints are the three of docs/learn, each as the book prints it: prose, or a
// block where it is code, which stands in columns.
func hints(t *testing.T, lesson int) (all [][]string) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("learn/steps/step%02d.md", lesson))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		heading, hint, _ := strings.Cut(part, "\n")
		if heading != "Hint" {
			continue
		}
		hint = strings.Trim(hint, "\n")
		if inColumns.MatchString(hint) {
			hint = "```text\n" + hint + "\n```"
		}
		all = append(all, strings.Split(hint, "\n"))
	}
	if len(all) != 3 {
		t.Fatalf("docs/learn/steps/step%02d.md has %d hints, expected 3", lesson, len(all))
	}
	return all
}

var inColumns = regexp.MustCompile(`(?m)^ |\S {3}`)

// exercise returns the page's lines with these requirements, and these hints.
func (p *page) exercise(items []string, hints [][]string) (lines []string) {
	turn, listed := false, false
	for i := 0; i < len(p.lines); i++ {
		line := p.lines[i]
		if title := heading.FindStringSubmatch(line); title != nil {
			turn = title[1] == "Your turn"
		}
		if turn && strings.HasPrefix(line, "- [ ] ") {
			for ; !listed && len(items) > 0; items = items[1:] {
				lines = append(lines, "- [ ] "+items[0])
			}
			listed = true
			continue
		}
		lines = append(lines, line)
		number := 0
		if _, err := fmt.Sscanf(line, "<summary>Hint %d</summary>", &number); err != nil || number < 1 || number > len(hints) || !turn {
			continue
		}
		lines = append(append(append(lines, ""), hints[number-1]...), "")
		for i+1 < len(p.lines) && p.lines[i+1] != "</details>" {
			i++
		}
	}
	return lines
}

// fold returns what stands behind a summary.
func (p *page) fold(summary string) []string {
	start := slices.Index(p.lines, "<summary>"+summary+"</summary>")
	if start < 0 {
		return nil
	}
	end := slices.Index(p.lines[start:], "</details>")
	if end < 0 {
		return nil
	}
	return p.lines[start+1 : start+end]
}

// Before the exercise there are two or three questions, each with lines to type
// and a folded answer, in which the same lines are typed.
func TestQuestions(t *testing.T) {
	for _, lesson := range lessons {
		p := pageOf(t, lesson)
		start := slices.Index(p.lines, "## Think first")
		end := slices.Index(p.lines, "## Your turn")
		if start < 0 || end < start {
			t.Errorf("%s has no section Think first before Your turn", p.name)
			continue
		}
		asked := 0
		for i, b := range p.blocks {
			if b.start < start || b.start > end || b.kind() != "sh" {
				continue
			}
			asked++
			if i+1 == len(p.blocks) || p.blocks[i+1].kind() != "console" || !slices.Contains(p.lines[b.start:p.blocks[i+1].start], "<summary>The answer</summary>") {
				t.Errorf("%s:%d: no answer follows in a fold", p.name, b.start)
				continue
			}
			var answered []string
			for _, line := range p.blocks[i+1].lines {
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					answered = append(answered, command)
				}
			}
			if !slices.Equal(b.lines, answered) {
				t.Errorf("%s:%d: the answer types other lines than the question:\n%q\n%q", p.name, b.start, b.lines, answered)
			}
			if !strings.HasPrefix(p.lines[b.start-3], fmt.Sprintf("**%d. ", asked)) {
				t.Errorf("%s:%d: above it there is no question **%d. …**", p.name, b.start, asked)
			}
		}
		if asked < 2 || asked > 3 {
			t.Errorf("%s: %d questions, expected two or three", p.name, asked)
		}
	}
}

// GitHub shows Markdown in a fold only between empty lines.
func TestFolds(t *testing.T) {
	for _, p := range pages(t) {
		open := 0
		for i, line := range p.lines {
			before, after := p.line(i-1), p.line(i+1)
			problem := ""
			switch {
			case line == "<details>" && open > 0:
				problem = "a fold in a fold"
			case line == "<details>" && (before != "" || !strings.HasPrefix(after, "<summary>")):
				problem = "before a fold there is an empty line, and a summary follows"
			case line == "</details>" && (open == 0 || before != "" || after != ""):
				problem = "an empty line stands before and after the end of a fold"
			case strings.HasPrefix(line, "<summary>") && (before != "<details>" || after != "" || !strings.HasSuffix(line, "</summary>")):
				problem = "a summary is one line, and an empty one follows"
			case heading.MatchString(line) && open > 0 && strings.HasPrefix(line, "## "):
				problem = "the fold above does not end"
			}
			switch line {
			case "<details>":
				open++
			case "</details>":
				open--
			}
			if problem != "" {
				t.Errorf("%s:%d: %s: %q", p.name, i+1, problem, line)
			}
		}
		if open != 0 {
			t.Errorf("%s: a fold does not end", p.name)
		}
	}
}

// line returns a line of the page, "" where there is none.
func (p *page) line(i int) string {
	if i < 0 || i >= len(p.lines) {
		return ""
	}
	return p.lines[i]
}
