package traces

import (
	"net/url"
	"slices"
	"strings"
)

// longest is how much of an error is logged, in bytes; a collector may say anything.
const longest = 300

// secrets are what the log must not repeat: the header fields that are sent to the
// collector, a token say.
type secrets struct {
	values    []string
	malformed string // the variable that has a part that is none; "" if all are
}

// secretsOf reads the variables that hold header fields.
func secretsOf(env func(string) string) secrets {
	var s secrets
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for _, part := range strings.Split(env(name), ",") {
			if strings.TrimSpace(part) == "" {
				continue
			}
			_, value, ok := strings.Cut(part, "=")
			if !ok {
				s.malformed, value = name, part
			}
			s.add(value)
			if plain, err := url.PathUnescape(value); err == nil {
				s.add(plain)
			}
		}
	}
	// The longest first: one may be a part of another.
	slices.SortFunc(s.values, func(a, b string) int { return len(b) - len(a) })
	return s
}

// add adds a value, and its words: "Bearer TOKEN" may be quoted in part.
func (s *secrets) add(value string) {
	for _, v := range append(strings.Fields(value), strings.TrimSpace(value)) {
		if v != "" {
			s.values = append(s.values, v)
		}
	}
}

// hide returns a text without what is secret.
func (s secrets) hide(text string) string {
	for _, v := range s.values {
		text = strings.ReplaceAll(text, v, "***")
	}
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}
