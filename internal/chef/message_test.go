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
