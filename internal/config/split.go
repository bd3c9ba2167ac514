package config

import (
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// maxDepth bounds how deep brackets may nest, and with that the parser's stack.
const maxDepth = 20

// allowed is the hint of every problem with Ruby that would have to run.
const allowed = "the file is read, not run: write a literal, such as 'text', :symbol, 10, 1.5, true, nil, ['a', 'b'] or { :key => 'value' }"

// A statement is the tokens from one setting to the end of it, without newlines.
type statement struct {
	tokens []lexer.Token
	end    lexer.Position // after the last token
}

// name is the setting that the statement is about, as far as it can be told.
func (s statement) name() string {
	if len(s.tokens) > 0 && s.tokens[0].Type == kindOf("Ident") {
		return s.tokens[0].Value
	}
	return ""
}

// A splitter cuts the tokens of a file into statements. Cutting before parsing
// is what makes the problems of one statement end with it.
type splitter struct {
	tokens []lexer.Token
	next   int

	now  []lexer.Token // the statement so far
	open []lexer.Token // the brackets that are open in it
	bad  bool          // it has a problem already
	out  []statement

	// names holds what a failed statement was about.
	failed map[string]bool
	report func(position, string, string)
	known  func(name string) bool
}

// closers are the brackets that close, by the ones that open.
var closers = map[string]string{"(": ")", "[": "]", "{": "}"}

func (s *splitter) run() []statement {
	newline, heredoc, percent := kindOf("Newline"), kindOf("Heredoc"), kindOf("Percent")
	for ; !s.tokens[s.next].EOF(); s.next++ {
		t := s.tokens[s.next]
		switch {
		case t.Type == newline:
			s.newline()
		case t.Type == heredoc:
			s.now = append(s.now, t)
			s.problem(t.Pos, "a heredoc ("+t.Value+") is not read here", "write a quoted string on one line")
			s.skipHeredoc(t)
		case t.Type == percent:
			s.now = append(s.now, t)
			s.problem(t.Pos, t.Value+" is not read here", "write the text in quotes")
		case t.Value == ";" && len(s.open) == 0:
			s.flush(t.Pos)
		default:
			s.now = append(s.now, t)
			s.bracket(t)
		}
	}
	s.unclosed()
	s.flush(s.tokens[s.next].Pos)
	return s.out
}

// newline ends the statement, unless a bracket is open or the last token asks
// for more. A line that begins with a setting's name while a bracket is open
// shows that the bracket was forgotten.
func (s *splitter) newline() {
	next := s.tokens[s.next+1]
	switch {
	case next.Type == kindOf("Ident") && s.known(next.Value):
		s.unclosed()
	case len(s.open) > 0, s.continues():
		return
	}
	s.flush(s.tokens[s.next].Pos)
}

// continues reports whether the last token asks for more.
func (s *splitter) continues() bool {
	if len(s.now) == 0 || s.bad {
		return false
	}
	last := s.now[len(s.now)-1]
	return last.Value == "," || last.Value == "=>" || last.Value == "="
}

// bracket keeps track of the brackets that are open.
func (s *splitter) bracket(t lexer.Token) {
	if t.Type != kindOf("Punct") {
		return
	}
	if closers[t.Value] != "" {
		s.open = append(s.open, t)
		if len(s.open) == maxDepth+1 {
			s.problem(t.Pos, "the brackets are nested too deeply", "no setting needs more than a few levels")
		}
		return
	}
	if t.Value != ")" && t.Value != "]" && t.Value != "}" {
		return
	}
	if len(s.open) == 0 {
		s.problem(t.Pos, t.Value+" closes a bracket that was never opened", "remove it")
		return
	}
	last := s.open[len(s.open)-1]
	if want := closers[last.Value]; want != t.Value {
		s.problem(t.Pos, t.Value+" does not close the "+last.Value+" of line "+itoa(last.Pos.Line), "write "+want)
	}
	s.open = s.open[:len(s.open)-1]
}

// unclosed reports the innermost bracket that is open.
func (s *splitter) unclosed() {
	if n := len(s.open); n > 0 {
		last := s.open[n-1]
		s.problem(last.Pos, "this "+last.Value+" is never closed", "add the missing "+closers[last.Value])
	}
}

// problem reports the first problem of a statement; those after it would mostly
// be its consequences.
func (s *splitter) problem(pos lexer.Position, message, hint string) {
	if !s.bad {
		s.report(at(pos), message, hint)
	}
	s.bad = true
}

// flush ends the statement.
func (s *splitter) flush(end lexer.Position) {
	done := statement{s.now, end}
	switch {
	case s.bad:
		s.failed[done.name()] = true
	case len(s.now) > 0:
		s.out = append(s.out, done)
	}
	s.now, s.open, s.bad = nil, nil, false
}

// skipHeredoc moves to the token before the one after the heredoc's text. If its
// end is missing, only its first line is skipped.
func (s *splitter) skipHeredoc(t lexer.Token) {
	word := strings.Trim(strings.TrimLeft(t.Value, "<~-"), "'\"`")
	for i := s.next + 1; !s.tokens[i].EOF(); i++ {
		if s.tokens[i].Value == word && s.alone(i) {
			s.next = i
			return
		}
	}
}

// alone reports whether token i is the only one on its line.
func (s *splitter) alone(i int) bool {
	newline := kindOf("Newline")
	after := s.tokens[i+1]
	return s.tokens[i-1].Type == newline && (after.Type == newline || after.EOF())
}

// blockWords open something that ends with the word end.
var blockWords = map[string]bool{
	"if": true, "unless": true, "while": true, "until": true, "case": true, "for": true,
	"begin": true, "def": true, "class": true, "module": true,
}

// opensBlock reports whether a statement has a part that ends with the word end
// in a later statement.
func (s statement) opensBlock() bool {
	if blockWords[s.name()] {
		return true
	}
	for i, t := range s.tokens {
		if t.Value == "do" && t.Type == kindOf("Ident") && i > 0 {
			return s.tokens[len(s.tokens)-1].Value != "end"
		}
	}
	return false
}

// dropBlocks reports each if, do, def, … once and removes it with all that
// stands in it, up to its end.
func (s *splitter) dropBlocks(in []statement) []statement {
	var out []statement
	for i := 0; i < len(in); i++ {
		if !in[i].opensBlock() {
			out = append(out, in[i])
			continue
		}
		word := in[i].name()
		if !blockWords[word] {
			word = "do"
		}
		s.report(at(in[i].tokens[0].Pos), "a block ("+word+" … end) would need Ruby to run", allowed)
		last := blockEnd(in, i)
		for ; i < last; i++ {
			s.failed[in[i].name()] = true
		}
		s.failed[in[i].name()] = true
	}
	return out
}

// blockEnd returns the index of the statement that ends the block that statement
// i opens; i itself if nothing does.
func blockEnd(in []statement, i int) int {
	depth := 0
	for j := i; j < len(in); j++ {
		switch {
		case in[j].opensBlock():
			depth++
		case in[j].name() == "end":
			depth--
		}
		if depth == 0 {
			return j
		}
	}
	return i
}
