package trace

import (
	"fmt"
	"strings"
)

// Quote writes s as strace(1) writes a string argument: in double quotes,
// with the escapes of C, and bytes outside of printable ASCII in octal.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\t':
			b.WriteString(`\t`)
		case '\n':
			b.WriteString(`\n`)
		case '\v':
			b.WriteString(`\v`)
		case '\f':
			b.WriteString(`\f`)
		case '\r':
			b.WriteString(`\r`)
		default:
			if c >= ' ' && c <= '~' {
				b.WriteByte(c)
			} else if i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '7' {
				fmt.Fprintf(&b, `\%03o`, c) // a digit follows: all three places are needed
			} else {
				fmt.Fprintf(&b, `\%o`, c)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Strings writes list as strace(1) writes an argument vector: ["sh", "-c", "id"].
func Strings(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
