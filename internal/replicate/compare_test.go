package replicate_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// classic are the kinds that every Chef server holds.
var classic = []object.Kind{object.KindCookbook, object.KindDataBag, object.KindDataBagItem, object.KindRole, object.KindEnvironment}

func TestCompareFindsEveryDifference(t *testing.T) {
	r := newRig(t)
	r.write.Small()
	r.sync()
	r.Wanted.Kinds = classic
	c, err := r.Compare(t.Context(), quiet)
	want := []replicate.KindCount{
		{Kind: object.KindCookbook, Primary: 3, Replica: 3, Equal: 3},
		{Kind: object.KindDataBag, Primary: 2, Replica: 2, Equal: 2},
		{Kind: object.KindDataBagItem, Primary: 5, Replica: 5, Equal: 5},
		{Kind: object.KindRole, Primary: 5, Replica: 5, Equal: 5},
		{Kind: object.KindEnvironment, Primary: 1, Replica: 1, Equal: 1},
	}
	if c.Primary == (plan.Sum{}) || c.Primary != c.Replica {
		t.Errorf("equal servers have the digests %s and %s", c.Primary, c.Replica)
	}
	if diff := cmp.Diff(replicate.Comparison{Counts: want, Files: 4, Primary: c.Primary, Replica: c.Replica}, c); err != nil || diff != "" {
		t.Fatalf("equal servers: %v (-want +got):\n%s", err, diff)
	}

	onReplica := harness.Write(t, r.replica.Client)
	r.write.Role("new", "1")           // missing
	r.write.Role("role0", "changed")   // different
	onReplica.Role("extra", "1")       // extra
	onReplica.Item("private", "i", "") // extra, with its bag
	if err := r.replica.CorruptBlob(harness.Organization, sum("readme")); err != nil {
		t.Fatal(err)
	}
	fault(r.primary, "GET", "/roles/role1$", chefserver.Forbidden("read"))
	fault(r.replica, "GET", "/data/users/user1$", chefserver.Status(500, `{}`))
	r.replica.ResetStats()
	c, err = r.Compare(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range c.Differences {
		for _, shorter := range []string{"replica: file README.md", "primary: GET", "replica: GET"} {
			if regexp.MustCompile("^" + shorter).MatchString(d.What) {
				c.Differences[i].What = shorter
			}
		}
	}
	var got []string
	for _, d := range c.Differences {
		got = append(got, fmt.Sprintf("%s: %s %v", d.Ref, d.What, d.Case == replicate.CaseUnknown))
	}
	wantDiff := []string{
		"/cookbooks/app/1.0.0: replica: file README.md false",
		"/cookbooks/app/1.1.0: replica: file README.md false",
		"/data/private: only on the replica false",
		"/data/private/i: only on the replica false",
		"/data/users/user1: replica: GET true",
		"/roles/extra: only on the replica false",
		"/roles/new: missing on the replica false",
		"/roles/role0: different false",
		"/roles/role1: primary: GET true",
	}
	if diff := cmp.Diff(wantDiff, got); diff != "" || c.Equal() {
		t.Errorf("equal %v; differences (-want +got):\n%s", c.Equal(), diff)
	}
	if c.Primary == c.Replica {
		t.Error("different servers have one digest")
	}
	if r.replica.Stats().WriteTotal() != 0 {
		t.Error("Compare wrote to the replica")
	}
	if n := c.Counts[3]; n != (replicate.KindCount{Kind: object.KindRole, Primary: 6, Replica: 6, Equal: 3}) {
		t.Errorf("roles: %+v", n)
	}
}

// An object that only one side has says so even if it could not be read there:
// whoever repairs must know. Of a file that could not be read the digests of its
// cookbook are known.
func TestCompareSaysWhoHasWhatCannotBeRead(t *testing.T) {
	r := newRig(t)
	r.write.Small()
	r.sync()
	r.write.Role("new", "1")
	harness.Write(t, r.replica.Client).Role("extra", "1")
	fault(r.primary, "GET", "/roles/new$", chefserver.Forbidden("read"))
	fault(r.replica, "GET", "/roles/extra$", chefserver.Forbidden("read"))
	for _, look := range [][]object.Change{
		append(changes(object.ActionDelete, "/roles/extra"), create("/roles/new")...),
		update("/roles/extra", "/roles/new"), // a second look
	} {
		c, err := r.Check(t.Context(), look, replicate.CheckOptions{}, quiet)
		if err != nil || len(c.Differences) != 2 || !c.Unknown() {
			t.Fatalf("%v: %+v", err, c)
		}
		if extra, missing := c.Differences[0].Absent, c.Differences[1].Absent; extra != "primary" || missing != "replica" {
			t.Errorf("absent on the %q and the %q; want primary and replica", extra, missing)
		}
		for _, n := range c.Counts {
			if n.Kind == object.KindRole && (n.Primary != 1 || n.Replica != 1) {
				t.Errorf("counted %+v; want one role on each side", n)
			}
		}
	}
}

// TestCompareEndsWhenAServerGoesDown, instead of calling all objects unknown.
func TestCompareEndsWhenAServerGoesDown(t *testing.T) {
	for _, down := range []string{"primary", "replica"} {
		r := newRig(t)
		r.write.Small()
		r.sync()
		server := map[string]*harness.ChefServer{"primary": r.primary, "replica": r.replica}[down]
		server.Faults().Add(chefserver.Fault{Method: "GET", Skip: 12, Effect: chefserver.Status(503, `{}`)})
		c, err := r.Compare(t.Context(), quiet)
		if err == nil || chef.Classify(err) != chef.ClassRetry {
			t.Errorf("%s down: %+v, %v", down, c.Differences, err)
		}
	}
}

// TestCompareReadsFilesAgain: a download that broke off says nothing about the
// file, nor about the next cookbook that has it.
func TestCompareReadsFilesAgain(t *testing.T) {
	r := newRig(t)
	r.write.Small()
	r.sync()
	r.replica.Faults().Add(chefserver.Fault{
		Method: "GET", Path: regexp.MustCompile("/bookshelf/"), Count: 1, Effect: chefserver.CutBody(1),
	})
	if c, err := r.Compare(t.Context(), quiet); err != nil || !c.Equal() {
		t.Errorf("%+v, %v", c.Differences, err)
	}
}

func TestKindsAreBounded(t *testing.T) {
	r := newRig(t)
	r.write.Small()
	r.Wanted.Kinds = []object.Kind{object.KindRole, object.KindDataBag}
	s, err := r.Survey(t.Context())
	if err != nil || len(s.Writes) != 7 {
		t.Errorf("survey: %v, %v", s.Writes, err)
	}
	if s.Writes[0].Ref.Kind != object.KindDataBag {
		t.Error("the order is not that of writing")
	}
	harness.Write(t, r.replica.Client).Item("extra", "i", "1")
	r.Wanted.Kinds = nil
	if s, err = r.Survey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Extras); got != "[/data/extra/i /data/extra]" {
		t.Errorf("extras %s, want the item before its bag", got)
	}
	if n, err := r.Totals(t.Context(), []object.Kind{object.KindDataBag}); err != nil || n[object.KindDataBag] != 1 {
		t.Errorf("totals %v, %v", n, err)
	}
}

func TestIdentities(t *testing.T) {
	r := newRig(t)
	a, err := r.Identities(t.Context())
	if err != nil || a.Primary.OrgGUID == "" || a.Replica.OrgGUID == "" || a.Primary == a.Replica || a.Primary.URL != r.primary.URL {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := r.replica.RecreateOrganization(harness.Organization); err != nil {
		t.Fatal(err)
	}
	if b, err := r.Identities(t.Context()); err != nil || b.Replica.OrgGUID == a.Replica.OrgGUID || b.Primary != a.Primary {
		t.Errorf("recreated: %+v, %v", b, err)
	}
	rule := fault(r.primary, "GET", "^/organizations/acme$", chefserver.Forbidden("read"))
	if b, err := r.Identities(t.Context()); err != nil || b.Primary != (object.Identity{URL: r.primary.URL}) {
		t.Errorf("no right to see it: %+v, %v", b, err)
	}
	rule.Remove()
	fault(r.primary, "GET", "^/organizations/acme$", chefserver.Status(401, `{"error":["no"]}`))
	if _, err := r.Identities(t.Context()); chef.Classify(err) != chef.ClassPair {
		t.Errorf("401: %v", err)
	}
}
