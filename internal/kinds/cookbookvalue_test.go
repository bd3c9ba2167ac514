package kinds

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// TestCookbookValue changes a manifest in every way that its digest notices or
// does not: the value has to notice the same.
func TestCookbookValue(t *testing.T) {
	view := func(doc string) any {
		v, err := Value(Object{Ref: object.MustRef("/cookbooks/c/1.0.0"), Raw: json.RawMessage(doc)})
		if err != nil {
			t.Fatalf("%v: %s", err, doc)
		}
		return v
	}
	const first = `{"name":"recipes/default.rb","path":"recipes/default.rb","checksum":"11111111111111111111111111111111","specificity":"default","url":"https://a/1?sig=x"}`
	docs := []string{manifest}
	for _, change := range [][2]string{
		{`"name":"recipes/default.rb"`, `"name":"default.rb"`},
		{`https://a/1?sig=x`, `https://b/9`},
		{first, first + "," + first},
		{first, first + "," + strings.Replace(first, "1111", "3333", 1)},
		{first, strings.Replace(first, "1111", "3333", 1) + "," + first},
		{`"n":12345678901234567890`, `"n":12345678901234567890,"long_description":""`},
		{`"n":12345678901234567890`, `"n":12345678901234567890,"long_description":"x"`},
		{`"n":12345678901234567890`, `"n":12345678901234567891`},
		{`"frozen?":false`, `"frozen?":true`},
		{`"metadata"`, `"metadatum"`},
		{`"path":"README.md"`, `"path":"README"`},
		{`2222222222"`, `2222222223"`},
		{`"specificity":"default","url":"https://a/2"`, `"specificity":"host-web","url":"https://a/2"`},
		{"," + first, ""}, {first + ",", ""},
	} {
		docs = append(docs, strings.Replace(manifest, change[0], change[1], 1))
	}
	for _, a := range docs {
		for _, b := range docs {
			fields := plan.Fields(view(a), view(b))
			if equal := digestOf(t, a) == digestOf(t, b); equal != (len(fields) == 0) {
				t.Errorf("equal digests: %v; fields %v of\n%s\n%s", equal, fields, a, b)
			}
		}
	}
}
