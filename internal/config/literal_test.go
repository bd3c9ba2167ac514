package config

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// parseValue reads one literal through the whole parser.
func parseValue(src string) (node, Problems) {
	r := newReader("x.rb")
	s := &splitter{tokens: tokens("x.rb", "name = "+src), failed: r.failed, report: r.fail, known: func(string) bool { return false }}
	statements := s.dropBlocks(s.run())
	if len(statements) == 0 {
		return node{}, r.problems
	}
	a, problems := statements[0].parse()
	if len(problems) > 0 {
		return node{}, append(r.problems, problems...)
	}
	return a.value, r.problems
}

// plain removes positions, for comparing.
func plain(n node) any {
	switch v := n.val.(type) {
	case list:
		out := []any{}
		for _, item := range v {
			out = append(out, plain(item))
		}
		return out
	case hash:
		out := [][2]any{}
		for _, e := range v {
			out = append(out, [2]any{plain(e.key), plain(e.value)})
		}
		return out
	}
	return n.val
}

func TestLiterals(t *testing.T) {
	for src, want := range map[string]any{
		`'it\'s a \\ and \n'`:            `it's a \ and \n`,
		`"a\tb\n\"\\\s\e[0m"`:            "a\tb\n\"\\ \x1b[0m",
		`"\u00e9\u{1F600 41}\x41\101\q"`: "é😀AAAq",
		`"# no, \#{1} #x"`:               "# no, #{1} #x",
		`'#{not run}'`:                   "#{not run}",
		`:a_1?`:                          symbol("a_1?"),
		`:"b c"`:                         symbol("b c"),
		`:'d'`:                           symbol("d"),
		`1_000`:                          int64(1000),
		`-0x1F`:                          int64(-31),
		`0b101`:                          int64(5),
		`0755`:                           int64(493),
		`1_0.5e3`:                        10500.0,
		`1e3`:                            1000.0,
		`true`:                           true,
		`nil`:                            nil,
		`[]`:                             []any{},
		"[ 1,\n [2, # two\n 'x'],\n]":    []any{int64(1), []any{int64(2), "x"}},
		"%w[a b\n c]":                    []any{"a", "b", "c"},
		`%i(a b)`:                        []any{symbol("a"), symbol("b")},
		`((1))`:                          int64(1),
		`{}`:                             [][2]any{},
		"{ :a => 1, 'b' => 2, c: 3, \"d e\": 4,\n}": [][2]any{{symbol("a"), int64(1)}, {"b", int64(2)}, {symbol("c"), int64(3)}, {symbol("d e"), int64(4)}},
	} {
		got, problems := parseValue(src)
		if problems != nil {
			t.Errorf("%s: %v", src, problems)
			continue
		}
		if diff := cmp.Diff(want, plain(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", src, diff)
		}
	}
}

func TestNotLiterals(t *testing.T) {
	for src, want := range map[string]string{
		`"a#{b}"`:                   "#{ would need Ruby",
		`"a#@b"`:                    "#@ would need Ruby",
		"`id`":                      "would need Ruby",
		`$HOME`:                     "would need Ruby",
		`Chef::Config`:              "would need Ruby",
		`1 + 2`:                     "would need Ruby",
		`'a' + 'b'`:                 "would need Ruby",
		`x ? 1 : 2`:                 "would need Ruby",
		`lambda { 1 }`:              "would need Ruby",
		`->(x) { x }`:               "would need Ruby",
		`%w[a#{b}].join`:            "would need Ruby",
		`%W[a#{b}]`:                 "would need Ruby",
		`[1, foo]`:                  "would need Ruby",
		`[1,, 2]`:                   "does not belong here",
		`{ 1 }`:                     "does not belong here",
		`'a`:                        "not closed on its line",
		`"\xzz"`:                    "needs digits",
		`"\u{110000}"`:              "names no character",
		`"\C-a"`:                    "not supported",
		`<<EOS`:                     "heredoc",
		`%q(x)`:                     "is not read here",
		strings.Repeat("[", 10_000): "nested too deeply",
	} {
		_, problems := parseValue(src)
		if len(problems) != 1 || !strings.Contains(problems.Error(), want) {
			t.Errorf("%.40s: problems %q, want one with %q", src, problems, want)
		}
	}
}

// TestPrintedLiteral is the property that reading a printed literal gives it
// back.
func TestPrintedLiteral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genNode(3).Draw(t, "literal")
		got, problems := parseValue(want.String())
		if problems != nil {
			t.Fatalf("%s: %v", want, problems)
		}
		if diff := cmp.Diff(plain(want), plain(got)); diff != "" {
			t.Fatalf("%s read back (-want +got):\n%s", want, diff)
		}
	})
}

// genNode generates literals up to a depth.
func genNode(depth int) *rapid.Generator[node] {
	return rapid.Custom(func(t *rapid.T) node {
		most := 7
		if depth == 0 {
			most = 5
		}
		switch rapid.IntRange(0, most).Draw(t, "type") {
		case 0:
			return node{val: anyString().Draw(t, "string")}
		case 1:
			return node{val: symbol(anyString().Draw(t, "symbol"))}
		case 2:
			return node{val: rapid.Int64().Draw(t, "int")}
		case 3:
			return node{val: rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "float")}
		case 4:
			return node{val: rapid.Bool().Draw(t, "bool")}
		case 5:
			return node{}
		case 6:
			return node{val: list(rapid.SliceOfN(genNode(depth-1), 0, 3).Draw(t, "list"))}
		}
		out := hash{}
		for range rapid.IntRange(0, 3).Draw(t, "entries") {
			out = append(out, entry{genNode(0).Draw(t, "key"), genNode(depth-1).Draw(t, "value")})
		}
		return node{val: out}
	})
}

// anyString generates text, and bytes that are not UTF-8.
func anyString() *rapid.Generator[string] {
	bytes := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
	return rapid.OneOf(rapid.String(), bytes, rapid.StringMatching(`[a-z_]+[?!]?`))
}
