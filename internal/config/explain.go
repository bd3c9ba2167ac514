package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// explain says what is wrong with a statement that the grammar did not accept: the
// first thing, and on later lines whatever is wrong by itself.
func (s statement) explain(err error) Problems {
	out := Problems{*s.explainFirst(err)}
	b := builder{}
	for i, t := range s.tokens {
		if last := out[len(out)-1].Line; t.Pos.Line <= last {
			continue
		}
		switch {
		case slices.Contains(strange, t.Type) && !isValue(t) && wantsValue(s.tokens[i-1]):
			p := s.explainToken(i)
			p.Line, p.Column = t.Pos.Line, t.Pos.Column
			out = append(out, *p)
		case t.Type == kindOf("String"):
			b.text(at(t.Pos), t.Value)
			out, b.problems = append(out, b.problems...), nil
		}
	}
	return out
}

// wantsValue reports whether nothing but a value can follow t.
func wantsValue(t lexer.Token) bool {
	return closers[t.Value] != "" || t.Value == "," || t.Value == "=>" || slices.Contains(labels, t.Type)
}

// explainFirst finds the first thing that is wrong. The grammar itself may only
// know in which bracket that is.
func (s statement) explainFirst(err error) *Problem {
	var perr participle.Error
	pos := s.end
	if errors.As(err, &perr) {
		pos = perr.Position()
	}
	i := s.misplaced()
	if i < 0 {
		i = slices.IndexFunc(s.tokens, func(t lexer.Token) bool { return t.Pos == pos })
	}
	if i >= 0 {
		p := s.explainToken(i)
		p.Line, p.Column = s.tokens[i].Pos.Line, s.tokens[i].Pos.Column
		return p
	}
	p := &Problem{Line: s.end.Line, Column: s.end.Column, Message: s.tokens[0].Value + " has no value", Hint: allowed}
	if len(s.tokens) > 1 {
		p.Message = "the value of " + s.tokens[0].Value + " is not complete"
	}
	return p
}

// explainToken says why token i cannot stand where it stands.
func (s statement) explainToken(i int) *Problem {
	t := s.tokens[i]
	ruby := &Problem{Message: fmt.Sprintf("%q would need Ruby to run", t.Value), Hint: allowed}
	switch t.Type {
	case kindOf("OpenString"):
		return &Problem{Message: "this string is not closed on its line", Hint: "add the missing " + t.Value[:1]}
	case kindOf("Label"), kindOf("QuotedLabel"):
		if i == 0 {
			name := strings.TrimSuffix(t.Value, ":")
			return &Problem{Message: "a setting has no colon after its name", Hint: "write `" + name + " value` or `" + name + " = value`"}
		}
	case kindOf("BadNumber"):
		return &Problem{Message: t.Value + " is not a number", Hint: "write a duration in quotes, as in '5m'; a number has digits only"}
	case kindOf("Ident"), kindOf("Path"), kindOf("Variable"), kindOf("Backtick"), kindOf("Operator"), kindOf("Percent"):
		if i > 0 && t.Value != "true" && t.Value != "false" && t.Value != "nil" {
			return s.explainIdent(i, ruby)
		}
	}
	switch t.Value {
	case ".", "+", "-", "*", "/", "?", "|", "!", "&", "<", ">", "^", "~", "%":
		return ruby
	}
	p := &Problem{Message: fmt.Sprintf("%q does not belong here", t.Value), Hint: allowed}
	if i > 0 && isValue(t) && ends(s.tokens[i-1]) {
		p.Hint = "write a comma between two values; a setting outside brackets has one value only"
	}
	return p
}

// explainIdent adds what the writer of a bare word most likely meant.
func (s statement) explainIdent(i int, ruby *Problem) *Problem {
	word := s.tokens[i].Value
	if s.tokens[i].Type == kindOf("Ident") && i == len(s.tokens)-1 && strings.ToLower(word) == word {
		ruby.Hint = "write '" + word + "' or :" + word + " for the word itself; " + allowed
	}
	return ruby
}

// scalars and strange are types of tokens: those that are a value, and those that
// no statement has behind its name.
var (
	scalars = kindsOf("String", "Symbol", "QuotedSymbol", "Words", "Float", "Radix", "Integer")
	strange = kindsOf("Ident", "Path", "Variable", "Backtick", "Operator", "Percent", "OpenString", "BadNumber", "Other")
	labels  = kindsOf("Label", "QuotedLabel")
)

func kindsOf(names ...string) (out []lexer.TokenType) {
	for _, name := range names {
		out = append(out, kindOf(name))
	}
	return out
}

// isValue reports whether t is a literal of one token.
func isValue(t lexer.Token) bool {
	return slices.Contains(scalars, t.Type) || t.Value == "true" || t.Value == "false" || t.Value == "nil"
}

// ends reports whether a value may end with t.
func ends(t lexer.Token) bool {
	return isValue(t) || t.Value == "]" || t.Value == "}" || t.Value == ")"
}

// A walk goes along the tokens of a statement and knows what may come next.
type walk struct {
	open  []string // the brackets
	value bool     // a value has to come, or what closes an empty bracket
	set   bool     // an equals sign was there
	pair  bool     // the present entry of a hash has its arrow
}

// misplaced is the index of the first token that cannot stand where it stands; -1
// if only the grammar can tell.
func (s statement) misplaced() int {
	if s.name() == "" {
		return 0
	}
	w := walk{value: true}
	for i, t := range s.tokens[1:] {
		if !isValue(t) && slices.Contains(strange, t.Type) || !w.step(s.tokens[i], t) {
			return i + 1
		}
	}
	return -1
}

// step takes one token, and reports whether it may follow the one before.
func (w *walk) step(before, t lexer.Token) bool {
	inside := ""
	if n := len(w.open); n > 0 {
		inside = w.open[n-1]
	}
	switch {
	case closers[t.Value] != "":
		key := t.Value == "[" && inside == "" && !w.set && before.Value == "]"
		ok := w.value || key
		w.open, w.value, w.pair = append(w.open, t.Value), true, false
		return ok
	case t.Value == "]", t.Value == "}", t.Value == ")":
		empty := before.Value == inside || before.Value == ","
		ok := inside != "" && (!w.value || empty) && (inside != "{" || w.pair || empty)
		w.open, w.value, w.pair = w.open[:max(0, len(w.open)-1)], false, true
		return ok
	case t.Value == ",":
		ok := !w.value && (inside == "[" || w.pair)
		w.value, w.pair = true, false
		return ok
	case t.Value == "=>":
		ok := !w.value && inside != "["
		w.value, w.pair = true, true
		return ok
	case t.Value == "=":
		ok := inside == "" && !w.set
		w.value, w.set = true, true
		return ok
	case slices.Contains(labels, t.Type):
		ok := w.value && inside != "["
		w.value, w.pair = true, true
		return ok
	default:
		ok := w.value
		w.value = false
		return ok
	}
}
