package narrate

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, []string{""}},
		{"short", 10, []string{"short"}},
		{"exactly 10", 10, []string{"exactly 10"}},
		{"one two three", 8, []string{"one two", "three"}},
		{"look with  ls  here", 30, []string{"look with  ls  here"}},
		{"look with  ls  here", 10, []string{"look with", "ls  here"}},
		{"abcdefghijkl", 5, []string{"abcde", "fghij", "kl"}},
		{"/usr/lib/x86_64", 10, []string{"/usr/lib/", "x86_64"}},
		{"flags=…|CLONE_NEWUTS", 10, []string{"flags=…|", "CLONE_NEWU", "TS"}},
		{"äöüäöüäöü", 4, []string{"äöüä", "öüäö", "ü"}},
	} {
		if lines := wrap(test.text, test.width); !slices.Equal(lines, test.want) {
			t.Errorf("wrap(%q, %d)\n  is       %q\n  expected %q", test.text, test.width, lines, test.want)
		}
	}
}

// TestWrapKeepsText wraps random text: no line is too wide, and nothing but
// white space is lost.
func TestWrapKeepsText(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	tight := func(text string) string { return strings.Join(strings.Fields(text), "") }
	for range 2000 {
		var text strings.Builder
		for range random.IntN(200) {
			text.WriteRune([]rune("abc   /|,ü…")[random.IntN(11)])
		}
		width := minWidth - labelWidth - 2 + random.IntN(60)
		lines := wrap(text.String(), width)
		for _, line := range lines {
			if utf8.RuneCountInString(line) > width {
				t.Fatalf("wrap(%q, %d) has a line that is too wide: %q", text.String(), width, line)
			}
		}
		if joined := strings.Join(lines, "\n"); tight(joined) != tight(text.String()) {
			t.Fatalf("wrap(%q, %d) loses text: %q", text.String(), width, joined)
		}
	}
}
