package config

import (
	"math"
	"strconv"
	"strings"
)

// A node is one literal of a file and where it stands. val is one of string,
// symbol, int64, float64, bool, nil, list and hash.
type node struct {
	pos position
	val any
}

// position counts from 1; the zero position is that of a default.
type position struct{ line, column int }

type (
	symbol string
	list   []node
	hash   []entry
	entry  struct{ key, value node }
)

// lit makes a node of a Go value, for the defaults in the settings table.
func lit(v any) node {
	switch v := v.(type) {
	case int:
		return node{val: int64(v)}
	case []string:
		out := list{}
		for _, s := range v {
			out = append(out, lit(s))
		}
		return node{val: out}
	}
	return node{val: v}
}

// word returns the text of a string or symbol.
func (n node) word() (string, bool) {
	switch v := n.val.(type) {
	case string:
		return v, true
	case symbol:
		return string(v), true
	}
	return "", false
}

// what names the type of the literal, for messages.
func (n node) what() string {
	switch n.val.(type) {
	case string:
		return "a string"
	case symbol:
		return "a symbol"
	case int64:
		return "an integer"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	case list:
		return "an array"
	case hash:
		return "a hash"
	}
	return "nil"
}

// String prints the literal as a file would hold it; reading it again gives an
// equal literal.
func (n node) String() string {
	switch v := n.val.(type) {
	case string:
		return quote(v)
	case symbol:
		return quoteSymbol(string(v))
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return formatFloat(v)
	case bool:
		return strconv.FormatBool(v)
	case list:
		return "[" + join(v, node.String) + "]"
	case hash:
		if len(v) == 0 {
			return "{}"
		}
		return "{ " + join(v, entry.String) + " }"
	}
	return "nil"
}

// String prints the entry in the older of the two hash syntaxes, which takes
// every key.
func (e entry) String() string { return e.key.String() + " => " + e.value.String() }

func join[T any](items []T, format func(T) string) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = format(item)
	}
	return strings.Join(parts, ", ")
}

// formatFloat keeps a point or exponent in the text, so that a float stays one.
func formatFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") && !math.IsInf(f, 0) {
		s += ".0"
	}
	return s
}

// quote prints a string in single quotes if that can hold it, else in double
// quotes with escapes.
func quote(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '#':
			b.WriteString(`\` + string(rune(c)))
		case c >= ' ' && c < 0x7f:
			b.WriteByte(c)
		default:
			const digits = "0123456789abcdef"
			b.WriteString(`\x` + string(digits[c>>4]) + string(digits[c&15]))
		}
	}
	b.WriteByte('"')
	return b.String()
}

func quoteSymbol(s string) string {
	if plainSymbol.MatchString(s) {
		return ":" + s
	}
	q := quote(s)
	return ":" + q
}
