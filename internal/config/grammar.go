package config

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar of one statement. The forms are
//
//	name value                    name(value)
//	name = value                  name['a'][:b] = value
//	name :a => value, :b => value
type (
	astStatement struct {
		Name  string    `parser:"@Ident"`
		Set   *astSet   `parser:"( @@"`
		Bare  *astBare  `parser:"| @@"`
		Value *astValue `parser:"| @@ )"`
	}
	astSet struct {
		Keys  []*astValue `parser:"( '[' @@ ']' )*"`
		Value *astValue   `parser:"'=' @@"`
	}
	astBare struct {
		Pos     lexer.Position
		Entries []*astEntry `parser:"( '(' @@ ( ',' @@ )* ','? ')' | @@ ( ',' @@ )* )"`
	}
	astValue struct {
		Pos    lexer.Position
		Scalar *astScalar `parser:"( @@"`
		Array  *astArray  `parser:"| @@"`
		Hash   *astHash   `parser:"| @@"`
		Inner  *astValue  `parser:"| '(' @@ ')' )"`
	}
	astScalar struct {
		Text string `parser:"@( String | Symbol | QuotedSymbol | Words | Float | Radix | Integer | 'true' | 'false' | 'nil' )"`
	}
	astArray struct {
		Items []*astValue `parser:"'[' ( @@ ( ',' @@ )* ','? )? ']'"`
	}
	astHash struct {
		Entries []*astEntry `parser:"'{' ( @@ ( ',' @@ )* ','? )? '}'"`
	}
	astEntry struct {
		Pos   lexer.Position
		Label string    `parser:"( @( Label | QuotedLabel )"`
		Key   *astValue `parser:"| @@ '=>' )"`
		Value *astValue `parser:"@@"`
	}
)

var grammar = participle.MustBuild[astStatement](
	participle.Lexer(rules), participle.UseLookahead(participle.MaxLookahead))

// An assignment is one statement: a setting, or a part of one, and its value.
type assignment struct {
	pos   position
	path  []node // the name first, then the keys in brackets
	value node
}

// parse reads one statement, or says what is wrong with it.
func (s statement) parse() (assignment, Problems) {
	lex, err := lexer.Upgrade(&replay{tokens: s.tokens, end: s.end})
	if err != nil {
		return assignment{}, Problems{{Message: err.Error()}}
	}
	ast, err := grammar.ParseFromLexer(lex)
	if err != nil {
		return assignment{}, s.explain(err)
	}
	b := builder{}
	pos := at(s.tokens[0].Pos)
	out := assignment{pos: pos, path: []node{{pos, ast.Name}}}
	switch {
	case ast.Set != nil:
		for _, key := range ast.Set.Keys {
			out.path = append(out.path, b.value(key))
		}
		out.value = b.value(ast.Set.Value)
	case ast.Bare != nil:
		out.value = node{at(ast.Bare.Pos), b.entries(ast.Bare.Entries)}
	default:
		out.value = b.value(ast.Value)
	}
	return out, b.problems
}

// replay is a lexer over tokens that were read before.
type replay struct {
	tokens []lexer.Token
	end    lexer.Position
}

func (r *replay) Next() (lexer.Token, error) {
	if len(r.tokens) == 0 {
		return lexer.EOFToken(r.end), nil
	}
	t := r.tokens[0]
	r.tokens = r.tokens[1:]
	return t, nil
}

// A builder turns the tree of a statement into literals and keeps the first
// problem inside each.
type builder struct{ problems Problems }

func (b *builder) fail(pos position, message, hint string) {
	same := func(p Problem) bool { return p.Line == pos.line && p.Column == pos.column }
	if !slices.ContainsFunc(b.problems, same) {
		b.problems = append(b.problems, Problem{Line: pos.line, Column: pos.column, Message: message, Hint: hint})
	}
}

func (b *builder) value(v *astValue) node {
	n := node{pos: at(v.Pos)}
	switch {
	case v.Scalar != nil:
		n.val = b.scalar(n.pos, v.Scalar.Text)
	case v.Array != nil:
		items := list{}
		for _, item := range v.Array.Items {
			items = append(items, b.value(item))
		}
		n.val = items
	case v.Hash != nil:
		n.val = b.entries(v.Hash.Entries)
	default:
		return b.value(v.Inner)
	}
	return n
}

func (b *builder) entries(in []*astEntry) hash {
	out := hash{}
	for _, e := range in {
		key := node{pos: at(e.Pos)}
		if e.Key != nil {
			key = b.value(e.Key)
		} else if text := strings.TrimSuffix(e.Label, ":"); text[0] == '"' || text[0] == '\'' {
			key.val = symbol(b.text(key.pos, text))
		} else {
			key.val = symbol(text)
		}
		out = append(out, entry{key, b.value(e.Value)})
	}
	return out
}

// scalar reads the literal of one token.
func (b *builder) scalar(pos position, text string) any {
	switch {
	case text == "true", text == "false":
		return text == "true"
	case text == "nil":
		return nil
	case text[0] == '\'' || text[0] == '"':
		return b.text(pos, text)
	case strings.HasPrefix(text, `:"`), strings.HasPrefix(text, ":'"):
		return symbol(b.text(position{pos.line, pos.column + 1}, text[1:]))
	case text[0] == ':':
		return symbol(text[1:])
	case text[0] == '%':
		return b.words(pos, text)
	}
	return b.number(pos, text)
}

func (b *builder) text(pos position, quoted string) string {
	s, err := unquote(quoted)
	if err != nil {
		chars := len([]rune(quoted[:err.offset]))
		b.fail(position{pos.line, pos.column + chars}, err.message, err.hint)
	}
	return s
}

// words reads %w[a b] and %i[a b].
func (b *builder) words(pos position, text string) list {
	out := list{}
	if strings.Contains(text, "#{") && (text[1] == 'W' || text[1] == 'I') {
		b.fail(pos, "an array with #{ would need Ruby to run", "write the words themselves")
	}
	if strings.Contains(text, `\`) {
		b.fail(pos, "a backslash in "+text[:2]+" is not read here", "write an array of quoted strings")
	}
	for _, w := range strings.Fields(text[3 : len(text)-1]) {
		if text[1] == 'i' || text[1] == 'I' {
			out = append(out, node{pos, symbol(w)})
		} else {
			out = append(out, node{pos, w})
		}
	}
	return out
}

func (b *builder) number(pos position, text string) any {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return n
	} else if errors.Is(err, strconv.ErrRange) {
		b.fail(pos, "the number "+text+" is too large", "no setting needs one of this size")
		return int64(0)
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil || !strings.ContainsAny(text, ".eE") {
		b.fail(pos, text+" is not a number", "a leading 0 makes a number octal: leave it out")
	}
	return f
}

func itoa(n int) string { return strconv.Itoa(n) }
