package kinds

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// wantAgreement checks that there are fields exactly where digests differ.
func wantAgreement(t *testing.T, objects []Object) {
	t.Helper()
	for _, a := range objects {
		for _, b := range objects {
			x, xerr := Value(a)
			y, yerr := Value(b)
			if xerr != nil || yerr != nil {
				t.Fatal(xerr, yerr)
			}
			if fields := plan.Fields(x, y); (a.Digest == b.Digest) != (len(fields) == 0) {
				t.Errorf("equal digests: %v; fields %v of\n%s\n%s", a.Digest == b.Digest, fields, a.Raw, b.Raw)
			}
		}
	}
}

// must makes an object of a body.
func must(t *testing.T, path string, body any) Object {
	t.Helper()
	o, err := document(object.MustRef(path), body)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestRightsValues(t *testing.T) {
	var groups, acls []Object
	for _, users := range [][]string{{}, {"a"}, {"a", "b"}, {"b"}} {
		groups = append(groups, must(t, "/groups/g", groupBody{Name: "g", Users: users, Clients: []string{}, Groups: []string{"x"}}),
			must(t, "/groups/g", groupBody{Name: "g", Users: []string{}, Clients: users, Groups: []string{"x"}}))
		acls = append(acls, must(t, "/roles/r/_acl", eachAllowed(chef.ACL{}, func(p chef.Permission, _ chef.Allowed) chef.Allowed {
			if p == chef.Permissions()[0] {
				return chef.Allowed{Users: users}
			}
			return chef.Allowed{}
		})))
	}
	wantAgreement(t, groups)
	wantAgreement(t, acls)
}

func TestClientValues(t *testing.T) {
	var seen []Object
	for _, body := range []clientBody{
		{Name: "c"},
		{Name: "c", Validator: true},
		{Name: "c", Keys: []chef.ClientKey{{Name: "default", PublicKey: "a b", ExpirationDate: "infinity"}}},
		{Name: "c", Keys: []chef.ClientKey{{Name: "default", PublicKey: "a\nb\n", ExpirationDate: "infinity"}}},
		{Name: "c", Keys: []chef.ClientKey{{Name: "default", PublicKey: "c", ExpirationDate: "infinity"}}},
		{Name: "c", Keys: []chef.ClientKey{{Name: "default", PublicKey: "a b", ExpirationDate: "2027-01-01T00:00:00Z"}}},
		{Name: "c", Keys: []chef.ClientKey{{Name: "other", PublicKey: "a b", ExpirationDate: "infinity"}}},
	} {
		if body.Keys == nil {
			body.Keys = []chef.ClientKey{}
		}
		o, err := clientObject(object.MustRef("/clients/c"), body)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, o)
	}
	wantAgreement(t, seen)
	got, err := Value(seen[2])
	want := map[string]any{"name": "c", "validator": false, "keys": map[string]any{"default": map[string]any{
		"expiration_date": "infinity", "public_key": fmt.Sprintf("sha256:%s", "c8687a08aa5d6ed2044328fa6a697ab8e96dc34291e8c2034ae8c38e6fcc6d65"),
	}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Value: %v (-want +got):\n%s", err, diff)
	}
}
