package narrate

import (
	"strings"
	"unicode"
)

// columns is how many columns of a terminal text takes: none for what combines
// with the letter before, two for what East Asian scripts and emoji have.
func columns(text string) (n int) {
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// wide are the ranges of Unicode's East Asian Width (UAX #11) with W or F, without
// their small holes.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1},
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1},
		{Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xa960, Hi: 0xa97c, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1},
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff01, Hi: 0xff60, Stride: 1},
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1},
		{Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1},
		{Lo: 0x1f900, Hi: 0x1f9ff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

// safe replaces what a terminal would obey, and what would show other text than
// there is: control characters, and Unicode's format characters, such as those
// that turn the direction of writing.
func safe(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, text)
}

// Safe is text that a terminal shows as it is: in its lines, what a terminal would
// obey is replaced. It is for what a program says of names from outside.
func Safe(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = safe(lines[i])
	}
	return strings.Join(lines, "\n")
}

// wrap breaks text into lines of at most width columns: at spaces where it can,
// else in a word, after a separator where there is one. A line that begins with
// two blanks is one to type, and stays whole.
func wrap(text string, width int) (lines []string) {
	for _, paragraph := range strings.Split(text, "\n") {
		rest := []rune(safe(paragraph))
		whole := strings.HasPrefix(paragraph, "  ")
		for {
			fit := fitting(rest, width)
			if whole || fit == len(rest) {
				break
			}
			var line string
			line, rest = breakLine(rest, max(fit, 1))
			lines = append(lines, line)
		}
		lines = append(lines, string(rest))
	}
	return lines
}

// fitting is how many runes fit into width columns.
func fitting(text []rune, width int) (fit int) {
	for used := 0; fit < len(text); fit++ {
		if used += runeColumns(text[fit]); used > width {
			break
		}
	}
	return fit
}

// breakLine cuts text, of which fit runes fit into a line, in two.
func breakLine(text []rune, fit int) (line string, rest []rune) {
	for i := fit; i > 0; i-- {
		if text[i] == ' ' {
			return strings.TrimRight(string(text[:i]), " "), text[i+1:]
		}
	}
	for i := fit; i > fit/2; i-- {
		if strings.ContainsRune("/|,", text[i-1]) {
			return string(text[:i]), text[i:]
		}
	}
	return string(text[:fit]), text[fit:]
}

// cut shortens text to width columns.
func cut(text string, width int) string {
	text = safe(text)
	if columns(text) <= width {
		return text
	}
	used := 0
	for i, r := range text {
		if used += runeColumns(r); used > width-1 {
			return strings.TrimRight(text[:i], " ") + "…"
		}
	}
	return text
}
