package docs

import (
	"encoding/xml"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// A style is how a terminal shows a character: two of its sixteen colors, or
// its own (the zero value), and bold or faint.
type style struct {
	text, ground string // "" or the color's number
	bold, faint  bool
}

// A cell is one place on a terminal.
type cell struct {
	char  rune
	style style
}

// control is what a terminal does not show: in group 1 the numbers of a change
// of style, see console_codes(4).
var control = regexp.MustCompile("\x1b\\[(?:([0-9;]*)m|[0-9;?]*[A-Za-z])")

// screen returns what a terminal of that many columns shows after output.
func screen(output string, columns int) (rows [][]cell) {
	var now style
	var row []cell
	column := 0
	show := func(text string) {
		for _, char := range text {
			if char == '\n' || char != '\r' && column == columns {
				rows, row, column = append(rows, row), nil, 0
			}
			switch {
			case char == '\n':
			case char == '\r':
				column = 0
			case column < len(row):
				row[column] = cell{char, now}
				column++
			default:
				row = append(row, cell{char, now})
				column++
			}
		}
	}
	next := 0
	for _, at := range control.FindAllStringSubmatchIndex(output, -1) {
		show(output[next:at[0]])
		next = at[1]
		if at[2] >= 0 {
			for _, number := range strings.Split(output[at[2]:at[3]], ";") {
				now.change(number)
			}
		}
	}
	show(output[next:])
	if len(row) > 0 {
		rows = append(rows, row)
	}
	return rows
}

func (s *style) change(number string) {
	n, _ := strconv.Atoi(number) // an empty one is 0
	switch {
	case n == 0:
		*s = style{}
	case n == 1:
		s.bold = true
	case n == 2:
		s.faint = true
	case n == 22:
		s.bold, s.faint = false, false
	case n >= 30 && n <= 37:
		s.text = fmt.Sprint(n - 30)
	case n >= 90 && n <= 97:
		s.text = fmt.Sprint(n - 90 + 8)
	case n == 39:
		s.text = ""
	case n >= 40 && n <= 47:
		s.ground = fmt.Sprint(n - 40)
	case n >= 100 && n <= 107:
		s.ground = fmt.Sprint(n - 100 + 8)
	case n == 49:
		s.ground = ""
	}
}

// The terminal of the pictures is dark, with a border, so that it can be seen on
// a white page and on a black one.
const (
	charWidth  = 8.4
	lineHeight = 17.0
	fontSize   = 14
	padding    = 14.0
	groundHex  = "#161b22"
	textHex    = "#e6edf3"
	borderHex  = "#6e7681"
)

var colors = map[string]string{
	"0": "#484f58", "1": "#ff7b72", "2": "#56d364", "3": "#e3b341",
	"4": "#1f6feb", "5": "#8957e5", "6": "#39c5cf", "7": "#b1bac4",
	"8": "#6e7681", "9": "#ffa198", "10": "#7ee787", "11": "#f2cc60",
	"12": "#79c0ff", "13": "#d2a8ff", "14": "#56d4dd", "15": "#ffffff",
}

// onDark are lighter colors, where those that are good for a ground are too
// dark for text.
var onDark = map[string]string{"0": "8", "4": "12", "5": "13"}

// draw returns a picture of a terminal's rows, as SVG: text, so that it is small
// and sharp at any size. title is for those who cannot see it.
func draw(rows [][]cell, columns int, title string) string {
	var body strings.Builder
	classes := map[string]string{}
	for i, row := range rows {
		top := padding + float64(i)*lineHeight
		for start := 0; start < len(row); {
			end := start + 1
			for end < len(row) && row[end].style == row[start].style {
				end++
			}
			drawRun(&body, classes, row[start:end], padding+float64(start)*charWidth, top)
			start = end
		}
	}
	width := 2*padding + float64(columns)*charWidth
	height := 2*padding + float64(len(rows))*lineHeight
	var all strings.Builder
	fmt.Fprintf(&all, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%[1]s" height="%s" role="img" aria-labelledby="t">`+"\n", number(width), number(height))
	fmt.Fprintf(&all, "<title id=\"t\">%s</title>\n<style>\n", escape(title))
	fmt.Fprintf(&all, "text{font:%dpx ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",\"Liberation Mono\",monospace;white-space:pre;fill:%s}\n", fontSize, textHex)
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		fmt.Fprintf(&all, "%s{%s}\n", name, classes[name])
	}
	fmt.Fprintf(&all, "</style>\n<rect x=\".5\" y=\".5\" width=\"%s\" height=\"%s\" rx=\"8\" fill=\"%s\" stroke=\"%s\"/>\n", number(width-1), number(height-1), groundHex, borderHex)
	return all.String() + body.String() + "</svg>\n"
}

// drawRun draws characters of one style. Every run has its place and its width,
// so that columns stand one below the other in any font.
func drawRun(body *strings.Builder, classes map[string]string, run []cell, x, top float64) {
	s := run[0].style
	if s.ground != "" {
		classes[".g"+s.ground] = "fill:" + colors[s.ground]
		fmt.Fprintf(body, `<rect class="g%s" x="%s" y="%s" width="%s" height="%s"/>`+"\n", s.ground, number(x), number(top), number(float64(len(run))*charWidth), number(lineHeight))
	}
	var text strings.Builder
	for _, c := range run {
		text.WriteRune(c.char)
	}
	words := strings.TrimLeft(text.String(), " ")
	x += float64(len(run)-utf8.RuneCountInString(words)) * charWidth
	words = strings.TrimRight(words, " ")
	if words == "" {
		return
	}
	var names []string
	if s.text != "" {
		shown := s.text
		if lighter, ok := onDark[shown]; ok && s.ground == "" {
			shown = lighter
		}
		names = append(names, "c"+shown)
		classes[".c"+shown] = "fill:" + colors[shown]
	}
	if s.bold {
		names = append(names, "b")
		classes[".b"] = "font-weight:bold"
	}
	if s.faint {
		names = append(names, "f")
		classes[".f"] = "opacity:.7"
	}
	class := ""
	if len(names) > 0 {
		class = fmt.Sprintf(` class="%s"`, strings.Join(names, " "))
	}
	fmt.Fprintf(body, `<text%s x="%s" y="%s" textLength="%s" lengthAdjust="spacingAndGlyphs" xml:space="preserve">%s</text>`+"\n", class,
		number(x), number(top+13), number(float64(utf8.RuneCountInString(words))*charWidth), escape(words))
}

func number(f float64) string {
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64)
}

func escape(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text))
	return b.String()
}

// drawn returns the lines of text in a picture.
func drawn(picture []byte) ([]string, error) {
	var svg struct {
		Text []struct {
			X     float64 `xml:"x,attr"`
			Y     float64 `xml:"y,attr"`
			Words string  `xml:",chardata"`
		} `xml:"text"`
	}
	if err := xml.Unmarshal(picture, &svg); err != nil {
		return nil, err
	}
	var lines []string
	for _, text := range svg.Text {
		row := int((text.Y - padding) / lineHeight)
		for len(lines) <= row {
			lines = append(lines, "")
		}
		column := int(math.Round((text.X - padding) / charWidth))
		lines[row] += strings.Repeat(" ", max(0, column-utf8.RuneCountInString(lines[row]))) + text.Words
	}
	return lines, nil
}

// What a terminal shows is what is drawn: its text and its colors.
func TestDraw(t *testing.T) {
	// This brings the cursor to the beginning of a line, and only if it is not there yet to a new one.
	fresh := strings.Repeat(" ", 20) + "\r"
	rows := screen(fresh+"$ a < b"+fresh+"\x1b[44;97;1m host 7 \x1b[0m\x1b[34m│\x1b[0m \x1b[32m= 0\x1b[0;22m  plain\x1b[K\n\n  0123456789012345678", 20)
	picture := draw(rows, 20, `a "title" & more`)
	lines, err := drawn([]byte(picture))
	want := []string{"$ a < b", " host 7 │ = 0  plain", "", "  012345678901234567", "8"}
	if err != nil || !slices.Equal(lines, want) {
		t.Errorf("%q (%v), expected %q", lines, err, want)
	}
	for _, piece := range []string{
		`<rect class="g4" x="14" y="31" width="67.2" height="17"/>`,
		`<text class="c15 b" x="22.4" y="44" textLength="50.4" lengthAdjust="spacingAndGlyphs" xml:space="preserve">host 7</text>`,
		`<text class="c2" x="98" y="44" textLength="25.2" lengthAdjust="spacingAndGlyphs" xml:space="preserve">= 0</text>`,
		".c12{fill:#79c0ff}", "<title id=\"t\">a &#34;title&#34; &amp; more</title>",
	} {
		if !strings.Contains(picture, piece) {
			t.Errorf("this is not in the picture: %s\n%s", piece, picture)
		}
	}
}
