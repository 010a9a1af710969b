package narrate

import "github.com/fatih/color"

// Columns: a line is never wider than maxWidth, and 80 columns are assumed
// when the output is not a terminal.
const (
	defaultWidth = 80
	maxWidth     = 100
	minWidth     = 40
	labelWidth   = 17 // "container 4194304": pid_max has seven digits
	narrowLabel  = 13 // "cont. 4194304", where the calls are many
)

// Bright text on a colored ground reads well on a dark screen, on a light
// screen and on a projector; so do the four plain colors used for text.
var (
	labels = map[Side]*color.Color{
		Host:      color.New(color.BgBlue, color.FgHiWhite, color.Bold),
		Container: color.New(color.BgMagenta, color.FgHiWhite, color.Bold),
	}
	bars = map[Side]*color.Color{
		Host:      color.New(color.FgBlue),
		Container: color.New(color.FgMagenta),
	}
	callStyle  = color.New(color.Bold)
	goodStyle  = color.New(color.FgGreen)
	badStyle   = color.New(color.FgRed, color.Bold)
	faintStyle = color.New(color.Faint)
	plainStyle = color.New()
)

// colors turns color on or off, for all styles at once.
func colors(on bool) { color.NoColor = !on }
