package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Field is one place in which two JSON documents differ.
type Field struct {
	// Path is a JSON pointer (RFC 6901): /default_attributes/nginx/port. "" is the
	// document itself.
	Path string `json:"path"`

	// Primary and Replica are the values as JSON; "" where a side has none.
	Primary string `json:"primary,omitempty"`
	Replica string `json:"replica,omitempty"`
}

// Fields returns the places in which two decoded documents differ, as deep inside
// as both have objects or arrays there: none if and only if [DigestValue] of both
// is equal. They come in the order of keys and indexes. A value that only one side
// has is one field, with all that is in it.
//
// Arrays are compared by index. Where their lengths differ, what the two end with
// in common is left out first, so that an element more at the beginning is one
// field and not all that follow it; an index is then that of the array which has
// the value.
//
// The types of values are those of DigestValue; others panic.
// Source: https://www.rfc-editor.org/rfc/rfc6901
func Fields(primary, replica any) []Field {
	var d differ
	d.values("", primary, replica)
	return d.out
}

// differ gathers fields.
type differ struct{ out []Field }

func (d *differ) values(path string, p, r any) {
	switch p := p.(type) {
	case map[string]any:
		if r, ok := r.(map[string]any); ok {
			d.objects(path, p, r)
			return
		}
	case []any:
		if r, ok := r.([]any); ok {
			d.arrays(path, p, r)
			return
		}
	}
	if !same(p, r) {
		d.out = append(d.out, Field{Path: path, Primary: text(p), Replica: text(r)})
	}
}

func (d *differ) objects(path string, p, r map[string]any) {
	for _, key := range keysOf(p, r) {
		pv, inPrimary := p[key]
		rv, inReplica := r[key]
		d.place(path+"/"+pointerEscapes.Replace(key), pv, inPrimary, rv, inReplica)
	}
}

func (d *differ) arrays(path string, p, r []any) {
	if len(p) != len(r) {
		begin := 0
		for begin < min(len(p), len(r)) && same(p[begin], r[begin]) {
			begin++
		}
		for len(p) > begin && len(r) > begin && same(p[len(p)-1], r[len(r)-1]) {
			p, r = p[:len(p)-1], r[:len(r)-1]
		}
	}
	for i := range max(len(p), len(r)) {
		var pv, rv any
		if i < len(p) {
			pv = p[i]
		}
		if i < len(r) {
			rv = r[i]
		}
		d.place(path+"/"+strconv.Itoa(i), pv, i < len(p), rv, i < len(r))
	}
}

// place compares what stands in one place, where a side may have nothing.
func (d *differ) place(path string, p any, inPrimary bool, r any, inReplica bool) {
	switch {
	case inPrimary && inReplica:
		d.values(path, p, r)
	case inPrimary:
		d.out = append(d.out, Field{Path: path, Primary: text(p)})
	case inReplica:
		d.out = append(d.out, Field{Path: path, Replica: text(r)})
	}
}

// pointerEscapes escapes a key for a JSON pointer.
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// keysOf returns the keys of both, sorted, each once.
func keysOf(a, b map[string]any) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

// same reports whether two values are equal as [canonical] spells them.
func same(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool, string:
		return a == b
	case json.Number:
		b, ok := b.(json.Number)
		return ok && number(string(a)) == number(string(b))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, same)
	default:
		panic(fmt.Sprintf("plan: fields of a %T", a))
	}
}

// text is a value as JSON on one line, its keys sorted, for people to read.
func text(v any) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("plan: fields: %v", err)) // of these types all can be encoded
	}
	return strings.TrimSuffix(out.String(), "\n")
}
