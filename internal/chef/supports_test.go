package chef

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// TestSupports: a server lacks an endpoint only if it answers another one.
func TestSupports(t *testing.T) {
	empty, page := says(200, ""), says(404, "<html>404</html>")
	for _, tt := range []struct {
		name       string
		asked, all http.HandlerFunc // the endpoint, and environments
		want       bool
		is         error
	}{
		{"there", says(200, "{}"), page, true, nil},
		{"refused", says(403, `{"error":["missing read permission"]}`), page, true, nil},
		{"goiardi", empty, says(200, `{"a":"http://x/a"}`), false, nil},
		{"old", page, says(200, "{}"), false, nil},
		{"absent in JSON", says(404, `{"error":["x"]}`), says(200, "{}"), false, nil},
		{"a proxy that is empty", empty, empty, false, ErrNotChef},
		{"a proxy that knows nothing", page, page, false, ErrNoRoute},
		{"not a member", says(403, `{"error":["'u' not associated with organization 'acme'"]}`), says(200, "{}"), false, ErrNotMember},
	} {
		c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/environments") {
				tt.all(w, r)
				return
			}
			tt.asked(w, r)
		}, noRetries)
		got, err := c.Supports(t.Context(), "policies")
		if got != tt.want || !errors.Is(err, tt.is) || tt.is == nil && err != nil {
			t.Errorf("%s: %t, %v; want %t, %v", tt.name, got, err, tt.want, tt.is)
		}
	}
}
