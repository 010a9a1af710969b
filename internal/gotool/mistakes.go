package gotool

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// DoesNotBuild is the error of BuildProgram for a program with mistakes.
type DoesNotBuild struct{ Source, Output string }

// Error shows all that the go tool says.
func (e *DoesNotBuild) Error() string {
	return fmt.Sprintf("the program in %s does not build. The go tool says:\n%s", e.Source, e.Output)
}

// How many mistakes are shown, and how many lines of each.
const (
	mostMistakes = 4
	mostLines    = 3
)

// Mistakes is what the go tool says of the first mistake, in lines, with what it
// means, and of a few others. folder is the program's, as who wrote it calls it. What
// is not used comes last: often that is for a name which is not known.
func (e *DoesNotBuild) Mistakes(folder string) (first, others []string) {
	var all [][]string
	for line := range strings.Lines(e.Output) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "# ") || strings.HasSuffix(line, ": too many errors"):
		case strings.HasPrefix(line, "\t") && len(all) > 0:
			all[len(all)-1] = append(all[len(all)-1], strings.TrimSpace(line))
		default:
			if file := strings.TrimPrefix(line, "./"); goFile.MatchString(file) {
				line = filepath.Join(folder, file)
			}
			all = append(all, []string{line})
		}
	}
	if len(all) == 0 {
		return []string{e.Output}, nil
	}
	unused := func(mistake []string) int {
		if strings.Contains(mistake[0], "and not used") {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b []string) int { return cmp.Compare(unused(a), unused(b)) })
	first = all[0][:min(len(all[0]), mostLines)]
	if meaning := meaningOf(strings.Join(all[0], " ")); meaning != "" {
		first = append(first, "("+meaning+")")
	}
	for _, mistake := range all[1:min(len(all), mostMistakes)] {
		others = append(others, mistake[:min(len(mistake), mostLines)]...)
	}
	if more := len(all) - mostMistakes; more > 0 {
		others = append(others, fmt.Sprintf("… and %d more", more))
	}
	return first, others
}

// goFile begins a line about a file in the program's own folder.
var goFile = regexp.MustCompile(`^[^/:]+\.go:\d`)

// meanings are what sentences of the compiler mean, for people who do not know Go.
var meanings = []struct {
	says  *regexp.Regexp
	means string
}{
	{regexp.MustCompile(`: undefined: \w+\.`), "The package has no such name. Is it spelled right? Large and small letters differ."},
	{regexp.MustCompile(`: undefined: [A-Z]`), "Go knows no such name. In front of what comes from a package stands the package: unix.CLONE_NEWUTS."},
	{regexp.MustCompile(`: undefined: `), "Go knows no such name. Is it spelled right? A package must be among the imports at the top."},
	{regexp.MustCompile(` undefined \(`), "There is no such name in this structure. Is it spelled right? Large and small letters differ."},
	{regexp.MustCompile(`unknown field`), "The structure has no field of this name. Is it spelled right? Large and small letters differ."},
	{regexp.MustCompile(`declared and not used: err$`), "Nothing looks at this error. In the next line:  must(err)"},
	{regexp.MustCompile(`declared and not used`), "Go compiles no variable that nothing uses: use it, or delete its line."},
	{regexp.MustCompile(`imported and not used`), "Go compiles no import that nothing uses: use it, or delete its line at the top."},
	{regexp.MustCompile(`assignment mismatch`), "The call returns another number of values than stand left of the = sign."},
	{regexp.MustCompile(`as \[\]byte value`), "The kernel takes bytes: []byte(\"text\") is a text as bytes."},
	{regexp.MustCompile(`in argument to|cannot use `), "Another kind of value is needed here."},
	{regexp.MustCompile(`not enough arguments`), "The call needs more values: above stand what it has, and what the function wants."},
	{regexp.MustCompile(`too many arguments`), "The call has too many values: above stand what it has, and what the function wants."},
	{regexp.MustCompile(`mixture of field:value`), "A comma ends a field. Two flags for one field stand with | between them: unix.CLONE_NEWUTS | unix.CLONE_NEWPID."},
	{regexp.MustCompile(`in argument list; possibly missing`), "A bracket ( in this line has no ) yet, or there is no comma between two values."},
	{regexp.MustCompile(`possibly missing comma`), "Where each value has a line of its own, a comma ends each of these lines, the last one, too."},
	{regexp.MustCompile(`syntax error`), "A sign is missing or too much, in this line or just above it: a brace, a bracket, a comma."},
	{regexp.MustCompile(`missing return`), "The function returns a value, and can come to its end without a return."},
	{regexp.MustCompile(`no new variables on left side of :=`), "The variable is there already: = instead of :=."},
	{regexp.MustCompile(`use of internal package`), "Only programs in this repository can use its packages: move yours into a folder in here, mine or another that begins so."},
	{regexp.MustCompile(`is not in std`), "There is no such package. Is its path spelled right?"},
	{regexp.MustCompile(`no required module provides package`), "This repository does not have that package: its programs use the standard library and golang.org/x/sys/unix."},
	{regexp.MustCompile(`redeclared in this block`), "There are two things of this name. Is there another file with it in the folder?"},
}

func meaningOf(mistake string) string {
	for _, m := range meanings {
		if m.says.MatchString(mistake) {
			return m.means
		}
	}
	return ""
}
