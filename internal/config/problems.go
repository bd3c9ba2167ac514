package config

import (
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with a file.
type Problem struct {
	File string

	// Line and Column count from 1. Line 0 is the file as a whole: something is
	// missing.
	Line, Column int

	Message string // what is wrong
	Hint    string // what to write instead
}

// String is the problem as compilers print one: "file:line:column: message",
// with the hint after a semicolon.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": " + p.Message)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Problems is everything that is wrong with a file, in the file's order. It is
// the error of [Parse] and, for a file that could be read, of [Load].
type Problems []Problem

// Error returns one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// sort puts problems into the order of the file; those of the whole file come
// last.
func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		switch {
		case (a.Line == 0) != (b.Line == 0):
			return b.Line - a.Line
		case a.Line != b.Line:
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// A Notice is a remark on a file that is right: a setting that means nothing
// here, or one whose effect may surprise.
type Notice struct {
	Line    int // 0 if it is about the file as a whole
	Setting string
	Message string // a sentence
}

// String is the notice with its line, if it has one.
func (n Notice) String() string {
	if n.Line == 0 {
		return n.Message
	}
	return fmt.Sprintf("line %d: %s", n.Line, n.Message)
}
