package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/chef-sync/chef-sync/internal/object"
)

// Digest returns the digest of a JSON document's meaning. Two documents have
// one digest if they differ only in white space, order of keys, escapes in
// strings, and the spelling of floats (1.50 and 1.5; Chef servers reprint
// them). Integers count with every digit, and the integer 1 is not the float
// 1.0, because Ruby divides them differently.
//
// Of a key that stands twice in one object the last one counts, as for every
// Chef client. A float beyond 64 bits equals only its own spelling. Text that is
// no Unicode, such as half of a surrogate pair, counts as U+FFFD. Returns an
// error if doc is not exactly one JSON value.
func Digest(doc json.RawMessage) (object.Digest, error) {
	v, err := Decode(doc)
	if err != nil {
		return "", err
	}
	return DigestValue(v), nil
}

// Decode decodes exactly one JSON value and keeps every digit of its numbers
// (json.Number). The error holds nothing of the document.
func Decode(doc json.RawMessage) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode a document: not JSON at byte %d of %d", dec.InputOffset(), len(doc))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("decode a document: more than one JSON value")
	}
	return v, nil
}

// DigestValue is [Digest] for a decoded value: nil, bool, string, json.Number,
// []any and map[string]any, as a decoder with UseNumber gives them. Other types
// panic.
func DigestValue(v any) object.Digest {
	h := sha256.New()
	canonical(h, v)
	return object.Digest(hex.EncodeToString(h.Sum(nil)[:16]))
}

// canonical writes v in one spelling. The result is hashed only, never parsed,
// so it need not be JSON, but no two values may share one.
func canonical(w io.Writer, v any) {
	switch v := v.(type) {
	case nil:
		io.WriteString(w, "n")
	case bool:
		fmt.Fprintf(w, "b%t", v)
	case string:
		fmt.Fprintf(w, "s%d:%s", len(v), v)
	case json.Number:
		n := number(string(v))
		fmt.Fprintf(w, "#%d:%s", len(n), n)
	case []any:
		fmt.Fprintf(w, "[%d", len(v))
		for _, e := range v {
			canonical(w, e)
		}
	case map[string]any:
		fmt.Fprintf(w, "{%d", len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			canonical(w, k)
			canonical(w, v[k])
		}
	default:
		panic(fmt.Sprintf("plan: digest of a %T", v))
	}
}

// number returns one spelling per number: integers as they are, floats in the
// shortest form that gives the same 64-bit value, with an exponent always.
func number(s string) string {
	if !strings.ContainsAny(s, ".eE") {
		if s == "-0" {
			return "0"
		}
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil { // out of range: only the same text is the same number
		return s
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}
