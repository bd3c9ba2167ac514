package staging

import (
	"crypto/rand"
	"flag"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// s3URL is a bucket on a server that was not written for tests:
//
//	versitygw --access key --secret secret posix DIR &
//	AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret go test ./internal/replicate/staging \
//		-s3 's3://BUCKET?region=us-east-1&use_path_style=true&endpoint=http://127.0.0.1:7070'
var s3URL = flag.String("s3", "", "test on the store at this URL, too, under prefixes of its own")

// s3Given is an empty store on that server.
func s3Given() string { return *s3URL + "&prefix=" + rand.Text() + "/" }

// s3Server starts an S3 server with an empty bucket and returns the store's URL.
func s3Server(t *testing.T) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("staging"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	return "s3://staging?region=eu-central-1&use_path_style=true&prefix=chef-sync/&endpoint=" + server.URL
}

// TestOpenSaysNoSecret: somebody may have written a key into the URL.
func TestOpenSaysNoSecret(t *testing.T) {
	for _, u := range []string{"s3://bucket?region=x&secret_access_key=hush", "s3://me:hush@bucket?nothing=1", "gs://bucket?token=hush", "s3://%hush"} {
		if _, err := Open(t.Context(), u); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", u, err)
		}
	}
}
