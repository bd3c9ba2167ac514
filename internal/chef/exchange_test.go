package chef

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRequestOnTheWire(t *testing.T) {
	var got *http.Request
	var body []byte
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		says(200, `{"uri":"x"}`)(w, r)
	}, func(o *Options) {
		o.Header = http.Header{"tenant-id": {"t1"}, "X-Ops-Userid": {"mallory"}}
	})
	raw := json.RawMessage(`{"name":"a b", "n":12345678901234567890,"h":"<&>"}`)
	if _, err := c.Do(t.Context(), http.MethodPut, "/roles/a%20b%2Fc", nil, raw); err != nil {
		t.Fatal(err)
	}
	if got.RequestURI != "/organizations/acme/roles/a%20b%2Fc" {
		t.Errorf("path on the wire is %s", got.RequestURI)
	}
	if !bytes.Equal(body, raw) {
		t.Errorf("body on the wire is %s, want %s", body, raw)
	}
	for name, want := range map[string]string{
		"Tenant-Id": "t1", "X-Ops-Userid": "ec_sync_user", "X-Chef-Version": chefVersion, "Accept": "application/json",
		"Content-Type": "application/json", "X-Ops-Server-Api-Version": "2", "X-Ops-Sign": "algorithm=sha256;version=1.3;",
		"Accept-Encoding": "gzip",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
	checkSigned(t, got, body)
}

// checkSigned verifies a request as a server does, from what came over the wire.

func checkSigned(t *testing.T, r *http.Request, body []byte) {
	t.Helper()
	at, err := time.Parse(timestampLayout, r.Header.Get("X-Ops-Timestamp"))
	if err != nil {
		t.Fatal(err)
	}
	version := Sign13
	for _, v := range []string{Sign10, Sign11} {
		if strings.Contains(r.Header.Get("X-Ops-Sign"), "version="+v) {
			version = v
		}
	}
	api := int(r.Header.Get("X-Ops-Server-Api-Version")[0] - '0')
	text := canonical(signedPart{
		method: r.Method, path: r.RequestURI, body: body, time: at, apiVersion: api,
	}, r.Header.Get("X-Ops-Userid"), version)
	if err := verify(&testKey().PublicKey, version, text, joined(r.Header)); err != nil {
		t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
	}
}

func TestDoRefusesWithoutSending(t *testing.T) {
	c := testClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for _, path := range []string{"/roles/%zz", "/roles?x=1", "/roles/../clients", "/./roles", "/a#b"} {
		if _, err := c.Do(t.Context(), "GET", path, nil, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("GET %s: got %v, want ErrInvalid", path, err)
		}
	}
	for _, body := range []any{json.RawMessage(`{"a":`), []byte("secret"), func() {}} {
		if _, err := c.Do(t.Context(), "PUT", "/roles/a", nil, body); !errors.Is(err, ErrInvalid) {
			t.Errorf("PUT of %T: got %v, want ErrInvalid", body, err)
		}
	}
	for _, name := range []string{"", ".", ".."} {
		if _, err := c.GetRole(t.Context(), name); !errors.Is(err, ErrInvalid) {
			t.Errorf("GetRole(%q): got %v, want ErrInvalid", name, err)
		}
	}
	if _, err := c.WithOrganization("..").ListRoles(t.Context()); !errors.Is(err, ErrInvalid) {
		t.Errorf("ListRoles of organization ..: got %v, want ErrInvalid", err)
	}
}

func TestRetries(t *testing.T) {
	ok := says(200, `{}`)
	missing := says(403, `{"error":["missing read permission"]}`)
	for _, tt := range []struct {
		name      string
		server    []http.HandlerFunc
		retries   int
		wantTries int
		wantClass Class
	}{
		{"no trouble", []http.HandlerFunc{ok}, 0, 1, ClassNone},
		{"broken off", []http.HandlerFunc{breaksOff, breaksOff, ok}, 0, 3, ClassNone},
		{"500, 502, 504", []http.HandlerFunc{says(500, ""), says(502, ""), says(504, ""), ok}, 0, 4, ClassNone},
		{"503 for good", []http.HandlerFunc{says(503, "")}, 0, 4, ClassRetry},
		{"429", []http.HandlerFunc{says(429, ""), ok}, 0, 2, ClassNone},
		{"no retries", []http.HandlerFunc{says(503, "")}, -1, 1, ClassRetry},
		{"one retry", []http.HandlerFunc{says(503, "")}, 1, 2, ClassRetry},
		{"permission comes back", []http.HandlerFunc{missing, missing, ok}, 0, 3, ClassNone},
		{"permission stays away", []http.HandlerFunc{missing}, 0, 3, ClassObject},
		{"permission, no retries", []http.HandlerFunc{missing}, -1, 1, ClassObject},
		{"permission, one retry", []http.HandlerFunc{missing}, 1, 2, ClassObject},
		{"permission, many retries", []http.HandlerFunc{missing}, 7, 3, ClassObject},
		{"not a member", []http.HandlerFunc{says(403, `{"error":["'u' not associated with organization 'acme'"]}`)}, 0, 1, ClassPair},
		{"bad request", []http.HandlerFunc{says(400, `{"error":["no"]}`)}, 0, 1, ClassObject},
		{"web page", []http.HandlerFunc{says(200, "<html>")}, 0, 1, ClassPair},
		{"asks for too much patience", []http.HandlerFunc{says(503, "", "Retry-After", "3600")}, 0, 1, ClassRetry},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var tries atomic.Int32
			turn := inTurn(tt.server...)
			c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
				tries.Add(1)
				turn(w, r)
			}, func(o *Options) { o.Retries = tt.retries })
			_, err := c.Do(t.Context(), "POST", "/roles", nil, json.RawMessage(`{}`))
			if got := Classify(err); got != tt.wantClass || int(tries.Load()) != tt.wantTries {
				t.Errorf("got class %s after %d tries (%v), want %s after %d", got, tries.Load(), err, tt.wantClass, tt.wantTries)
			}
		})
	}
}

func TestRetrySignsAnew(t *testing.T) {
	var stamps []string
	now := time.Unix(1_700_000_000, 0)
	fail := inTurn(says(500, ""), says(500, ""), says(200, "{}"))
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		checkSigned(t, r, body)
		stamps = append(stamps, r.Header.Get("X-Ops-Timestamp"))
		fail(w, r)
	})
	c.now = func() time.Time {
		now = now.Add(time.Minute)
		return now
	}
	if _, err := c.Do(t.Context(), "PUT", "/roles/a", nil, json.RawMessage(`{"name":"a"}`)); err != nil {
		t.Fatal(err)
	}
	if len(stamps) != 3 || stamps[0] == stamps[1] || stamps[1] == stamps[2] {
		t.Errorf("timestamps are %q, want three different ones", stamps)
	}
}

func TestBackoff(t *testing.T) {
	p := new(pauses)
	c := testClient(t, inTurn(says(503, ""), says(503, ""), says(503, "", "Retry-After", "7"), says(200, "{}")),
		func(o *Options) { o.Backoff = time.Second })
	c.pause = p.pause
	if _, err := c.Do(t.Context(), "GET", "/roles", nil, nil); err != nil {
		t.Fatal(err)
	}
	if len(p.all) != 3 {
		t.Fatalf("waited %v, want three times", p.all)
	}
	for i, limit := range []time.Duration{time.Second, 2 * time.Second} {
		if p.all[i] < limit/2 || p.all[i] > limit {
			t.Errorf("pause %d is %s, want between %s and %s", i+1, p.all[i], limit/2, limit)
		}
	}
	if p.all[2] != 7*time.Second {
		t.Errorf("pause 3 is %s, want the 7s that the server asked for", p.all[2])
	}
}

func TestUncertain(t *testing.T) {
	c := testClient(t, inTurn(breaksOff, says(409, `{"error":["Role already exists"]}`)))
	err := c.CreateRole(t.Context(), json.RawMessage(`{"name":"a"}`))
	var e *APIError
	if !errors.As(err, &e) || !e.Uncertain || !IsConflict(err) {
		t.Errorf("create after a broken connection: got %v, want an uncertain conflict", err)
	}
	c = testClient(t, says(409, `{"error":["Role already exists"]}`))
	err = c.CreateRole(t.Context(), json.RawMessage(`{"name":"a"}`))
	if !errors.As(err, &e) || e.Uncertain {
		t.Errorf("create: got %v, want a certain conflict", err)
	}
	// What broke off is not undone by a 503, with which nothing happened.
	c = testClient(t, inTurn(says(500, ""), says(503, ""), says(409, `{"error":["Role already exists"]}`)))
	err = c.CreateRole(t.Context(), json.RawMessage(`{"name":"a"}`))
	if !errors.As(err, &e) || !e.Uncertain {
		t.Errorf("create after 500 and 503: got %v, want an uncertain conflict", err)
	}
	c = testClient(t, says(500, ""), noRetries)
	err = c.CreateRole(t.Context(), json.RawMessage(`{"name":"a"}`))
	if !errors.As(err, &e) || e.Uncertain {
		t.Errorf("one try that broke off: got %v, which no earlier try explains", err)
	}
}

// TestOverloadLooksLikeAPermission: a 403 on one object is asked again, whatever the
// object holds.
func TestOverloadLooksLikeAPermission(t *testing.T) {
	refused := says(403, `{"error":["missing update permission"]}`)
	c := testClient(t, inTurn(refused, refused, says(200, "{}")))
	if err := c.UpdateRole(t.Context(), "a", json.RawMessage(`{"name":"a","description":"permission"}`)); err != nil {
		t.Errorf("the third answer was a success, got %v", err)
	}
}

// TestTheCallersEndIsNoRefusal: it is no error of the server's, which could be retried,
// or parked.
func TestTheCallersEndIsNoRefusal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := testClient(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := c.ListRoles(ctx)
	var e *APIError
	if !errors.Is(err, context.Canceled) || errors.As(err, &e) {
		t.Errorf("got %T %v", err, err)
	}
}

// TestSigningFallsBackForThatReasonOnly: the same words with another status are not the
// server's refusal of a version.
func TestSigningFallsBackForThatReasonOnly(t *testing.T) {
	for _, status := range []int{401, 403, 500} {
		c := testClient(t, says(status, `{"error":["Unsupported authentication protocol version"]}`), noRetries)
		if _, err := c.ListRoles(t.Context()); err == nil || c.signVersion.Load() != Sign13 {
			t.Errorf("%d: %v, and signs with %v", status, err, c.signVersion.Load())
		}
	}
}

// TestEndlessRefusal: of an answer that is no success only the beginning is read.
func TestEndlessRefusal(t *testing.T) {
	const far = 32 << 20
	sent := make(chan int, 1)
	c := testClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		n := 0
		for piece := bytes.Repeat([]byte("x"), 64<<10); n < far; n += len(piece) {
			if _, err := w.Write(piece); err != nil {
				break
			}
		}
		sent <- n
	}, noRetries)
	_, err := c.ListRoles(t.Context())
	if n := <-sent; n >= far || Classify(err) != ClassObject {
		t.Errorf("%d bytes were taken, and then %v", n, err)
	}
}

func TestContextErrorsPassThrough(t *testing.T) {
	block := make(chan struct{})
	c := testClient(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-block:
		case <-r.Context().Done():
		}
	}, func(o *Options) { o.Parallel = 1 })
	defer close(block)

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := c.ListRoles(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("request when the deadline passes: got %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := c.ListRoles(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("request with a cancelled context: got %v", err)
	}

	waiting := testClient(t, says(503, ""))
	waiting.pause = func(context.Context, time.Duration) error { return context.Canceled }
	if _, err := waiting.ListRoles(t.Context()); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "503") {
		t.Errorf("cancelled while waiting to retry: got %v, want both reasons", err)
	}
}

func TestTimeoutIsNotTheCallers(t *testing.T) {
	c := testClient(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		noRetries, func(o *Options) { o.Timeout = 20 * time.Millisecond })
	_, err := c.ListRoles(t.Context())
	if Classify(err) != ClassRetry || errors.Is(err, context.DeadlineExceeded) || Hint(err) == "" {
		t.Errorf("got %v (hint %q), want a retryable time-out that is no error of the context", err, Hint(err))
	}
}

func TestParallel(t *testing.T) {
	var inFlight, most atomic.Int32
	h := func(w http.ResponseWriter, r *http.Request) {
		n := inFlight.Add(1)
		defer inFlight.Add(-1)
		for {
			old := most.Load()
			if n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		time.Sleep(5 * time.Millisecond)
		if strings.HasPrefix(r.URL.Path, "/file") {
			_, _ = io.WriteString(w, "")
			return
		}
		says(200, "{}")(w, r)
	}
	c := testClient(t, h, func(o *Options) { o.Parallel = 3 })
	other := c.WithOrganization("beta")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := c.ListRoles(t.Context()); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := other.ListRoles(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := c.DownloadFile(t.Context(), "/file", "d41d8cd98f00b204e9800998ecf8427e", io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d requests were in flight, want at most 3", most.Load())
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var hits atomic.Int32
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		http.Redirect(w, r, "https://elsewhere.example.com/login?token=hunter2", http.StatusFound)
	})
	_, err := c.ListRoles(t.Context())
	if !errors.Is(err, ErrNotChef) || Classify(err) != ClassPair || hits.Load() != 1 {
		t.Errorf("got %v after %d requests, want ErrNotChef after one", err, hits.Load())
	}
	if !strings.Contains(err.Error(), "https://elsewhere.example.com/login") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error does not say where the redirect leads, or too much of it: %v", err)
	}
}

func TestSigningFallsBack(t *testing.T) {
	old := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		checkSigned(t, r, body)
		if strings.Contains(r.Header.Get("X-Ops-Sign"), "1.3") {
			says(400, `{"error":["Unsupported authentication protocol version"]}`)(w, r)
			return
		}
		says(200, `{}`)(w, r)
	}
	var versions []string
	record := func(w http.ResponseWriter, r *http.Request) {
		versions = append(versions, r.Header.Get("X-Ops-Sign"))
		old(w, r)
	}
	c := testClient(t, record, noRetries)
	for range 2 {
		if _, err := c.WithOrganization("x").ListRoles(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"algorithm=sha256;version=1.3;", "algorithm=sha1;version=1.1;", "algorithm=sha1;version=1.1;"}
	if diff := cmp.Diff(want, versions); diff != "" {
		t.Errorf("signing versions (-want +got):\n%s", diff)
	}

	fixed := testClient(t, old, func(o *Options) { o.SignVersion = Sign13 })
	if _, err := fixed.ListRoles(t.Context()); Classify(err) != ClassPair || !errors.Is(err, ErrCredentials) {
		t.Errorf("with version 1.3 asked for: got %v, want ErrCredentials", err)
	}
}
