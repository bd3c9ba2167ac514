package replicate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// Versions that are compared side by side share most of their files: each is read
// once from either side, and nobody waits for it while there are others to read.
func TestCompareReadsSharedFilesOnce(t *testing.T) {
	r := newRig(t)
	for v := range 12 {
		files := map[string]string{"recipes/own.rb": fmt.Sprintf("# of version %d", v)}
		for f := range 10 {
			files[fmt.Sprintf("recipes/recipe%d.rb", f)] = fmt.Sprintf("# file %d", f)
		}
		r.write.Cookbook("apache", fmt.Sprintf("1.%d.0", v), false, files)
	}
	r.sync()
	for _, s := range []*harness.ChefServer{r.primary, r.replica} {
		s.ResetStats()
		fault(s, "GET", "/bookshelf/", chefserver.Delay(5*time.Millisecond))
	}
	c, err := r.Compare(t.Context(), quiet)
	if err != nil || !c.Equal() || c.Files != 22 {
		t.Fatalf("%+v, error %v; want 22 files of equal servers", c, err)
	}
	for name, s := range map[string]*harness.ChefServer{"primary": r.primary, "replica": r.replica} {
		if got := s.Stats(); len(got.Downloads) != 22 || got.MaxInFlight < 2 {
			t.Errorf("%s: %d files, %d at a time; want 22, several at a time", name, len(got.Downloads), got.MaxInFlight)
		}
		for sum, n := range s.Stats().Downloads {
			if n != 1 {
				t.Errorf("%s: file %s was read %d times", name, sum, n)
			}
		}
	}
	if err := r.replica.CorruptBlob(harness.Organization, sum("# file 3")); err != nil {
		t.Fatal(err)
	}
	c, err = r.Compare(t.Context(), quiet)
	if err != nil || len(c.Differences) != 12 || c.Files != 21 {
		t.Fatalf("%+v, error %v; want all versions with the damaged file", c, err)
	}
	for _, d := range c.Differences {
		if d.Case != replicate.CaseDamaged {
			t.Errorf("%+v, want it damaged", d)
		}
	}
}

// A data bag has a name and nothing else: that both sides list it proves it equal.
// A bag that only one of them lists is told, too.
func TestCompareTakesBagsFromTheLists(t *testing.T) {
	r := newRig(t)
	r.write.Item("users", "bob", "1")
	r.sync()
	r.write.Bag("missing")
	harness.Write(t, r.replica.Client).Bag("extra")
	r.primary.ResetStats()
	c, err := r.Compare(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, d := range c.Differences {
		got += fmt.Sprintf("%s %s;", d.Ref, d.Case)
	}
	if want := "/data/extra extra;/data/missing missing;"; got != want {
		t.Errorf("differences %s, want %s", got, want)
	}
	if n := r.primary.Stats().Requests["GET /organizations/ORG/data/BAG"]; n != 2 {
		t.Errorf("the primary was asked for the items of 2 bags %d times", n)
	}
}
