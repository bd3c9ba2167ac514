package logfile

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"time"
)

// Line is one line of a log.
type Line struct {
	Raw []byte // without the newline

	// The rest is zero of a line that is no JSON: the end of one that a crash cut.
	Time    time.Time
	Level   slog.Level
	Message string
	Attrs   []Attr // in the order of the line; of groups, with a dot between
}

// Attr is an attribute of a line. Value is text as it is, and anything else as JSON.
type Attr struct{ Key, Value string }

// Parsed reports whether the line was understood.
func (l Line) Parsed() bool { return !l.Time.IsZero() }

// Parse reads a line. It keeps raw.
func Parse(raw []byte) Line {
	l := Line{Raw: raw}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return l
	}
	out := l
	if out.object(d, "") != nil || out.Time.IsZero() {
		return l
	}
	return out
}

// object reads the members of an object that has been opened, and its end.
func (l *Line) object(d *json.Decoder, prefix string) error {
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return err
		}
		key := prefix + t.(string) // the decoder lets nothing else be a key
		if strings.HasPrefix(string(v), "{") {
			inner := json.NewDecoder(bytes.NewReader(v))
			inner.UseNumber()
			_, _ = inner.Token() // the brace
			if err := l.object(inner, key+"."); err != nil {
				return err
			}
			continue
		}
		l.set(key, value(v))
	}
	_, err := d.Token()
	return err
}

// value is text as it is, and anything else as JSON.
func value(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

func (l *Line) set(key, value string) {
	switch key {
	case slog.TimeKey:
		l.Time, _ = time.Parse(time.RFC3339Nano, value)
	case slog.LevelKey:
		_ = l.Level.UnmarshalText([]byte(value)) // unknown: INFO
	case slog.MessageKey:
		l.Message = value
	default:
		l.Attrs = append(l.Attrs, Attr{key, value})
	}
}

// Filter chooses lines. The zero value takes all from INFO on.
type Filter struct {
	Level slog.Level
	Since time.Time // zero: since ever
}

// Has reports whether a line is chosen. One that was not understood is, since it may
// be anything.
func (f Filter) Has(l Line) bool {
	return !l.Parsed() || l.Level >= f.Level && !l.Time.Before(f.Since)
}

// over reports whether all lines before l are too old.
func (f Filter) over(l Line) bool { return l.Parsed() && l.Time.Before(f.Since) }
