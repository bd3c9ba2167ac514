package chef

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An answer without end is not read for ever, and a refusal only as far as its words
// may be.
func TestAnswersAreBounded(t *testing.T) {
	const most = 100_000
	for _, tt := range []struct {
		name   string
		status int
		size   int
		is     error // of class; nil: none
		class  Class
	}{
		{"as long as may be", 200, most, nil, ClassNone},
		{"too long", 200, most + 1, ErrNotChef, ClassPair},
		{"much too long", 200, 50 * most, ErrNotChef, ClassPair},
		{"a long refusal", 503, 50 * most, nil, ClassRetry},
		{"a long refusal as of an object", 413, most + 1, nil, ClassObject},
	} {
		body := `"` + strings.Repeat("x", tt.size-2) + `"`
		c := testClient(t, says(tt.status, body), noRetries)
		if c.maxAnswer != 512<<20 {
			t.Errorf("answers are read up to %d bytes", c.maxAnswer)
		}
		c.maxAnswer = most
		answer, err := c.Do(t.Context(), "GET", "/roles", nil, nil)
		if Classify(err) != tt.class || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: got %v of class %s, want class %s", tt.name, err, Classify(err), tt.class)
		}
		if err == nil && len(answer.Body) != tt.size {
			t.Errorf("%s: %d bytes, want %d", tt.name, len(answer.Body), tt.size)
		}
		if tt.is != nil && !strings.Contains(err.Error(), "more than 100000 bytes") {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

// TestEndlessAnswers: what never ends is broken off, and not after a time-out.
func TestEndlessAnswers(t *testing.T) {
	for status, want := range map[int]Class{200: ClassPair, 503: ClassRetry} {
		c := testClient(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, strings.Repeat("x", 10_000))
			}
		}, noRetries, func(o *Options) { o.Timeout = time.Hour })
		c.maxAnswer = 100_000
		if _, err := c.Do(t.Context(), "GET", "/roles", nil, nil); Classify(err) != want || errors.Is(err, errTimeout) {
			t.Errorf("%d: got %v of class %s, want class %s", status, err, Classify(err), want)
		}
	}
}

// A hook that panics takes no place among the requests for ever.
func TestTurnsOfAPanickingHook(t *testing.T) {
	c := testClient(t, says(200, "{}"), noRetries, func(o *Options) {
		o.OnRequest = func(context.Context, RequestInfo) { panic("hook") }
	})
	for name, ask := range map[string]func(){
		"request": func() { _, _ = c.ListRoles(t.Context()) },
		"file":    func() { _, _ = c.DownloadFile(t.Context(), "/f", md5a, io.Discard) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the hook was not called")
				}
			}()
			ask()
		}()
		if n := c.Pace().Stats().InFlight; n != 0 {
			t.Errorf("%s: %d in flight", name, n)
		}
	}
}
