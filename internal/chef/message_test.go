package chef

import (
	"net/http"
	"strings"
	"testing"
)

// A proxy may quote the token that it does not like: header values are secrets.
func TestHeaderValuesAreNotInErrors(t *testing.T) {
	for _, form := range []string{`{"error":["no such token: Basic dG9wc2VjcmV0"]}`, "<html><title>dG9wc2VjcmV0 is not known</title></html>"} {
		c := testClient(t, says(http.StatusUnauthorized, form), func(o *Options) {
			o.Header = http.Header{"Authorization": {"Basic dG9wc2VjcmV0"}}
		})
		_, err := c.ListRoles(t.Context())
		if err == nil || strings.Contains(err.Error(), "dG9wc2VjcmV0") || !strings.Contains(err.Error(), "…") {
			t.Errorf("a server that says %s: %v; want its words without the token", form, err)
		}
	}
}

// TestWordsOfTheServer: what may hold a piece of an object is left out, and what the
// path says anyway is not.
func TestWordsOfTheServer(t *testing.T) {
	sent := []byte(`{"name":"database","a":"hunter","b":"hunter2","c":{"d":["hunter22"]},"e":"abc"}`)
	for _, tt := range []struct{ says, want string }{
		{"role database is bad", "role database is bad"},
		{"bad value hunter22", "bad value …"},
		{"bad value hunter2, abc", "bad value …, abc"},
		{`the stored object {"password":"kept before"} is bad`, "the stored object …"},
		{"bad " + strings.Repeat("Ab1+", 12), "bad …"},
		{"checksum " + strings.Repeat("0a", 32), "checksum " + strings.Repeat("0a", 32)},
	} {
		if got := clean(tt.says, sent, "/organizations/acme/roles/database"); got != tt.want {
			t.Errorf("%q is %q, want %q", tt.says, got, tt.want)
		}
	}
}
