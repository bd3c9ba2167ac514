package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An escapeError is a fault inside a quoted string, at a byte offset in it.
type escapeError struct {
	offset  int
	message string
	hint    string
}

func (e *escapeError) Error() string { return e.message }

// unquote decodes a string token with its quotes, single or double.
func unquote(text string) (string, *escapeError) {
	inner := text[1 : len(text)-1]
	if text[0] == '\'' {
		return unescapeSingle(inner), nil
	}
	return unescapeDouble(inner)
}

// unescapeSingle knows two escapes: \\ and \'. Every other backslash stands for
// itself.
func unescapeSingle(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == '\'') {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unescapeDouble knows Ruby's escapes but those for control and meta keys, which
// no configuration needs. Interpolation is an error.
func unescapeDouble(s string) (string, *escapeError) {
	var b strings.Builder
	for i := 0; i < len(s); {
		switch {
		case s[i] == '#' && i+1 < len(s) && strings.IndexByte("{@$", s[i+1]) >= 0:
			return "", &escapeError{i + 1, "a string with " + s[i:i+2] + " would need Ruby to run",
				`write the text itself, or \# for the character #`}
		case s[i] == '\\' && i+1 < len(s):
			n, err := escape(&b, s[i+1:])
			if err != nil {
				return "", &escapeError{i + 1, err.Error(), `write \\ for a backslash, or use single quotes`}
			}
			i += 1 + n
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String(), nil
}

// simpleEscapes are the escapes of one letter.
var simpleEscapes = map[byte]byte{
	'n': '\n', 't': '\t', 's': ' ', 'r': '\r', 'e': 0x1b, 'a': '\a', 'b': '\b', 'f': '\f', 'v': '\v',
}

// escape writes what the escape at the start of s (after its backslash) stands
// for and returns its length.
func escape(b *strings.Builder, s string) (int, error) {
	if c, ok := simpleEscapes[s[0]]; ok {
		b.WriteByte(c)
		return 1, nil
	}
	switch c := s[0]; {
	case c == 'u':
		return escapeUnicode(b, s)
	case c == 'x':
		n := prefixLen(s[1:], 2, isHex)
		return 1 + n, writeByte(b, s[1:1+n], 16)
	case c >= '0' && c <= '7':
		n := prefixLen(s, 3, func(c byte) bool { return c >= '0' && c <= '7' })
		return n, writeByte(b, s[:n], 8)
	case c == 'c' || c == 'C' || c == 'M':
		return 0, fmt.Errorf(`the escape \%c is not supported`, c)
	}
	_, n := utf8.DecodeRuneInString(s)
	b.WriteString(s[:n])
	return n, nil
}

// escapeUnicode reads uXXXX and u{X X}.
func escapeUnicode(b *strings.Builder, s string) (int, error) {
	if strings.HasPrefix(s, "u{") {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return 0, fmt.Errorf(`the escape \u{ has no }`)
		}
		for _, digits := range strings.Fields(s[2:end]) {
			if err := writeRune(b, digits); err != nil {
				return 0, err
			}
		}
		return end + 1, nil
	}
	n := prefixLen(s[1:], 4, isHex)
	if n != 4 {
		return 0, fmt.Errorf(`the escape \u needs four hexadecimal digits`)
	}
	return 5, writeRune(b, s[1:5])
}

func writeRune(b *strings.Builder, digits string) error {
	v, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || !utf8.ValidRune(rune(v)) {
		return fmt.Errorf(`the escape \u names no character: %s`, digits)
	}
	b.WriteRune(rune(v))
	return nil
}

func writeByte(b *strings.Builder, digits string, base int) error {
	v, err := strconv.ParseUint(digits, base, 9)
	if err != nil {
		return fmt.Errorf("an escape needs digits")
	}
	b.WriteByte(byte(v))
	return nil
}

func prefixLen(s string, limit int, ok func(byte) bool) int {
	n := 0
	for n < len(s) && n < limit && ok(s[n]) {
		n++
	}
	return n
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
