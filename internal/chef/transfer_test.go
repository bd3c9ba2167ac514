package chef

import (
	"context"
	"crypto/md5" //nolint:gosec // as in file.go
	"errors"
	"io"
	"io/fs"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

// countingFile counts how often it was closed.
type countingFile struct {
	io.Reader
	closed *atomic.Int32
}

func (f countingFile) Close() error { f.closed.Add(1); return nil }

// TestUploadsCloseTheirFiles: also those that do not begin, because the server is left
// alone or the caller has ended.
func TestUploadsCloseTheirFiles(t *testing.T) {
	var closed atomic.Int32
	opened := int32(0)
	open := func() (io.ReadCloser, error) {
		opened++
		return countingFile{strings.NewReader("abc"), &closed}, nil
	}
	c := testClient(t, says(503, "", "Retry-After", "3600"), noRetries)
	to := c.URL() + "/f"
	for range 3 { // the first is refused, the others are not sent
		if err := c.UploadFile(t.Context(), to, sumOf([]byte("abc")), 3, open); RetryAfter(err) == 0 {
			t.Errorf("got %v", err)
		}
	}
	ctx, ended := context.WithCancelCause(t.Context())
	ended(nil)
	if err := c.UploadFile(ctx, to, sumOf([]byte("abc")), 3, open); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	deadline := time.Now().Add(10 * time.Second) // a transport may close late
	for closed.Load() < opened && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if opened != 4 || closed.Load() < opened {
		t.Errorf("%d opened, %d closed", opened, closed.Load())
	}
}

// TestExpiredURLIsAskedOnce: it stays expired.
func TestExpiredURLIsAskedOnce(t *testing.T) {
	asked := 0
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		says(403, "<Error><Code>AccessDenied</Code></Error>")(w, r)
	})
	if _, err := c.DownloadFile(t.Context(), c.URL()+"/f", md5a, io.Discard); !errors.Is(err, ErrURLExpired) || asked != 1 {
		t.Errorf("asked %d times, and then %v", asked, err)
	}
}

// TestFileThatCannotBeRead: the error is the file's own, unless the transport had closed
// it, which breaks a read off.
func TestFileThatCannotBeRead(t *testing.T) {
	for _, closed := range []bool{false, true} {
		from := io.MultiReader(strings.NewReader("a"), iotest.ErrReader(fs.ErrClosed))
		r := &hashingReader{from: from, file: io.NopCloser(from), hash: md5.New(), moved: func() {}} //nolint:gosec // as in file.go
		if closed {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, fs.ErrClosed) {
			t.Fatal(err)
		}
		if err := r.verdict(3, nil); errors.Is(err, fs.ErrClosed) == closed {
			t.Errorf("closed %t: %v", closed, err)
		}
	}
}
