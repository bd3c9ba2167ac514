package feed_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/object"
)

// TestSawBetweenTwoLooks is about a server that compares at intervals. It learns of
// the role late when it is told to look, never of the one that came and went, and
// does not follow nodes.
func TestSawBetweenTwoLooks(t *testing.T) {
	for _, fresh := range []bool{true, false} {
		f := scriptedFor(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/updated_since"):
				for k, v := range ours("3") {
					w.Header().Set(k, v)
				}
				if fresh {
					w.Header().Set("X-Chef-Sync-Fresh", "1")
				}
				list := entries("1 create /roles/known", "2 delete /roles/old")
				if r.URL.Query().Get("fresh") == "1" {
					list = entries("1 create /roles/known", "2 delete /roles/old", "3 create /roles/late")
				}
				fmt.Fprint(w, list)
			case strings.HasSuffix(r.URL.Path, "/roles"):
				fmt.Fprint(w, `{"known":"http://x/roles/known","late":"http://x/roles/late"}`)
			case strings.HasSuffix(r.URL.Path, "/nodes"):
				fmt.Fprint(w, `{"n":"http://x/nodes/n"}`)
			default:
				http.NotFound(w, r)
			}
		})
		refs := []object.Ref{
			object.MustRef("/roles/known"), object.MustRef("/roles/late"), object.MustRef("/roles/blinked"), object.MustRef("/roles/old"),
			object.MustRef("/nodes/n"), object.MustRef("/roles/known/_acl"),
		}
		next, gone, err := f.Saw(t.Context(), at("1", "g/e"), refs)
		want := []object.Ref{object.MustRef("/roles/blinked"), object.MustRef("/roles/old")}
		if !fresh {
			want = nil
		}
		if err != nil || next != at("1", "g/e") || !slices.Equal(gone, want) {
			t.Errorf("fresh %v: Saw = %v, %v, %v; want %v to be gone", fresh, next, gone, err, want)
		}
	}
}
