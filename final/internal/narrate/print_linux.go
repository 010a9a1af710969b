package narrate

import (
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/fatih/color"
)

// more adds lines to the block that was printed last.
func more(style *color.Color, text string) {
	b := block{continued: true}
	b.text(style, text)
	b.print()
}

// block is one speaker's lines, put together before they are written in one
// piece, so that two processes never write into each other's lines.
type block struct {
	continued bool // no label: the lines belong to the block before
	open      bool // the last line is not ended: the answer will stand behind it
	held      bool // in a file nobody watches: write it together with the answer
	lines     []line
}

type line struct {
	styled  string
	columns int
	whole   bool // too wide for the margin, and not to be broken
}

func textWidth() int { return width - labelWidth - 2 }

// line adds a line that is known to fit.
func (b *block) line(style *color.Color, text string) {
	b.lines = append(b.lines, line{styled: style.Sprint(text), columns: utf8.RuneCountInString(text)})
}

// text adds text, broken into lines. A line of it that begins with two blanks is
// one to type: it stays whole, to be copied, and where it does not fit beside
// the margin it stands without.
func (b *block) text(style *color.Color, text string) {
	for _, paragraph := range strings.Split(text, "\n") {
		if strings.HasPrefix(paragraph, "  ") && utf8.RuneCountInString(paragraph) > textWidth() {
			b.lines = append(b.lines, line{styled: style.Sprint(paragraph), whole: true})
			continue
		}
		for _, part := range wrap(paragraph, textWidth()) {
			b.line(style, part)
		}
	}
}

// call adds the call in the kernel's words, and where to read about it.
func (b *block) call(call string) {
	b.text(callStyle, call)
	name, _, _ := strings.Cut(call, "(")
	last := &b.lines[len(b.lines)-1]
	section, ok := strings.CutSuffix(manualPage(name), "(2)")
	page := "  man 2 " + section
	if ok && !config.Compact && last.columns+len(page) <= textWidth() {
		last.styled += faintStyle.Sprint(page)
	}
}

var (
	openColumns int  // how much is written of a line that is not ended
	lastSpeaker Side // who had the label: a compact narration does not repeat it

	heldText string
	newline  = "\n"
)

func (b *block) print() {
	var out strings.Builder
	for i, l := range b.lines {
		switch {
		case i > 0 || openColumns == 0:
		case b.continued && openColumns+1+l.columns <= textWidth():
			out.WriteString(" " + l.styled + "\n")
			continue
		default:
			out.WriteString("\n")
		}
		if !l.whole {
			out.WriteString(b.margin(i) + " ")
		}
		out.WriteString(l.styled)
		if !b.open || i < len(b.lines)-1 {
			out.WriteString("\n")
		}
	}
	openColumns = 0
	if b.open {
		openColumns = b.lines[len(b.lines)-1].columns
	}
	heldText += out.String()
	if !b.held {
		os.Stderr.WriteString(strings.ReplaceAll(heldText, "\n", newline))
		heldText = ""
	}
}

// margin is what stands left of a block's i-th line: who speaks, and a bar in
// the speaker's color.
func (b *block) margin(i int) string {
	label, bar := hostLabel, hostBar
	if config.Side == Container {
		label, bar = containerLabel, containerBar
	}
	speaker := ""
	if i == 0 && !b.continued && (!config.Compact || lastSpeaker != config.Side) {
		speaker = fmt.Sprintf("%s %d", config.Side, os.Getpid())
		if len(speaker)+2 <= labelWidth {
			speaker = " " + speaker + " "
		}
		lastSpeaker = config.Side
	}
	space := strings.Repeat(" ", max(0, labelWidth-len(speaker)))
	if speaker != "" {
		speaker = label.Sprint(speaker)
	}
	return speaker + space + bar.Sprint("│")
}

// Chapter prints a heading over the calls that follow.
func Chapter(title string) {
	if config.Quiet || config.JSON {
		return
	}
	var b block
	b.line(callStyle, "── "+title+" "+strings.Repeat("─", max(0, textWidth()-4-utf8.RuneCountInString(title))))
	b.print()
}
