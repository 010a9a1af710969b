package docs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// readingOrder are the pages in the order in which one reads them.
var readingOrder = []string{
	"README.md", "docs/README.md", "docs/step01-exec.md", "docs/step02-uts.md", "docs/step03-pid.md", "docs/step04-chroot.md",
	"docs/step05-proc.md", "docs/step06-cgroups.md", "docs/narrator.md", "docs/final.md", "docs/explain.md",
}

// An entry is a line of the glossary.
type entry struct {
	word, meaning, manual string
	page, section         string // where the book explains it: docs/final.md and its-network
}

var entryLine = regexp.MustCompile(`^\| \*\*(.+)\*\* \| (.+) \| \[([\w.]+\(\d\))\]\(https://man7\.org/[^)]+\) \| \[[^\]]+\]\(([^)#]+)#([^)]+)\) \|$`)

// glossary reads the page's table.
func glossary(t *testing.T, p *page) (entries []entry) {
	t.Helper()
	for i, line := range p.lines {
		if !strings.HasPrefix(line, "| **") {
			continue
		}
		parts := entryLine.FindStringSubmatch(line)
		if parts == nil {
			t.Errorf("%s:%d: this is not  | **word** | what it is | [manual(7)](address) | [page](file#section) |", p.name, i+1)
			continue
		}
		entries = append(entries, entry{parts[1], parts[2], parts[3], filepath.Join(filepath.Dir(p.name), parts[4]), parts[5]})
	}
	return entries
}

// A paragraph is running text of a page: no heading, table or block.
type paragraph struct{ section, text string }

var (
	linkTarget = regexp.MustCompile(`\]\([^)]*\)`)
	tag        = regexp.MustCompile(`<[^>]*>`)
)

// paragraphs returns a page's running text. The line of what a lesson adds, which
// begins with an asterisk, is a heading, too. A folded hint does not count: it
// names what the next page explains.
func paragraphs(p *page) (all []paragraph) {
	var lines []string
	section := ""
	flush := func() {
		text := tag.ReplaceAllString(linkTarget.ReplaceAllString(strings.Join(lines, " "), "]"), "")
		if lines = nil; text != "" && !strings.HasPrefix(text, "*Adds: ") && !strings.HasPrefix(text, "*A lesson of its own. Adds: ") && !strings.HasPrefix(text, "*Program: ") {
			all = append(all, paragraph{section, text})
		}
	}
	inBlock, inHint := false, false
	for _, line := range p.lines {
		if strings.HasPrefix(line, "<summary>Hint ") || line == "</details>" {
			inHint = line != "</details>"
		}
		fence := strings.HasPrefix(line, "```")
		title := heading.FindStringSubmatch(line)
		switch {
		case fence:
			inBlock = !inBlock
			flush()
		case inBlock, inHint:
		case title != nil:
			flush()
			section = strings.ReplaceAll(notInID.ReplaceAllString(strings.ToLower(title[1]), ""), " ", "-")
		case line == "", strings.HasPrefix(line, "|"), strings.HasPrefix(line, "!["):
			flush()
		case strings.HasPrefix(line, "- "):
			flush()
			lines = append(lines, line)
		default:
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	flush()
	return all
}

// firstUse looks for a word in running text, also in the plural, and tells
// whether it is set in italics there. In a code span it counts where it is alone.
func firstUse(text, word string) (found, italic bool) {
	text = codeSpan.ReplaceAllStringFunc(text, func(span string) string {
		if strings.EqualFold(strings.Trim(span, "`"), word) {
			return strings.Trim(span, "`")
		}
		return "`…`"
	})
	use := regexp.MustCompile(`(?i)(^|[^\w/.-])` + regexp.QuoteMeta(word) + `(?:s|'s)?($|[^\w/-])`)
	at := use.FindStringSubmatchIndex(text)
	if at == nil {
		return false, false
	}
	return true, text[at[2]:at[3]] == "*" && text[at[4]:at[5]] == "*"
}

// Where a word of the glossary first stands in the book, it is in italics, which
// is how the book marks what it explains, and the glossary names that place.
func TestGlossary(t *testing.T) {
	book := map[string]*page{}
	for _, p := range pages(t) {
		book[p.name] = p
	}
	entries := glossary(t, book["docs/glossary.md"])
	if len(entries) != 20 {
		t.Errorf("the glossary has %d words, and says twenty", len(entries))
	}
	if !slices.IsSortedFunc(entries, func(a, b entry) int { return strings.Compare(strings.ToLower(a.word), strings.ToLower(b.word)) }) {
		t.Error("the glossary is not in alphabetical order")
	}
	for _, e := range entries {
		if problem := e.problem(book); problem != "" {
			t.Errorf("glossary, %s: %s", e.word, problem)
		}
		for _, sentence := range strings.Split(e.meaning, ". ") {
			if n := len(strings.Fields(sentence)); n > 20 {
				t.Errorf("glossary, %s: a sentence of %d words: %s", e.word, n, sentence)
			}
		}
	}
}

// problem says what is wrong with an entry, "" for nothing.
func (e entry) problem(book map[string]*page) string {
	for _, name := range readingOrder {
		if book[name] == nil {
			return name + " is not there"
		}
		for _, p := range paragraphs(book[name]) {
			switch found, italic := firstUse(p.text, e.word); {
			case !found:
				continue
			case name != e.page || p.section != e.section:
				return fmt.Sprintf("it first stands in %s, in the section %s, and the glossary says %s#%s:\n%s", name, p.section, e.page, e.section, p.text)
			case !italic:
				return fmt.Sprintf("where it first stands, in %s, it is not in *italics*: explain it there:\n%s", name, p.text)
			}
			return ""
		}
	}
	return "the book does not use it"
}

// The test of the glossary sees what is wrong.
func TestGlossaryProblems(t *testing.T) {
	text := "# Title\n\n*Adds: `clone`.*\n\n| a table | clone |\n\n<details>\n<summary>Hint 1</summary>\n\nIt is clone.\n\n</details>\n\n## The idea\n\nA *clone*, and [another](step-clone.md) of `cloned()`.\n\nTwo *`clone`s* of a\nnew *kind*, says clone-x.\n"
	book := map[string]*page{}
	for _, name := range readingOrder {
		book[name] = parsePage(name, "")
	}
	book["docs/final.md"] = parsePage("docs/final.md", text)
	for _, c := range []struct {
		e       entry
		problem string
	}{
		{entry{word: "clone", page: "docs/final.md", section: "the-idea"}, ""},
		{entry{word: "kind", page: "docs/final.md", section: "the-idea"}, ""},
		{entry{word: "clone", page: "README.md", section: "the-idea"}, "it first stands in docs/final.md"},
		{entry{word: "clone", page: "docs/final.md", section: "run-it"}, "in the section the-idea"},
		{entry{word: "new", page: "docs/final.md", section: "the-idea"}, "not in *italics*"},
		{entry{word: "bridge", page: "docs/final.md", section: "the-idea"}, "does not use it"},
	} {
		if problem := c.e.problem(book); !strings.Contains(problem, c.problem) || (problem == "") != (c.problem == "") {
			t.Errorf("%+v: %q, expected %q", c.e, problem, c.problem)
		}
	}
}
