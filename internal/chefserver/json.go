package chefserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// A JSON value in this package is one of nil, bool, string, json.Number, []any
// and *object. Numbers keep their digits when they are integers and are printed
// by value when they are not, as erchef's JSON library does: 1.50 becomes 1.5
// and 1e3 becomes 1000.0, while 12345678901234567890 stays as it is.

// object is a JSON object that remembers the order of its keys, because erchef
// answers with the keys in the order in which they were sent.
type object struct {
	keys []string
	vals map[string]any
}

// newObject returns an object of the given key, value, key, value … list.
func newObject(pairs ...any) *object {
	o := &object{vals: make(map[string]any, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		o.set(pairs[i].(string), pairs[i+1])
	}
	return o
}

func (o *object) get(k string) (any, bool) {
	v, ok := o.vals[k]
	return v, ok
}

// str returns the string under k, or "" when there is none or it is no string.
func (o *object) str(k string) string {
	s, _ := o.vals[k].(string)
	return s
}

// set puts v under k: in place when k is there already, at the end otherwise.
func (o *object) set(k string, v any) {
	if _, ok := o.vals[k]; !ok {
		o.keys = append(o.keys, k)
	}
	o.vals[k] = v
}

// setDefault puts v under k unless there is a value already.
func (o *object) setDefault(k string, v any) {
	if _, ok := o.vals[k]; !ok {
		o.set(k, v)
	}
}

func (o *object) remove(k string) {
	if _, ok := o.vals[k]; !ok {
		return
	}
	delete(o.vals, k)
	o.keys = slices.DeleteFunc(o.keys, func(s string) bool { return s == k })
}

// clone copies the object, not the values in it: stored values are never
// changed in place, so they may be shared.
func (o *object) clone() *object {
	c := &object{keys: slices.Clone(o.keys), vals: make(map[string]any, len(o.vals))}
	for k, v := range o.vals {
		c.vals[k] = v
	}
	return c
}

// errJSON is the one error of parseJSON; erchef says no more either.
var errJSON = errors.New("invalid JSON")

// parseJSON reads exactly one JSON value.
func parseJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errJSON
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readValue(d)
	if err != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return v, nil
}

func readValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return readObject(d)
		}
		return readArray(d)
	case json.Number:
		return reprint(t)
	}
	return t, nil
}

func readObject(d *json.Decoder) (any, error) {
	o := newObject()
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := readValue(d)
		if err != nil {
			return nil, err
		}
		o.set(k.(string), v)
	}
	_, err := d.Token()
	return o, err
}

func readArray(d *json.Decoder) (any, error) {
	a := []any{}
	for d.More() {
		v, err := readValue(d)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	_, err := d.Token()
	return a, err
}

// reprint gives a number the spelling erchef stores: integers untouched, others
// as the shortest decimal of their value, with exponents outside 1e-6 … 1e21.
func reprint(n json.Number) (json.Number, error) {
	if !bytes.ContainsAny([]byte(n), ".eE") {
		return n, nil
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return "", err
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		return json.Number(strconv.FormatFloat(f, 'e', -1, 64)), nil
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !bytes.Contains([]byte(s), []byte(".")) {
		s += ".0"
	}
	return json.Number(s), nil
}

// encode prints v with keys in their own order and no white space.
func encode(v any) []byte { return appendValue(nil, v, false) }

// canonical prints v with sorted keys, so that equal values have equal texts.
func canonical(v any) []byte { return appendValue(nil, v, true) }

func appendValue(b []byte, v any, sorted bool) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendString(b, v)
	case json.Number:
		return append(b, v...)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case []string:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, e)
		}
		return append(b, ']')
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, e, sorted)
		}
		return append(b, ']')
	case *object:
		return appendObject(b, v, sorted)
	}
	panic("chefserver: value of a type that is not JSON")
}

func appendObject(b []byte, o *object, sorted bool) []byte {
	keys := o.keys
	if sorted {
		keys = slices.Sorted(slices.Values(keys))
	}
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		b = appendValue(b, o.vals[k], sorted)
	}
	return append(b, '}')
}

const hexDigits = "0123456789abcdef"

// appendString quotes s. Only what JSON demands is escaped: encoding/json would
// also escape <, > and &, which no Chef server does.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}
