package docs

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// errorsPage is about the errors of the reader's own program.
const errorsPage = "errors.md"

// errorsOnPage is how many there are on it.
const errorsOnPage = 16

// notReproduced are the errors that no console block shows, and why.
var notReproduced = map[string]string{
	"unshare: write failed /proc/self/uid_map: Operation not permitted": "the restriction is of Ubuntu's kernel and AppArmor profiles, and no machine of the tests has them",
}

// notInV1 are the errors that are only reproduced where the limits of lesson 6
// are in a cgroup v2 tree, and why. The virtual machine has one: .ci/vm amd64-6.12 ./docs
var notInV1 = map[string]string{
	"cgroup.subtree_control: device or resource busy": "a v1 tree has no such file, and the v2 tree of a hybrid machine no controller to hand down",
}

// Each error on the page has a program, is reproduced and is cured. Whether the
// console blocks are true, TestConsole says; this is about their being there.
func TestErrors(t *testing.T) {
	all := pages(t)
	i := slices.IndexFunc(all, func(p *page) bool { return filepath.Base(p.name) == errorsPage })
	if i < 0 {
		t.Fatalf("there is no page %s", errorsPage)
	}
	found := map[string]bool{}
	for _, e := range errorsOn(all[i]) {
		found[e.literal] = true
		t.Run(e.literal, func(t *testing.T) { e.check(t, all[i]) })
	}
	if len(found) != errorsOnPage {
		t.Errorf("%s has %d headings that are an error's literal text, expected %d", errorsPage, len(found), errorsOnPage)
	}
	for _, exceptions := range []map[string]string{notReproduced, notInV1} {
		for literal := range exceptions {
			if !found[literal] {
				t.Errorf("there is an exception for %q, and the page has no such heading", literal)
			}
		}
	}
}

// A documentedError is a section of the page.
type documentedError struct {
	literal string   // the heading: what one sees, and searches for
	sick    []*block // what stands above the line that begins with **Cured
	cured   []*block // what stands below
}

var errorHeading = regexp.MustCompile("^## `([^`]+)`$")

func errorsOn(p *page) (all []*documentedError) {
	var current *documentedError
	cured := false
	next := 0
	for i, line := range p.lines {
		if match := errorHeading.FindStringSubmatch(line); match != nil {
			current, cured = &documentedError{literal: match[1]}, false
			all = append(all, current)
		} else if strings.HasPrefix(line, "## ") {
			current = nil
		}
		cured = cured || strings.HasPrefix(line, "**Cured")
		if next == len(p.blocks) || i != p.blocks[next].start {
			continue
		}
		switch {
		case current != nil && cured:
			current.cured = append(current.cured, p.blocks[next])
		case current != nil:
			current.sick = append(current.sick, p.blocks[next])
		}
		next++
	}
	return all
}

func (e *documentedError) check(t *testing.T, p *page) {
	if top, _, _ := strings.Cut(p.prose(), "\n## "); !strings.Contains(top, "[`"+e.literal+"`](#") {
		t.Error("the table at the top does not link to it")
	}
	if !slices.ContainsFunc(e.sick, func(b *block) bool {
		return b.kind() == "go" && len(b.info) > 1 && strings.HasPrefix(b.info[1], "docs/errors/")
	}) {
		t.Error("no go block shows a program in docs/errors")
	}
	if reason := notReproduced[e.literal]; reason != "" {
		if e.printedBy(e.sick, "v1") || e.printedBy(e.sick, "v2") {
			t.Error("it is reproduced, so it is no exception")
		}
		t.Logf("not reproduced: %s", reason)
		return
	}
	for _, cgroup := range []string{"v1", "v2"} {
		if reason := notInV1[e.literal]; reason != "" && cgroup == "v1" {
			t.Logf("not reproduced with cgroup v1: %s", reason)
			continue
		}
		if !e.printedBy(e.sick, cgroup) {
			t.Errorf("with cgroup %s nothing prints this text", cgroup)
		}
		if len(printed(e.cured, cgroup)) == 0 {
			t.Errorf("with cgroup %s nothing below the line that begins with **Cured shows that it is cured", cgroup)
		}
		if e.printedBy(e.cured, cgroup) {
			t.Errorf("with cgroup %s it is printed below the line that begins with **Cured, too", cgroup)
		}
	}
}

// printedBy reports whether console blocks print the error's literal text.
func (e *documentedError) printedBy(blocks []*block, cgroup string) bool {
	return slices.ContainsFunc(printed(blocks, cgroup), func(line string) bool { return strings.Contains(line, e.literal) })
}

// printed returns what the console blocks print that are for a machine with this
// version of cgroups.
func printed(blocks []*block, cgroup string) (lines []string) {
	other := map[string]string{"v1": "cgroup=v2", "v2": "cgroup=v1"}[cgroup]
	for _, b := range blocks {
		if b.kind() != "console" || slices.Contains(b.info, other) {
			continue
		}
		for _, line := range b.lines {
			if !strings.HasPrefix(line, "$ ") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}
