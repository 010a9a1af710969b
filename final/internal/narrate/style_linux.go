package narrate

import (
	"os"
	"strings"

	"github.com/fatih/color"
)

// Columns: a line is never wider than maxWidth, and 80 columns are assumed
// when the output is not a terminal.
const (
	defaultWidth = 80
	maxWidth     = 100
	minWidth     = 40
	labelWidth   = 17 // "container 4194304": pid_max has seven digits
)

// Bright text on a colored ground reads well on a dark screen, on a light
// screen and on a projector; so do the four plain colors used for text.
var (
	hostLabel      = color.New(color.BgBlue, color.FgHiWhite, color.Bold)
	containerLabel = color.New(color.BgMagenta, color.FgHiWhite, color.Bold)
	hostBar        = color.New(color.FgBlue)
	containerBar   = color.New(color.FgMagenta)
	callStyle      = color.New(color.Bold)
	goodStyle      = color.New(color.FgGreen)
	badStyle       = color.New(color.FgRed, color.Bold)
	faintStyle     = color.New(color.Faint)
	plainStyle     = color.New()
)

// useColor decides once for all styles. The package color looks at stdout,
// but the narration goes to stderr.
func useColor(stderrIsTerminal bool) {
	_, noColor := os.LookupEnv("NO_COLOR")
	color.NoColor = noColor || !stderrIsTerminal || os.Getenv("TERM") == "dumb"
}

// wrap breaks a paragraph into lines of at most width columns: at spaces where
// it can, else in a word, after a separator where there is one.
func wrap(paragraph string, width int) (lines []string) {
	rest := []rune(paragraph)
	for len(rest) > width {
		var line string
		line, rest = breakLine(rest, width)
		lines = append(lines, line)
	}
	return append(lines, string(rest))
}

// breakLine cuts text, which is longer than width, in two.
func breakLine(text []rune, width int) (line string, rest []rune) {
	for i := width; i > 0; i-- {
		if text[i] == ' ' {
			return strings.TrimRight(string(text[:i]), " "), []rune(strings.TrimLeft(string(text[i:]), " "))
		}
	}
	for i := width; i > width/2; i-- {
		if strings.ContainsRune("/|,", text[i-1]) {
			return string(text[:i]), text[i:]
		}
	}
	return string(text[:width]), text[width:]
}
