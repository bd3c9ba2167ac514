package changelog

import (
	"errors"
	"testing"

	"github.com/chef-sync/chef-sync/internal/object"
)

// FuzzPage asks for any page of any organization: the answer is a page in order,
// or one of the errors that are told of.
func FuzzPage(f *testing.F) {
	f.Add("acme", int64(0), 0)
	f.Add("acme", int64(1), 1)
	f.Add("acme", int64(-1), -1)
	f.Add("nobody", int64(1)<<62, 1<<30)
	f.Add("acme'; DROP TABLE orgs; --", int64(3), 5)
	f.Add("\x00\xff", int64(9), 9)
	k := start(f, InstallOptions{})
	for _, name := range []string{"a", "b", "c", "d"} {
		k.chef.add("roles", name)
	}
	k.chef.remove("roles", "b")
	if _, err := k.c.pass(f.Context(), k.pool, true); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, org string, seq int64, limit int) {
		p, err := k.log.Page(t.Context(), org, seq, limit)
		switch {
		case seq < 0 || limit < 0:
			if err == nil {
				t.Errorf("page after %d, limit %d: no error", seq, limit)
			}
			return
		case err != nil && (errors.Is(err, ErrNotInstalled) || errors.Is(err, ErrNotReady)):
			t.Errorf("page of %q after %d: %v", org, seq, err)
		case err == nil && org != "acme":
			t.Errorf("there is an organization %q", org)
		case org == "acme" && err != nil && !errors.Is(err, ErrGone):
			t.Errorf("page after %d, limit %d: %v", seq, limit, err)
		case errors.Is(err, ErrGone) && (len(p.Entries) > 0 || seq <= p.Head && seq >= p.Floor):
			t.Errorf("page after %d is gone, and it is %+v", seq, p)
		}
		if limit > 0 && len(p.Entries) > limit {
			t.Errorf("%d entries, limit %d", len(p.Entries), limit)
		}
		last := seq
		for _, e := range p.Entries {
			if e.ID <= last || e.ID > p.Head {
				t.Errorf("entry %d after %d, head %d", e.ID, last, p.Head)
			}
			if _, err := object.ParseRef(e.Path); err != nil {
				t.Error(err)
			}
			last = e.ID
		}
	})
}

// FuzzTables feeds names through the SQL of a path and reads it as package
// object does.
func FuzzTables(f *testing.F) {
	for i, name := range []string{"a", "a:b", "A.b_c-d", "%s", "'", "..", "\u00e4", "a b"} {
		f.Add(i, name, "x")
	}
	k := start(f, InstallOptions{})
	f.Fuzz(func(t *testing.T, i int, name, sub string) {
		all := []object.Kind{object.KindRole, object.KindDataBagItem, object.KindPolicyRevision, object.KindPolicyPointer, object.KindArtifact, object.KindClient}
		kind := all[uint(i)%uint(len(all))]
		ref := object.NewRef(kind, name, sub)
		if _, err := object.ParseRef(ref.Path()); err != nil {
			return // no name of Chef's
		}
		exprs := []string{"$1::text", "$2::text"}
		sql := path(kind, exprs...)
		if ref.Sub == "" {
			sql = path(kind, exprs[0]) + " || left($2, 0)"
		}
		var got string
		if err := k.pool.QueryRow(t.Context(), "SELECT "+sql, name, sub).Scan(&got); err != nil || got != ref.Path() {
			t.Errorf("%s of %q, %q: %q, %v; want %q", kind, name, sub, got, err, ref.Path())
		}
	})
}
