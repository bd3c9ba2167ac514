package plan_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/chef-sync/chef-sync/internal/plan"
)

func decodeDoc(t *testing.T, doc string) any {
	t.Helper()
	v, err := plan.Decode(json.RawMessage(doc))
	if err != nil {
		t.Fatalf("Decode(%s): %v", doc, err)
	}
	return v
}

func TestFields(t *testing.T) {
	for _, tt := range []struct {
		primary, replica string
		want             []plan.Field
	}{
		{`{"a":1,"b":[1.50]}`, `{"b":[1.5],"a":1}`, nil},
		{`0`, `-0`, nil},
		{`1`, `1.0`, []plan.Field{{"", "1", "1.0"}}},
		{`12345678901234567890`, `12345678901234567891`, []plan.Field{{"", "12345678901234567890", "12345678901234567891"}}},
		{`{"b":1,"a":{"x":"<&>"}}`, `{"b":2,"a":{"x":"y"}}`, []plan.Field{{"/a/x", `"<&>"`, `"y"`}, {"/b", "1", "2"}}},
		{`{"a":{"y":2,"x":1}}`, `{}`, []plan.Field{{"/a", `{"x":1,"y":2}`, ""}}},
		{`{}`, `{"a":null}`, []plan.Field{{"/a", "", "null"}}},
		{`{"a":""}`, `{"a":null}`, []plan.Field{{"/a", `""`, "null"}}},
		{`{"a":{}}`, `{"a":[]}`, []plan.Field{{"/a", "{}", "[]"}}},
		{`{"a/b":{"m~n":1,"":2}}`, `{"a/b":{"m~n":2,"":3}}`, []plan.Field{{"/a~1b/", "2", "3"}, {"/a~1b/m~0n", "1", "2"}}},

		{`[1,2,3]`, `[1,9,3]`, []plan.Field{{"/1", "2", "9"}}},
		{`["x","a","b"]`, `["a","b"]`, []plan.Field{{"/0", `"x"`, ""}}},
		{`["a","b"]`, `["a","x","y","b"]`, []plan.Field{{"/1", "", `"x"`}, {"/2", "", `"y"`}}},
		{`["a"]`, `["a","b"]`, []plan.Field{{"/1", "", `"b"`}}},
		{`["a","a"]`, `["a","a","a"]`, []plan.Field{{"/2", "", `"a"`}}},
		{`[]`, `[[]]`, []plan.Field{{"/0", "", "[]"}}},
		{`["q",{"k":1},"z"]`, `[{"k":2},"z"]`, []plan.Field{{"/0", `"q"`, `{"k":2}`}, {"/1", `{"k":1}`, ""}}},
		{
			`[0,1,2,3,4,5,6,7,8,9,10]`, `[0,1,"x",3,4,5,6,7,8,9,"y"]`,
			[]plan.Field{{"/2", "2", `"x"`}, {"/10", "10", `"y"`}},
		},
	} {
		got := plan.Fields(decodeDoc(t, tt.primary), decodeDoc(t, tt.replica))
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Fields(%s, %s) (-want +got):\n%s", tt.primary, tt.replica, diff)
		}
	}
}

func TestFieldsPanicsOnOtherTypes(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Fields of ints does not panic")
		}
	}()
	plan.Fields(1, 2)
}

// checkFields says what is wrong with the fields of two documents; "" if nothing.
func checkFields(a, b any) string {
	fields := plan.Fields(a, b)
	if equal := plan.DigestValue(a) == plan.DigestValue(b); equal != (len(fields) == 0) {
		return "the digests and the fields disagree"
	}
	if !reflect.DeepEqual(fields, plan.Fields(a, b)) {
		return "two runs give two lists"
	}
	back := plan.Fields(b, a)
	if len(back) != len(fields) {
		return "the other way round there are more or fewer"
	}
	seen := map[string]bool{}
	for i, f := range fields {
		if back[i] != (plan.Field{Path: f.Path, Primary: f.Replica, Replica: f.Primary}) {
			return "the other way round they are others: " + f.Path
		}
		if seen[f.Path] || f.Primary == "" && f.Replica == "" {
			return "a field stands twice or is empty: " + f.Path
		}
		seen[f.Path] = true
	}
	return ""
}

// TestFieldsProperty: there are fields exactly where digests differ, of any two
// documents and of two that have much in common.
func TestFieldsProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := genValue(3).Draw(t, "a"), genValue(3).Draw(t, "b")
		shared := genValue(2).Draw(t, "shared")
		for _, pair := range [][2]any{
			{a, b},
			{a, a},
			{map[string]any{"x": shared, "y": a}, map[string]any{"x": shared, "y": b}},
			{[]any{a, shared, b}, []any{shared, b}},
			{[]any{shared, a}, []any{shared, a, b}},
		} {
			if wrong := checkFields(pair[0], pair[1]); wrong != "" {
				t.Fatalf("%v and %v: %s", pair[0], pair[1], wrong)
			}
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add(`{"a":[1,2.50,null]}`, `{"a":[2.5,null]}`)
	f.Add(`{"a/b":{"~":1e400}}`, `{"a/b":{"~":1e401}}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := plan.Decode(json.RawMessage(a))
		if err != nil {
			t.Skip()
		}
		y, err := plan.Decode(json.RawMessage(b))
		if err != nil {
			t.Skip()
		}
		if wrong := checkFields(x, y); wrong != "" {
			t.Errorf("%s and %s: %s", a, b, wrong)
		}
	})
}
