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

// paint is how text looks. A color is made of it only where something is said: each
// start of a program would pay for it.
type paint []color.Attribute

// Sprint paints a text.
func (p paint) Sprint(text string) string { return color.New(p...).Sprint(text) }

// Bright text on a colored ground reads well on a dark screen, on a light
// screen and on a projector; so do the four plain colors used for text.
var (
	hostLabel      = paint{color.BgBlue, color.FgHiWhite, color.Bold}
	containerLabel = paint{color.BgMagenta, color.FgHiWhite, color.Bold}
	hostBar        = paint{color.FgBlue}
	containerBar   = paint{color.FgMagenta}

	callStyle  = paint{color.Bold}
	goodStyle  = paint{color.FgGreen}
	badStyle   = paint{color.FgRed, color.Bold}
	faintStyle = paint{color.Faint}
	plainStyle = paint{}
)

// of chooses what belongs to a side.
func (s Side) of(host, container paint) paint {
	if s == Container {
		return container
	}
	return host
}

// colors turns color on or off, for all styles at once.
func colors(on bool) { color.NoColor = !on }
