package replicate_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// TestSandboxIsLost: a cookbook is not written without the files that Fetch knew to
// be lacking, if that word is lost: it would be half a cookbook.
func TestSandboxIsLost(t *testing.T) {
	for name, lose := range map[string]func(string) error{
		"purged": os.Remove,
		"empty after a crash of the host": func(file string) error {
			return os.Truncate(file, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			dir := t.TempDir() + "/staging"
			st, err := staging.Open(t.Context(), "file://"+dir)
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			r.Staging = st
			r.write.Cookbook("c", "1.0.0", false, map[string]string{"recipes/a.rb": "a"})
			f, err := r.Fetch(t.Context(), update(cookbook), quiet)
			if err != nil || f.Files != 1 {
				t.Fatalf("fetched %+v, %v", f, err)
			}
			if err := lose(filepath.Join(dir, "batches", f.Batch+".sandbox")); err != nil {
				t.Fatal(err)
			}
			puts := fault(r.replica, "PUT", "/cookbooks/", chefserver.Status(500, ""))
			if _, err = r.Apply(t.Context(), f.Batch, replicate.ApplyOptions{}, quiet); !errors.Is(err, staging.ErrNotFound) {
				t.Errorf("applied: %v, want ErrNotFound", err)
			}
			if puts.Hits() > 0 {
				t.Error("the cookbook was written")
			}
			puts.Remove()
			r.take(update(cookbook))
			r.inSync()
		})
	}
}

// TestSandboxOfNoFiles: that nothing is to be uploaded is no loss, and nothing stays of
// what was not staged.
func TestSandboxOfNoFiles(t *testing.T) {
	r := newRig(t)
	r.write.Cookbook("c", "1.0.0", false, map[string]string{"recipes/a.rb": "a"})
	r.take(update(cookbook))
	r.write.Cookbook("c", "1.0.0", true, map[string]string{"recipes/a.rb": "a"}) // frozen since
	f, done := r.take(update(cookbook))
	if f.Files != 0 || done.Updated != 1 {
		t.Errorf("fetched %+v, applied %+v", f, done)
	}
	if f, _ := r.take(update(cookbook)); f.Batch != "" {
		t.Errorf("fetched %+v", f)
	}
	r.inSync()
}
