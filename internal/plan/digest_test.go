package plan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chef-sync/chef-sync/internal/plan"
)

func digest(t interface {
	Helper()
	Fatalf(string, ...any)
}, doc string) string {
	t.Helper()
	d, err := plan.Digest(json.RawMessage(doc))
	if err != nil || !d.Known() {
		t.Fatalf("Digest(%s) = %q, %v", doc, d, err)
	}
	return string(d)
}

func TestDigestEqual(t *testing.T) {
	for _, tt := range [][]string{
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, " {\n\t\"a\" : 1 , \"b\":2 }\r\n"},
		{`{"a":{"b":{"c":[1,{"d":2,"e":3}]}}}`, `{"a":{"b":{"c":[1,{"e":3,"d":2}]}}}`},
		{`1.5`, `1.50`, `15e-1`, `0.15E1`, `1.5e0`, `1.5000000000000000000000000001`},
		{`1e3`, `1000.0`, `1E+3`, `1.0e03`},
		{`0`, `-0`},
		{`0.0`, `0e0`, `0.000`},
		{`0.1`, `0.1000000000000000055511151231257827`},
		{`1e400`, `1e400`},
		{`{"a":1,"a":2}`, `{"a":2}`},
		{`{"a":{"x":1},"a":{"y":2}}`, `{"a":{"y":2}}`}, // replaced, not merged
		{`"\u0041\/\n"`, `"A/\u000a"`},
		{`"\u00e9"`, `"é"`},
		{`"\ud83d\ude00"`, `"😀"`, `"\uD83D\uDE00"`},
		{`"\u2028<>&"`, "\"\u2028\\u003c\\u003E\\u0026\""},
		{`{"\u0061":1}`, `{"a":1}`},
	} {
		for _, doc := range tt[1:] {
			if digest(t, tt[0]) != digest(t, doc) {
				t.Errorf("%s and %s differ", tt[0], doc)
			}
		}
	}
}

// TestDigestDifferent has documents that may not be taken for one another, all
// compared with all.
func TestDigestDifferent(t *testing.T) {
	seen := map[string]string{}
	for _, doc := range []string{
		`null`, `true`, `false`, `0`, `1`, `-1`, `"0"`, `"1"`, `""`, `[]`, `{}`, `"null"`, `"true"`, `[null]`, `[[]]`, `[{}]`, `{"":null}`, `{"":{}}`,
		`0.0`, `-0.0`, `1.0`, `1.5`, `"1.5"`, `1.25`, `1e400`, `-1e400`, `1e401`, `1e-300`,
		`12345678901234567890`, `12345678901234567891`, `12345678901234567890.0`, `100000000000000000000000000000000000000001`,
		`9007199254740992`, `9007199254740993`, `[1,2]`, `[2,1]`, `[12]`, `[1,[2]]`, `[[1],2]`, `[1,2,[]]`, `["1,2"]`, `["1","2"]`, `["12"]`, `["","12"]`,
		`{"a":"b"}`, `{"b":"a"}`, `{"a":1,"b":2}`, `{"a":2,"b":1}`, `{"ab":1}`, `{"a":{"b":1}}`, `{"a":["b",1]}`, `["a","b"]`, `["a",1]`, `{"A":1}`, `{"a":1}`,
		`{"a":null}`, `{"a":[]}`, `{"a":{}}`, `{"a":""}`, `{"a":false}`, `{"a":0}`,
		`"a"`, `"A"`, `"a "`, `"a\u0000"`, `"\u0000"`, `"é"`, `"e\u0301"`, `"s1:a"`, `"n"`, `"#1:1"`, `"\\u0041"`, `"\\"`, `"\""`,
	} {
		d := digest(t, doc)
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have one digest", doc, other)
		}
		seen[d] = doc
	}
}

// TestDigestIsStable: digests are kept, in lists and in staging. Another one for
// the same document makes every pair compare everything.
func TestDigestIsStable(t *testing.T) {
	const want = "76f99ed2687e4502ec257427d0d7b1bc"
	if got := digest(t, `{"id":"a","n":[1,1.50,null,true]}`); got != want {
		t.Errorf("Digest = %q; want %q", got, want)
	}
}

func TestDigestErrors(t *testing.T) {
	deep := strings.Repeat("[", 20000) + strings.Repeat("]", 20000)
	for _, doc := range []string{
		"", " ", "{", "}", "[1,]", `{"a"}`, `{"secret":1} x`, `{"secret":1}{}`, `1 2`, `"secret`, "nul", "NaN", "+1", "01", "1.", ".5", `{'secret':1}`, "\xef\xbb\xbf{}", deep,
	} {
		d, err := plan.Digest(json.RawMessage(doc))
		if err == nil || d.Known() {
			t.Errorf("Digest(%.20q) = %q, %v; want an error", doc, d, err)
			continue
		}
		if strings.Contains(err.Error(), "secret") || len(err.Error()) > 100 {
			t.Errorf("the error holds the document: %v", err)
		}
	}
}

func TestDigestValuePanicsOnOtherTypes(t *testing.T) {
	for _, v := range []any{1, 1.5, struct{}{}, []string{"a"}, map[string]int{}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("DigestValue(%T) does not panic", v)
				}
			}()
			plan.DigestValue(v)
		}()
	}
}

// genValue draws a document that Chef could hold.
func genValue(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.String(), func(s string) any { return strings.ToValidUTF8(s, "?") }),
		rapid.Map(rapid.Int64(), func(n int64) any { return json.Number(fmt.Sprint(n)) }),
		rapid.Map(rapid.StringMatching(`-?[1-9][0-9]{0,40}`), func(s string) any { return json.Number(s) }),
		rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,5})\.[0-9]{1,5}([eE][+-]?[0-9]{1,2})?`), func(s string) any { return json.Number(s) }),
	)
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(
		leaf,
		rapid.Map(rapid.SliceOfN(genValue(depth-1), 0, 4), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(rapid.StringN(0, 4, -1), genValue(depth-1), 0, 4), func(m map[string]any) any { return m }),
	)
}

// spell prints v in one of many ways: order of keys, white space, escapes.
func spell(b *bytes.Buffer, r *rand.Rand, v any) {
	b.WriteString([]string{"", " ", "\n\t"}[r.IntN(3)])
	switch v := v.(type) {
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			spell(b, r, e)
		}
		b.WriteByte(']')
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		b.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				b.WriteByte(',')
			}
			spellString(b, r, k)
			b.WriteByte(':')
			spell(b, r, v[k])
		}
		b.WriteByte('}')
	case string:
		spellString(b, r, v)
	case json.Number:
		b.WriteString(string(v))
	default:
		fmt.Fprint(b, map[any]string{nil: "null", true: "true", false: "false"}[v])
	}
	b.WriteString([]string{"", " ", "\r\n"}[r.IntN(3)])
}

func spellString(b *bytes.Buffer, r *rand.Rand, s string) {
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c < 0x10000 && (c < ' ' || c == '"' || c == '\\' || r.IntN(3) == 0):
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
}

func TestDigestIsOfTheMeaning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := genValue(3).Draw(t, "value")
		want := string(plan.DigestValue(v))
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)) //nolint:gosec // not a secret
		for range 3 {
			var b bytes.Buffer
			spell(&b, r, v)
			if got := digest(t, b.String()); got != want {
				t.Fatalf("%s has another digest than its value", b.String())
			}
		}
	})
}

// change makes v another document, in one place.
func change(t *rapid.T, v any) any {
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			return []any{nil}
		}
		out := slices.Clone(v)
		i := rapid.IntRange(0, len(v)-1).Draw(t, "index")
		out[i] = change(t, v[i])
		return out
	case map[string]any:
		out := maps.Clone(v)
		keys := slices.Sorted(maps.Keys(v))
		if len(keys) == 0 || rapid.Bool().Draw(t, "add") {
			out[strings.Repeat("k", 40)] = nil
			return out
		}
		k := rapid.SampledFrom(keys).Draw(t, "key")
		out[k] = change(t, v[k])
		return out
	case string:
		return v + "x"
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			return json.Number("3.25e77") // not drawn
		}
		return v + "0" // ten times as much; 0 becomes 00, which is no number, but another text
	case bool:
		return !v
	default:
		return false
	}
}

func TestDigestOfAnotherDocumentDiffers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := genValue(3).Draw(t, "value")
		w := change(t, v)
		if plan.DigestValue(v) == plan.DigestValue(w) {
			t.Fatalf("%v and %v have one digest", v, w)
		}
	})
}

// FuzzDecode: no panic; whatever encoding/json takes for one value is taken, and
// nothing else; and what is decoded prints as a document of the same digest.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,-0,1e400,null,true,"\ud83d\ude00\ud800"]}`, `1 2`, ``, `[`, `{"a":1,"a":2}`, "\xff", `"\xff"`, `1e-999999999`, `1E9999999999`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		v, err := plan.Decode(doc)
		if (err == nil) != json.Valid(doc) {
			t.Fatalf("Decode(%q) = %v; json.Valid says %v", doc, err, json.Valid(doc))
		}
		if err != nil {
			return
		}
		printed, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := plan.Digest(printed)
		if err != nil || again != plan.DigestValue(v) {
			t.Fatalf("%q printed as %q: %s, %v", doc, printed, again, err)
		}
	})
}
