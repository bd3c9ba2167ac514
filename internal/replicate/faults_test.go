package replicate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// TestOneBadObjectStopsNobody: whatever one server says about one object, the
// others are written, and the failure says which side said what.
func TestOneBadObjectStopsNobody(t *testing.T) {
	status := func(n int) chefserver.Effect { return chefserver.Status(n, `{"error":["bad one"]}`) }
	badFile := "/bookshelf/.*" + sum("new")
	for _, c := range []struct {
		name, side, method, path string
		effect                   chefserver.Effect
		bad, word                string
	}{
		{"400 on POST", "replica", "POST", "/roles$", status(400), "/roles/r", "replica: POST"},
		{"413 on POST", "replica", "POST", "/data/b$", status(413), "/data/b/i", "413"},
		{"500 on POST", "replica", "POST", "/environments$", status(500), "/environments/e", "500"},
		{"403 on POST", "replica", "POST", "/roles$", chefserver.Forbidden("create"), "/roles/r", "403"},
		{"400 on a cookbook", "replica", "PUT", "/cookbooks/c/", status(400), cookbook, "400"},
		{"413 on a file", "replica", "PUT", badFile, chefserver.Status(413, ""), cookbook, "413"},
		{"406 on a file", "replica", "PUT", badFile, chefserver.WrongMD5(), cookbook, "406"},
		{"500 on a file", "replica", "PUT", badFile, chefserver.Status(500, ""), cookbook, "500"},
		{"403 on a read", "primary", "GET", "/roles/r$", chefserver.Forbidden("read"), "/roles/r", "primary: GET"},
		{"500 on a read", "primary", "GET", "/data/b/i$", status(500), "/data/b/i", "primary: GET"},
		{"another object", "primary", "GET", "/roles/r$", chefserver.Status(200, `{"name":"x"}`), "/roles/r", "primary: GET"},
		{"500 on a comparing read", "replica", "GET", "/environments/e$", status(500), "/environments/e", "replica: GET"},
		{"cut on a comparing read", "replica", "GET", "/cookbooks/c/1", chefserver.CutBefore(), cookbook, "replica: GET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			writeEveryKind(r.write, "new")
			r.write.Cookbook("d", "1.0.0", false, map[string]string{"x": "other", "README.md": "same"})
			all := append([]string{"/data/b", "/cookbooks/d/1.0.0"}, everyKind...)
			server := r.replica
			if c.side == "primary" {
				server = r.primary
			}
			rule := fault(server, c.method, c.path, c.effect)
			got, done := r.take(update(all...))
			r.wantFailed(append(got.Failed, done.Failed...), c.word, c.bad)
			if done.Created != len(all)-1 || rule.Hits() == 0 {
				t.Errorf("created %d of %d after %d faults", done.Created, len(all), rule.Hits())
			}
			for file, n := range r.replica.Stats().Uploads {
				if n != 1 {
					t.Errorf("%s was uploaded %d times", file, n)
				}
			}
			rule.Remove()
			r.take(update(c.bad))
			r.inSync()
		})
	}
}

// TestPassingTrouble: what the client retries is not even noticed.
func TestPassingTrouble(t *testing.T) {
	for name, e := range map[string]chefserver.Effect{
		"403": chefserver.Forbidden("create"), "500": chefserver.Status(500, ""), "503": chefserver.Status(503, "{}"),
		"429": chefserver.RetryAfter(429, 0), "cut": chefserver.CutBefore(), "lost acknowledgement": chefserver.CutAfter(),
	} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			t.Run(name+" "+method, func(t *testing.T) {
				r := newRig(t)
				writeEveryKind(r.write, "1")
				for _, s := range []*harness.ChefServer{r.primary, r.replica} {
					once(s, method, "/organizations/acme/.*/", e)
				}
				got, done := r.sync()
				if f := reasons(got.Failed, done.Failed); f != "" {
					t.Error(f)
				}
				r.inSync()
			})
		}
	}
}

// TestDenied: a lack of rights is the pair's trouble if it meets every object.
func TestDenied(t *testing.T) {
	r := newRig(t)
	paths := []string{"/roles/a", "/roles/b", "/roles/c"}
	for _, value := range []string{"old", "new"} {
		for _, name := range []string{"a", "b", "c"} {
			r.write.Role(name, value)
		}
		if value == "old" {
			r.sync()
		}
	}
	f, err := r.Fetch(t.Context(), update(paths...), quiet)
	if err != nil {
		t.Fatal(err)
	}
	apply := func(skip ...string) (replicate.Applied, error) {
		o := replicate.ApplyOptions{Skip: map[object.Ref]bool{}}
		for _, p := range skip {
			o.Skip[object.MustRef(p)] = true
		}
		return r.Apply(t.Context(), f.Batch, o, quiet)
	}
	rule := fault(r.replica, "PUT", "/roles/", chefserver.Forbidden("update"))
	done, err := apply()
	if err != nil {
		t.Errorf("three roles refused by a server that takes other things: %v", err)
	}
	r.wantFailed(done.Failed, "missing update permission", paths...)
	fault(r.replica, "POST", "/sandboxes", chefserver.Forbidden("create"))
	if done, err := apply(); !errors.Is(err, replicate.ErrDenied) {
		t.Errorf("every write refused: %+v, %v; want ErrDenied", done, err)
	}
	done, err = apply("/roles/a")
	if err != nil {
		t.Errorf("two refused after one was written: %v", err)
	}
	r.wantFailed(done.Failed, "missing update permission", "/roles/b", "/roles/c")
	if len(done.Failed) > 0 && done.Failed[0].Hint == "" {
		t.Error("a refusal without a hint")
	}
	one, err := r.Fetch(t.Context(), update("/roles/a"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if done, err = r.Apply(t.Context(), one.Batch, replicate.ApplyOptions{}, quiet); err != nil || len(done.Failed) != 1 {
		t.Errorf("a batch of one refused: %+v, %v; want a failure, since it may be that role only", done, err)
	}
	rule.Remove()
	fault(r.replica, "PUT", "/roles/a", chefserver.Forbidden("update"))
	if done, err = apply(); err != nil || done.Updated != 2 {
		t.Errorf("one of three refused: %+v, %v", done, err)
	}
	r.wantFailed(done.Failed, "missing update permission", "/roles/a")
	fault(r.replica, "DELETE", "/roles/", chefserver.Forbidden("delete"))
	_, err = r.Delete(t.Context(), []object.Ref{object.MustRef("/roles/a"), object.MustRef("/roles/b")}, replicate.ApplyOptions{}, quiet)
	if !errors.Is(err, replicate.ErrDenied) {
		t.Errorf("every delete refused: %v, want ErrDenied", err)
	}
}

// TestDeniedBag: the items of a bag have no rights of their own, so that it is
// about that bag if all of them are refused.
func TestDeniedBag(t *testing.T) {
	r := newRig(t)
	for _, value := range []string{"old", "new"} {
		r.write.Item("secrets", "a", value)
		r.write.Item("secrets", "b", value)
		if value == "old" {
			r.sync()
		}
	}
	f, err := r.Fetch(t.Context(), update("/data/secrets/a", "/data/secrets/b"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	fault(r.replica, "PUT", "/data/secrets/", chefserver.Forbidden("update"))
	done, err := r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{}, quiet)
	if err != nil {
		t.Fatalf("one bag refused: %v; want failures of its items", err)
	}
	r.wantFailed(done.Failed, "missing update permission", "/data/secrets/a", "/data/secrets/b")
}

// operations are what an engine does, on a replica that holds something else.
func operations(r *rig) map[string]func() error {
	return map[string]func() error{
		"fetch": func() error {
			_, err := r.Fetch(r.t.Context(), update("/roles/r", cookbook, "/roles/absent"), quiet)
			return err
		},
		"survey":  func() error { _, err := r.Survey(r.t.Context()); return err },
		"totals":  func() error { _, err := r.Totals(r.t.Context(), object.DefaultKinds()); return err },
		"compare": func() error { _, err := r.Compare(r.t.Context(), quiet); return err },
	}
}

// TestBadPairChangesNothing: what concerns a whole server ends an operation, has
// its class, and leaves the replica alone.
func TestBadPairChangesNothing(t *testing.T) {
	anything := "^/organizations/acme"
	for _, c := range []struct {
		name   string
		effect chefserver.Effect
		class  chef.Class
		is     error
	}{
		{"401", chefserver.Status(401, `{"error":["Failed to authenticate"]}`), chef.ClassPair, chef.ErrCredentials},
		{"clock", chefserver.ClockSkew(), chef.ClassPair, chef.ErrClock},
		{"no organization", chefserver.Status(404, `{"error":["organization 'acme' does not exist."]}`), chef.ClassPair, chef.ErrOrgNotFound},
		{"not a member", chefserver.Status(403, `{"error":["'u' not associated with organization 'acme'"]}`), chef.ClassPair, chef.ErrNotMember},
		{"licence", chefserver.LicenceInvalid(), chef.ClassPair, chef.ErrLicense},
		{"HTML", chefserver.HTMLPage(), chef.ClassPair, chef.ErrNotChef},
		{"empty 200", chefserver.EmptyOK(), chef.ClassPair, chef.ErrNotChef},
		{"other JSON", chefserver.Status(200, `[]`), chef.ClassPair, chef.ErrNotChef},
		{"500", chefserver.Status(500, `{"error":["internal service error"]}`), chef.ClassRetry, nil},
		{"maintenance", chefserver.Status(503, `{"error":["down"]}`), chef.ClassRetry, nil},
		{"cut", chefserver.CutBefore(), chef.ClassRetry, nil},
	} {
		for _, side := range []string{"primary", "replica"} {
			t.Run(c.name+" "+side, func(t *testing.T) {
				r := newRig(t)
				writeEveryKind(r.write, "1")
				staged, err := r.Fetch(t.Context(), update(append([]string{"/data/b"}, everyKind...)...), quiet)
				if err != nil {
					t.Fatal(err)
				}
				harness.Write(t, r.replica.Client).Role("r", "0")
				before := r.snapshot(r.replica)
				server := r.replica
				ops := operations(r)
				if side == "primary" {
					server = r.primary
					delete(ops, "totals")
				} else {
					ops["apply"] = func() error {
						_, err := r.Apply(t.Context(), staged.Batch, replicate.ApplyOptions{}, quiet)
						return err
					}
					ops["delete"] = func() error {
						_, err := r.Delete(t.Context(), []object.Ref{object.MustRef("/roles/r")}, replicate.ApplyOptions{}, quiet)
						return err
					}
				}
				if c.name == "other JSON" { // a write's answer is an echo, and not looked at
					delete(ops, "apply")
					delete(ops, "delete")
				}
				fault(server, "", anything, c.effect)
				for name, op := range ops {
					err := op()
					if err == nil || chef.Classify(err) != c.class || c.is != nil && !errors.Is(err, c.is) {
						t.Errorf("%s: %v, class %v; want class %v, %v", name, err, chef.Classify(err), c.class, c.is)
					}
					if err != nil && !strings.Contains(err.Error(), side) && name != "delete" {
						t.Errorf("%s: %q does not say that it is about the %s", name, err, side)
					}
				}
				if diff := cmp.Diff(before, r.snapshot(r.replica)); diff != "" {
					t.Errorf("the replica was changed:\n%s", diff)
				}
			})
		}
	}
}

// TestStoreDown: files cannot be read or written, and everything else can.
func TestStoreDown(t *testing.T) {
	r := newRig(t)
	files := map[string]string{}
	for i := range 40 {
		files[fmt.Sprint("f", i)] = fmt.Sprint(i)
	}
	r.write.Cookbook("c", "1.0.0", false, files)
	f, err := r.Fetch(t.Context(), create(cookbook), quiet)
	if err != nil {
		t.Fatal(err)
	}
	rule := fault(r.replica, "PUT", "^/bookshelf", chefserver.Status(502, "<html>"))
	_, err = r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{}, quiet)
	if chef.Classify(err) != chef.ClassRetry {
		t.Errorf("store down: %v, class %v; want an error that may pass", err, chef.Classify(err))
	}
	if n := rule.Hits(); n > 40*4-10 {
		t.Errorf("%d requests to a store that is down", n)
	}
	rule.Remove()
	fault(r.replica, "PUT", "^/bookshelf", chefserver.ExpiredURL())
	_, err = r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{Doubt: true}, quiet)
	if !errors.Is(err, chef.ErrURLExpired) {
		t.Errorf("no URL is accepted: %v, want ErrURLExpired", err)
	}
	r.replica.Faults().Clear()
	if _, err := r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{Doubt: true}, quiet); err != nil {
		t.Error(err)
	}
	r.inSync()
}

// TestCancelled: an operation that is cancelled says so, and fails no object.
func TestCancelled(t *testing.T) {
	r := newRig(t)
	r.write.Small()
	ctxFor := func() (context.Context, replicate.Progress) {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		return ctx, func(object.Ref) { cancel() }
	}
	s, err := r.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := ctxFor()
	if _, err := r.Fetch(ctx, s.Writes, stop); !errors.Is(err, context.Canceled) {
		t.Errorf("fetch: %v, want context.Canceled", err)
	}
	f, err := r.Fetch(t.Context(), s.Writes, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop = ctxFor()
	if done, err := r.Apply(ctx, f.Batch, replicate.ApplyOptions{}, stop); !errors.Is(err, context.Canceled) {
		t.Errorf("apply: %+v, %v; want context.Canceled", done, err)
	}
	ctx, stop = ctxFor()
	if c, err := r.Compare(ctx, stop); !errors.Is(err, context.Canceled) {
		t.Errorf("compare: %+v, %v; want context.Canceled", c, err)
	}
	r.sync()
	r.inSync()
}
