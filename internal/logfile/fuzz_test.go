package logfile

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzParse: every line is kept as it was, and one that is understood is an object of
// JSON with a time, each of whose values is found.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		`{"time":"2026-11-23T12:00:00Z","level":"WARN","msg":"m","org":"acme","n":12345678901234567890}`,
		`{"time":"2026-11-23T12:00:00.5+01:00","g":{"a":{"b":[1,{"c":2}]},"e":{}},"x":null}`, `{"time":"x"`, `{`, ``, `{"time":1}`, `[]`, `{"time":"2026-11-23T12:00:00Z"}}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		l := Parse(line)
		if !bytes.Equal(l.Raw, line) {
			t.Fatalf("%q is kept as %q", line, l.Raw)
		}
		if !l.Parsed() {
			if l.Message != "" || l.Attrs != nil || l.Level != 0 {
				t.Errorf("%q was not understood, and says %+v", line, l)
			}
			return
		}
		var first json.RawMessage
		if err := json.NewDecoder(bytes.NewReader(line)).Decode(&first); err != nil {
			t.Errorf("%q is no JSON (%v), and was understood as %+v", line, err, l)
		}
		for _, a := range l.Attrs {
			if strings.HasPrefix(a.Value, "{") && json.Valid([]byte(a.Value)) && !strings.Contains(string(line), `"{`) && !strings.Contains(string(line), `\u`) {
				t.Errorf("%q: the group %s was not taken apart", line, a.Key)
			}
		}
	})
}
