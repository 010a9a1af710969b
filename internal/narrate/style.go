package narrate

import (
	"os"
	"strings"
	"unicode/utf8"

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
// screen and on a projector; so do the four plain colours used for text.
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

// wrap breaks text into lines of at most width columns, at spaces where it can.
func wrap(text string, width int) []string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		indent := paragraph[:len(paragraph)-len(strings.TrimLeft(paragraph, " "))]
		line, used := indent, len(indent)
		for i, word := range strings.Fields(paragraph) {
			if i > 0 && used+1+utf8.RuneCountInString(word) <= width {
				line, used = line+" ", used+1
			} else if i > 0 {
				lines = append(lines, line)
				line, used = indent, len(indent)
			}
			for used+utf8.RuneCountInString(word) > width {
				head, tail := splitRunes(word, width-used)
				lines = append(lines, line+head)
				line, used, word = indent, len(indent), tail
			}
			line, used = line+word, used+utf8.RuneCountInString(word)
		}
		lines = append(lines, line)
	}
	return lines
}

// splitRunes cuts s after n runes.
func splitRunes(s string, n int) (head, tail string) {
	runes := []rune(s)
	return string(runes[:n]), string(runes[n:])
}
