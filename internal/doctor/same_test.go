package doctor

import (
	"context"
	"errors"
	"testing"
)

// TestSameAddress, by address and port, whatever the names.
func TestSameAddress(t *testing.T) {
	lookup := func(_ context.Context, host string) ([]string, error) {
		known := map[string][]string{"a": {"10.0.0.1", "10.0.0.2"}, "b": {"10.0.0.2"}, "c": {"10.0.0.3"}}
		if known[host] == nil {
			return nil, errors.New("no such host")
		}
		return known[host], nil
	}
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"https://a", "https://b/", true},
		{"https://a:443", "https://b", true},
		{"http://a", "http://b:80", true},
		{"https://a:8443", "https://b", false},
		{"https://b", "https://c", false},
		{"https://x", "https://x", false}, // neither can be resolved
		{"://", "https://b", false},
	} {
		if got := sameAddress(t.Context(), lookup, tt.a, tt.b); got != tt.want {
			t.Errorf("%s and %s: %t", tt.a, tt.b, got)
		}
	}
}
