// Package docs is the book: one page for each lesson, and the test that holds
// the book against the programs. What a page shows as typed is typed here, and
// what it shows as code or as a difference is compared with the source.
//
//	go test ./docs            is the book still true?
//	go test ./docs -update    write into the book what is true now
package docs

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write into the book what the programs print and the sources say now")

// A page is one file of the book.
type page struct {
	name   string // as seen from the repository's root: docs/step03-pid.md
	lines  []string
	blocks []*block
}

// A block is what stands between two fences: ```console terminal=2
type block struct {
	page  *page
	info  []string // the words behind the first fence
	start int      // index of the first line behind that fence
	lines []string
}

// pages reads the book, and the README, which is held to the same.
func pages(t *testing.T) (all []*page) {
	t.Helper()
	names, err := filepath.Glob("*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("no pages in docs (%v)", err)
	}
	for _, name := range append([]string{"../README.md"}, names...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parsePage(filepath.Join("docs", name), string(text)))
	}
	return all
}

func parsePage(name, text string) *page {
	p := &page{name: name, lines: strings.Split(text, "\n")}
	var open *block
	for i, line := range p.lines {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{page: p, info: strings.Fields(info), start: i + 1}
		case fence:
			open.lines = p.lines[open.start:i:i]
			p.blocks = append(p.blocks, open)
			open = nil
		}
	}
	return p
}

// kind is a block's language: console, diff, go, …
func (b *block) kind() string {
	if len(b.info) == 0 {
		return ""
	}
	return b.info[0]
}

// prose is the page's text without what the programs print.
func (p *page) prose() string {
	var text []string
	next := 0
	for _, b := range p.blocks {
		text = append(text, p.lines[next:b.start]...)
		if b.kind() != "console" {
			text = append(text, b.lines...)
		}
		next = b.start + len(b.lines)
	}
	return strings.Join(append(text, p.lines[next:]...), "\n")
}

// replace gives blocks new lines and writes the page.
func (p *page) replace(t *testing.T, changed map[*block][]string) {
	t.Helper()
	var lines []string
	next := 0
	for _, b := range p.blocks {
		if _, ok := changed[b]; !ok {
			continue
		}
		lines = append(append(lines, p.lines[next:b.start]...), changed[b]...)
		next = b.start + len(b.lines)
	}
	lines = append(lines, p.lines[next:]...)
	if err := os.WriteFile(filepath.Join("..", p.name), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

var lessons = []string{"step01-exec", "step02-uts", "step03-pid", "step04-chroot", "step05-proc", "step06-cgroups"}

// A lesson's page shows the difference to the lesson before, as it is. Another
// page names the two programs: ```diff docs/errors/fork docs/errors/fork-cured
func TestDifferences(t *testing.T) {
	for _, p := range pages(t) {
		changed := map[*block][]string{}
		for _, b := range p.blocks {
			if b.kind() != "diff" {
				continue
			}
			programs := b.info[1:]
			if n := slices.Index(lessons, strings.TrimSuffix(filepath.Base(p.name), ".md")); len(programs) == 0 && n >= 1 {
				programs = lessons[n-1 : n+1]
			}
			if len(programs) != 2 {
				t.Errorf("%s:%d: a difference on a page that no lesson stands before: name two programs", p.name, b.start)
				continue
			}
			want := difference(source(t, programs[0]), source(t, programs[1]))
			if slices.Equal(b.lines, want) {
				continue
			}
			if changed[b] = want; !*update {
				t.Errorf("%s:%d: the difference is not what the sources say, which is (go test ./docs -update):\n%s",
					p.name, b.start, strings.Join(want, "\n"))
			}
		}
		if *update && len(changed) > 0 {
			p.replace(t, changed)
		}
	}
}

// source returns a program's main.go without the comment at its head, which is
// the manual.
func source(t *testing.T, program string) listing {
	t.Helper()
	whole, err := os.ReadFile("../" + program + "/main.go")
	if err != nil {
		t.Fatal(err)
	}
	manual, body, _ := strings.Cut(string(whole), "\npackage main\n")
	return listing{program + "/main.go", strings.Count(manual, "\n") + 2, strings.Split(strings.TrimSuffix(body, "\n"), "\n")}
}

// Code on a page stands so in the source: ```go step03-pid/main.go
func TestCode(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.kind() != "go" {
				continue
			}
			if len(b.info) != 2 {
				t.Errorf("%s:%d: name the file that the code is from: ```go step03-pid/main.go", p.name, b.start)
				continue
			}
			text, err := os.ReadFile(filepath.Join("..", b.info[1]))
			if err != nil {
				t.Errorf("%s:%d: %v", p.name, b.start, err)
			} else if !strings.Contains(unindented(strings.Split(string(text), "\n")), unindented(b.lines)) {
				t.Errorf("%s:%d: this does not stand in %s:\n%s", p.name, b.start, b.info[1], strings.Join(b.lines, "\n"))
			}
		}
	}
}

// unindented joins lines without their indentation: a page shows code from the
// left margin on.
func unindented(lines []string) string {
	var text strings.Builder
	for _, line := range lines {
		text.WriteString("\n" + strings.TrimLeft(line, "\t"))
	}
	return text.String() + "\n"
}

var (
	link     = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} (.*)$`)
	notInID  = regexp.MustCompile(`[^\p{L}\p{N}\p{M}_\- ]`)
	codeSpan = regexp.MustCompile("`[^`]*`")
)

// Links lead somewhere: the file exists, and the heading in it.
func TestLinks(t *testing.T) {
	for _, p := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(p.prose(), ""), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(match[1], "#")
			path := filepath.Join("..", p.name)
			if file != "" {
				path = filepath.Join(filepath.Dir(path), file)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Errorf("%s: %s leads nowhere: %v", p.name, match[0], err)
				continue
			}
			if anchor != "" && (info.IsDir() || !slices.Contains(anchors(t, path), anchor)) {
				t.Errorf("%s: %s: no such heading in %s", p.name, match[0], path)
			}
		}
	}
}

// anchors returns the names of a page's headings as GitHub makes them.
func anchors(t *testing.T, path string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range heading.FindAllStringSubmatch(parsePage(path, string(text)).prose(), -1) {
		id := notInID.ReplaceAllString(strings.ToLower(match[1]), "")
		ids = append(ids, strings.ReplaceAll(id, " ", "-"))
	}
	return ids
}
