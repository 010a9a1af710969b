//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// escapeBytes writes a backslash as \\ and each byte that is not UTF-8 as \xHH.
func escapeBytes(s string) []byte {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return []byte(b.String())
}

// unescapeBytes reads what escapeBytes wrote.
func unescapeBytes(text []byte) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
			b.WriteByte(text[i])
		case i+1 < len(text) && text[i+1] == '\\':
			b.WriteByte('\\')
			i++
		case i+3 < len(text) && text[i+1] == 'x':
			n, err := strconv.ParseUint(string(text[i+2:i+4]), 16, 8)
			if err != nil {
				return "", err
			}
			b.WriteByte(byte(n))
			i += 3
		default:
			return "", fmt.Errorf("%q ends in half of an escaped byte", text)
		}
	}
	return b.String(), nil
}
