package doctor

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/chef-sync/chef-sync/internal/config"
)

// TestBucket looks at a staging store on S3 as ec-syncd would use it.
func TestBucket(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("there"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "key-of-a-test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-of-a-test")
	for _, c := range []struct {
		bucket string
		state  State
		text   string
	}{
		{"there", OK, "can be read and written"},
		{"missing", Failed, "NoSuchBucket"},
		{"there?nonsense=1&", Failed, "nonsense"},
	} {
		url := "s3://" + c.bucket
		if !strings.Contains(url, "?") {
			url += "?"
		}
		url += "region=us-east-1&use_path_style=true&endpoint=" + server.URL
		x := &exam{Options: Options{Config: &config.Config{StagingURL: url, File: "chef-sync.rb"}}}
		got := stagingStore(t.Context(), x, subject{})
		if len(got) != 1 || got[0].State != c.state || !strings.Contains(got[0].Text, c.text) || (got[0].Fix == "") != (c.state == OK) {
			t.Errorf("%s: %+v; want %s with %q", c.bucket, got, c.state, c.text)
		}
		if strings.Contains(got[0].Text+got[0].Fix, "of-a-test") {
			t.Errorf("%s: credentials are told: %+v", c.bucket, got)
		}
	}
}
