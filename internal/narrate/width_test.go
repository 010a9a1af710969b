package narrate

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "main.go": 7, "é": 1, "e\u0301": 1, "中文": 4, "한글": 4, "\u1112\u1161\u11ab": 2, "ｆ": 2,
		"⌚⏰⏳☔♈♿⚓⚡⚪⚫⚽⚾⛄⛅⛎⛔⛪⛵⛺⛽✅✋✨❌❎❓❔❕❗➕➗➰➿⬛⭐⭕": 2 * 36, "🀄🃏🆎🆑🚀🟢🥇🪐": 2 * 8,
		"→…│■□": 5, "☀✓": 2,
	} {
		if got := columns(text); got != want {
			t.Errorf("%q takes %d columns, expected %d", text, got, want)
		}
	}
}

func TestSafe(t *testing.T) {
	for text, want := range map[string]string{
		"plain é 中 →": "plain é 中 →",
		"\x1b[31m":    "?[31m", "\u009b31m": "?31m", "\x7f\r\n\t\x00": "?????",
		"\u202e\u2066\u200f": "???", "\u200b\u200d\ufeff\u00ad": "????", "\u2028\u2029": "??", "\xff": "?", "\U000e0041": "?",
	} {
		if got := safe(text); got != want {
			t.Errorf("%q becomes %q, expected %q", text, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, []string{""}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 8, []string{"one two", "three"}},
		{"a/path/that/is/long", 10, []string{"a/path/", "that/is/", "long"}},
		{"abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"中文中文", 5, []string{"中文", "中文"}},
		{"why:\n  sudo a line to type that is much too long", 10, []string{"why:", "  sudo a line to type that is much too long"}},
	} {
		if got := wrap(test.text, test.width); !slices.Equal(got, test.want) {
			t.Errorf("%q in %d columns is %q, expected %q", test.text, test.width, got, test.want)
		}
	}
}

// Where not even one letter fits, wrapping ends all the same.
func TestWrapNarrow(t *testing.T) {
	for _, text := range []string{"", "a", "中", "中中", "a b", " "} {
		for width := range 3 {
			if got := strings.Join(wrap(text, width), ""); strings.TrimSpace(got) != strings.TrimSpace(strings.ReplaceAll(text, " ", "")) && got != text {
				t.Errorf("%q in %d columns is %q", text, width, got)
			}
			cut(text, width)
		}
	}
}

// Wrapping ends, loses nothing, and stays within the width.
func FuzzWrap(f *testing.F) {
	f.Add("one two  three   \n  typed line\n中中中 a/b|c,d", 10)
	f.Add("   ", 1)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = max(2, width%120)
		lines := wrap(text, width)
		for _, line := range lines {
			if columns(line) > width && !strings.HasPrefix(line, "  ") {
				t.Errorf("%q takes %d columns of %d", line, columns(line), width)
			}
		}
		letters := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
		if got, want := letters(strings.Join(lines, "")), letters(Safe(text)); got != want {
			t.Errorf("%q has become %q", want, got)
		}
		if short := cut(text, width); columns(short) > width || !utf8.ValidString(short) {
			t.Errorf("cut to %d columns: %q", width, short)
		}
	})
}
