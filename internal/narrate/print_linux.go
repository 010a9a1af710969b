package narrate

import (
	"fmt"
	"strings"
)

// Side is who speaks.
type Side string

// The two sides of a container.
const (
	Host      Side = "host"
	Container Side = "container"
)

// speaker is a side as it stands in the left column.
type speaker struct {
	side    Side
	pid     int    // as this side sees it
	outside int    // as who watches sees it, 0 in lessons
	where   string // main.go:48, "" for a call that was made elsewhere
	chapter string // that begins here, "" for none; never in lessons
}

// below is what stands below the speaker, from the first line on.
func (s speaker) below() (texts []string) {
	if s.chapter != "" {
		texts = append(texts, s.chapter)
	}
	if s.outside != 0 && s.outside != s.pid {
		texts = append(texts, fmt.Sprintf("= %d", s.outside))
	}
	return append(texts, s.where)
}

// printer writes blocks of lines with a left column.
type printer struct {
	out     *output
	short   bool
	label   int  // columns of the left column
	columns int  // of text in a line
	rows    int  // written of the block that was begun last
	open    int  // columns written of a line that is not ended
	foreign bool // somebody else may have written since
}

// look asks how wide the terminal is now: it may have been resized.
func (p *printer) look() {
	width, _ := p.out.size()
	p.columns = max(minWidth, min(maxWidth, width)) - p.label - 2
}

// line is one line of text, and how many columns it takes.
type line struct {
	styled  string
	columns int
	typed   bool // to be typed: never broken, and without a margin where it is too wide
}

// lines breaks text into lines.
func (p *printer) lines(style paint, text string) (all []line) {
	for _, part := range wrap(text, p.columns) {
		all = append(all, line{style.Sprint(part), columns(part), strings.HasPrefix(part, "  ")})
	}
	return all
}

// begin writes the first lines of a speaker's block.
func (p *printer) begin(s speaker, all []line, open bool) {
	p.rows = 0
	p.write(s, all, open)
}

// more writes more lines of the block that was begun last.
func (p *printer) more(s speaker, all []line) { p.write(s, all, false) }

func (p *printer) write(s speaker, all []line, open bool) {
	var text strings.Builder
	text.WriteString(p.freshLine())
	for i, l := range all {
		if i == 0 && p.open > 0 {
			if p.rows > 0 && p.open+1+l.columns <= p.columns {
				text.WriteString(" " + l.styled)
				if p.open += 1 + l.columns; open && len(all) == 1 {
					continue
				}
				text.WriteString("\n")
				p.open = 0
				continue
			}
			text.WriteString("\n")
			p.open = 0
		}
		if l.typed && l.columns > p.columns {
			text.WriteString(l.styled + "\n")
			continue
		}
		text.WriteString(strings.TrimRight(p.margin(s)+" "+l.styled, " "))
		p.rows++
		if open && i == len(all)-1 {
			p.open = l.columns
		} else {
			text.WriteString("\n")
		}
	}
	p.out.say(text.String())
}

// freshLine goes to the beginning of a line, where another program may have left
// the cursor in the middle of one. A terminal that is filled with blanks up to
// its last column goes on in the next line only if there was something before.
func (p *printer) freshLine() string {
	if !p.foreign {
		return ""
	}
	p.foreign = false
	width, terminal := p.out.size()
	if !terminal {
		return ""
	}
	return strings.Repeat(" ", width) + "\r"
}

// margin is what stands left of a line: in a block's first line who speaks, below that
// the chapter that begins, the number outside, and from where, as far as there are lines;
// and a bar in the speaker's color.
func (p *printer) margin(s speaker) string {
	text, style := "", faintStyle
	if p.rows == 0 {
		text, style = fmt.Sprintf("%s %d", s.side, s.pid), s.side.of(hostLabel, containerLabel)
		if len(text) > p.label {
			text = fmt.Sprintf("%.4s. %d", s.side, s.pid)
		}
	} else if below := s.below(); p.rows <= len(below) {
		if text = below[p.rows-1]; text == s.chapter {
			style = callStyle
		}
	}
	if text != "" && len(text)+2 <= p.label {
		text = " " + text + " "
	}
	if len(text) > p.label {
		text = "" // part of it would be another place
	}
	space := strings.Repeat(" ", p.label-len(text))
	if text != "" {
		text = style.Sprint(text)
	}
	return text + space + s.side.of(hostBar, containerBar).Sprint("│")
}
