package config

import (
	"regexp"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// rules are the tokens of a file, first match first. Tokens that no literal has
// (Heredoc, Percent, Path, …) are there so that the message can name what was
// found. The last rule takes any character: lexing never fails.
//
// Strings end on their line. Ruby lets them go on; here a forgotten quote would
// then swallow the settings below it.
var rules = lexer.MustSimple([]lexer.SimpleRule{
	{Name: "Newline", Pattern: `\n`},
	{Name: "space", Pattern: `[ \t\r\f\v]+|\\\r?\n`},
	{Name: "comment", Pattern: `#[^\n]*`},
	{Name: "Words", Pattern: `%[wWiI](?:\[[^\[\]]*\]|\([^()]*\)|\{[^{}]*\}|<[^<>]*>|\|[^|]*\||![^!]*!|/[^/]*/)`},
	{Name: "Percent", Pattern: `%[qQrsx]?[\[({<|!/]`},
	{Name: "Heredoc", Pattern: "<<[~-]?(?:\"[^\"\n]+\"|'[^'\n]+'|`[^`\n]+`|[A-Za-z_]\\w*)"},
	{Name: "QuotedLabel", Pattern: `"(?:\\[^\n]|[^"\\\n])*":|'(?:\\[^\n]|[^'\\\n])*':`},
	{Name: "QuotedSymbol", Pattern: `:(?:"(?:\\[^\n]|[^"\\\n])*"|'(?:\\[^\n]|[^'\\\n])*')`},
	{Name: "String", Pattern: `"(?:\\[^\n]|[^"\\\n])*"|'(?:\\[^\n]|[^'\\\n])*'`},
	{Name: "OpenString", Pattern: `["'][^\n]*`},
	{Name: "Backtick", Pattern: "`[^\n]*"},
	{Name: "Path", Pattern: `(?:[A-Za-z_]\w*)?::[A-Za-z_]\w*(?:::\w+)*`},
	{Name: "Label", Pattern: `[A-Za-z_]\w*[?!]?:`},
	{Name: "Symbol", Pattern: `:[A-Za-z_]\w*[?!]?`},
	{Name: "Variable", Pattern: `(?:@@?|\$)\w+`},
	{Name: "Ident", Pattern: `[A-Za-z_]\w*[?!]?`},
	{Name: "Float", Pattern: `[-+]?\d+(?:_\d+)*(?:\.\d+(?:_\d+)*(?:[eE][-+]?\d+)?|[eE][-+]?\d+)`},
	{Name: "Radix", Pattern: `[-+]?0(?:[xX][0-9a-fA-F_]+|[bB][01_]+|[oO][0-7_]+)`},
	{Name: "BadNumber", Pattern: `[-+]?\d\w*[A-Za-z]\w*`},
	{Name: "Integer", Pattern: `[-+]?\d+(?:_\d+)*`},
	{Name: "Operator", Pattern: `==+|=~|\|\|=?|&&=?|[-+*/|&^<>!]=|<<|>>|\.\.+|&\.`},
	{Name: "Punct", Pattern: `=>|[\[\](){},;=]`},
	{Name: "Other", Pattern: `(?s:.)`},
})

// plainSymbol is a symbol that needs no quotes.
var plainSymbol = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*[?!]?$`)

// kindOf returns the type of a token by the name of its rule.
func kindOf(name string) lexer.TokenType { return rules.Symbols()[name] }

// tokens splits a source into tokens, newlines among them, ended by EOF.
func tokens(name, src string) []lexer.Token {
	lx, err := rules.LexString(name, blank(src))
	if err != nil {
		panic(err) // it only stores its arguments
	}
	var out []lexer.Token
	for {
		t, err := lx.Next()
		if err != nil {
			panic(err) // the last rule matches every character
		}
		out = append(out, t)
		if t.EOF() {
			return out
		}
	}
}

// blank empties the lines that are no code: =begin … =end, and all from __END__
// on. The numbers of the other lines stay as they are.
func blank(src string) string {
	src = strings.TrimPrefix(src, "\uFEFF")
	if !strings.Contains(src, "=begin") && !strings.Contains(src, "__END__") {
		return src
	}
	lines := strings.Split(src, "\n")
	comment := false
	for i, line := range lines {
		switch {
		case !comment && strings.TrimRight(line, "\r") == "__END__":
			return strings.Join(lines[:i], "\n")
		case !comment && isWord(line, "=begin"):
			comment = true
		case comment && isWord(line, "=end"):
			comment = false
		case !comment:
			continue
		}
		lines[i] = ""
	}
	return strings.Join(lines, "\n")
}

// isWord reports whether line starts with word and then ends or has a space.
func isWord(line, word string) bool {
	rest, ok := strings.CutPrefix(line, word)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], " \t\r"))
}

// at is the position of a token.
func at(p lexer.Position) position { return position{p.Line, p.Column} }
