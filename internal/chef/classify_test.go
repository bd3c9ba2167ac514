package chef

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestClassifyAnswers(t *testing.T) {
	page := "<html><head><title>404 Not Found</title></head></html>"
	for _, tt := range []struct {
		name     string
		status   int
		body     string
		header   []string
		want     Class
		is       error  // nil: none of the sentinels
		says     string // in the error's text
		notFound bool
	}{
		{name: "absent", status: 404, body: `{"error":["Cannot load role web"]}`, want: ClassObject, says: ": 404 Cannot load role web", notFound: true},
		{name: "absent, as text", status: 404, body: `{"error":"object not found"}`, want: ClassObject, notFound: true},
		{name: "no organization", status: 404, body: `{"error":["organization 'acme' does not exist."]}`, want: ClassPair, is: ErrOrgNotFound},
		{name: "no route", status: 404, body: page, want: ClassPair, is: ErrNoRoute, says: "404 Not Found"},
		{name: "welcome page off", status: 404, want: ClassPair, is: ErrNoRoute},
		{name: "a gateway's 404", status: 404, body: `{"message":"no Route matched with those values"}`, want: ClassPair, is: ErrNoRoute},
		{name: "text 404", status: 404, body: "404 page not found", want: ClassPair, is: ErrNoRoute},
		{name: "bad request", status: 400, body: `{"error":["Field 'name' invalid"]}`, want: ClassObject, says: "Field 'name' invalid"},
		{name: "missing blob", status: 400, body: `{"error":["Manifest has a checksum that hasn't been uploaded."]}`, want: ClassObject, is: ErrMissingFiles},
		{name: "missing blob on update", status: 400, body: `{"error":["Manifest has checksum X but it hasn't yet been uploaded"]}`, want: ClassObject, is: ErrMissingFiles},
		{name: "missing headers", status: 400, body: `{"error":["missing required authentication header(s) 'X-Ops-Userid'"]}`, want: ClassPair, is: ErrCredentials},
		{name: "no signing version", status: 400, body: `{"error":["Unsupported authentication protocol version"]}`, want: ClassPair, is: ErrCredentials},
		{name: "bad headers", status: 400, body: `{"error":["bad header(s) 'X-Ops-Timestamp'"]}`, want: ClassPair, is: ErrCredentials},
		{name: "a field with a word", status: 400, body: `{"error":["Field 'external_authentication_uid' invalid"]}`, want: ClassObject},
		{name: "nginx wants https", status: 400, body: "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>", want: ClassPair, is: ErrTLS},
		{name: "Apache wants https", status: 400, body: "<h1>Bad Request</h1><p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />", want: ClassPair, is: ErrTLS},
		{name: "Go wants https", status: 400, body: "Client sent an HTTP request to an HTTPS server.\n", want: ClassPair, is: ErrTLS},
		{name: "wants a certificate", status: 400, body: "<html><title>400 No required SSL certificate was sent</title></html>", want: ClassPair, is: ErrTLS},
		{name: "wants another certificate", status: 400, body: "<html><title>400 The SSL certificate error</title></html>", want: ClassPair, is: ErrTLS},
		{name: "a page about one object", status: 400, body: "<html><title>400 Bad Request</title></html>", want: ClassObject, says: "400 Bad Request"},
		{name: "proxy wants a password", status: 407, body: page, want: ClassPair, is: ErrNotChef},
		{name: "another server's", status: 421, want: ClassPair, is: ErrNotChef},
		{name: "upgrade", status: 426, want: ClassPair, is: ErrNotChef},
		{name: "too many headers", status: 431, want: ClassPair, is: ErrNotChef},
		{name: "_default", status: 405, body: `{"error":["The '_default' environment cannot be modified."]}`, want: ClassObject},
		{name: "conflict", status: 409, body: `{"error":["Role already exists"]}`, want: ClassObject, says: "409 Role already exists"},
		{name: "conflict in codes", status: 409, body: `[80,111,108,105,99,121]`, want: ClassObject, says: "409 Policy"},
		{name: "frozen", status: 409, body: `{"error":["The cookbook a at version 1.0.0 is frozen. Use the 'force' option to override."]}`, want: ClassObject, is: ErrFrozen},
		{name: "too large", status: 413, body: `{"error":"JSON must be no more than 2000000 bytes."}`, want: ClassObject, says: "2000000"},
		{name: "ambiguous", status: 422, want: ClassObject, says: "422 Unprocessable Entity"},
		{name: "credentials", status: 401, body: `{"error":["Failed to authenticate as 'u'"]}`, want: ClassPair, is: ErrCredentials},
		{name: "nginx 401", status: 401, want: ClassPair, is: ErrCredentials},
		{name: "clock", status: 401, body: `{"error":["Failed to authenticate as u. Synchronize the clock on your host."]}`, want: ClassPair, is: ErrClock},
		{name: "permission", status: 403, body: `{"error":["missing read permission"]}`, want: ClassObject, says: ": 403 missing read permission"},
		{name: "member", status: 403, body: `{"error":["'u' not associated with organization 'acme'"]}`, want: ClassPair, is: ErrNotMember},
		{name: "license", status: 403, body: `{"message":"invalid-license"}`, header: []string{"X-Ops-License", `{"licenseType":"trial","expirationDateTime":"2026-01-01"}`},
			want: ClassPair, is: ErrLicense, says: "invalid-license (type trial, expires 2026-01-01)"},
		{name: "address banned", status: 403, body: "<html><h1>403 Forbidden</h1></html>", want: ClassPair, is: ErrNotChef},
		{name: "not acceptable", status: 406, body: page, want: ClassPair, is: ErrAPIVersion},
		{name: "gone", status: 410, body: `{"error":["cursor"]}`, want: ClassPair, is: ErrGone},
		{name: "busy", status: 429, want: ClassRetry},
		{name: "internal", status: 500, body: `{"error":["internal service error"]}`, want: ClassRetry, says: "internal service error"},
		{name: "bad gateway", status: 502, body: page, want: ClassRetry},
		{name: "maintenance", status: 503, body: `{"error":"maintenance"}`, want: ClassRetry},
		{name: "incomplete", status: 503, body: `{"error":["Committed incomplete sandbox: x"]}`, want: ClassRetry, is: ErrMissingFiles},
		{name: "gateway time-out", status: 504, want: ClassRetry},
		{name: "web page", status: 200, body: "<html><title>Chef Infra Server</title></html>", want: ClassPair, is: ErrNotChef, says: `"Chef Infra Server"`},
		{name: "empty", status: 200, want: ClassPair, is: ErrNotChef, says: "empty body"},
		{name: "spaces", status: 200, body: " \n", want: ClassPair, is: ErrNotChef},
		{name: "text", status: 200, body: "pong", want: ClassPair, is: ErrNotChef, says: "not JSON"},
		{name: "cut short", status: 200, body: `{"a":"https://`, want: ClassPair, is: ErrNotChef},
		{name: "redirect", status: 301, want: ClassPair, is: ErrNotChef},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := testClient(t, says(tt.status, tt.body, tt.header...), noRetries)
			_, err := c.Do(t.Context(), http.MethodGet, "/roles/web", nil, nil)
			if got := Classify(fmt.Errorf("fetch: %w", err)); got != tt.want {
				t.Errorf("class of %v is %s, want %s", err, got, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			for _, target := range append(pairErrors, objectErrors...) {
				if errors.Is(err, target) && target != tt.is {
					t.Errorf("%v is %v", err, target)
				}
			}
			if IsNotFound(err) != tt.notFound {
				t.Errorf("IsNotFound(%v) = %t", err, !tt.notFound)
			}
			if IsConflict(err) != (tt.status == 409) {
				t.Errorf("IsConflict(%v) = %t", err, tt.status != 409)
			}
			if prefix := "GET " + c.URL() + "/organizations/acme/roles/web: "; !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the error reads %q, want it to begin with %q and hold %q", err, prefix, tt.says)
			}
			if tt.want == ClassPair && tt.is != ErrGone && Hint(err) == "" {
				t.Errorf("%v has no hint", err)
			}
		})
	}
}

// TestClassifyByWordsOfTheBody: what is taken out of a message because the request
// holds it may be what tells whom the refusal concerns.
func TestClassifyByWordsOfTheBody(t *testing.T) {
	body := json.RawMessage(`{"name":"web","default_attributes":{"a":["frozen","clock","associated","does not exist","authentication","uploaded"]}}`)
	for _, tt := range []struct {
		status int
		body   string
		is     error
	}{
		{404, `{"error":["organization 'acme' does not exist."]}`, ErrOrgNotFound},
		{403, `{"error":["'u' not associated with organization 'acme'"]}`, ErrNotMember},
		{401, `{"error":["Synchronize the clock on your host"]}`, ErrClock},
		{400, `{"error":["missing required authentication header(s) 'X-Ops-Sign'"]}`, ErrCredentials},
		{400, `{"error":["Manifest has a checksum that hasn't been uploaded."]}`, ErrMissingFiles},
		{409, `{"error":["The cookbook a at version 1.0.0 is frozen."]}`, ErrFrozen},
	} {
		c := testClient(t, says(tt.status, tt.body), noRetries)
		if err := c.UpdateRole(t.Context(), "web", body); !errors.Is(err, tt.is) {
			t.Errorf("%d %s: got %v, want %v", tt.status, tt.body, err, tt.is)
		}
	}
}

func TestAbsentPolicyIsNotFound(t *testing.T) {
	c := testClient(t, says(404, "<html><title>404</title></html>"))
	for _, path := range []string{"/policies/p/revisions/r", "/policy_groups/g/policies/p"} {
		if _, err := c.Do(t.Context(), "GET", path, nil, nil); !IsNotFound(err) {
			t.Errorf("GET %s: got %v, want not found, as erchef says it in HTML", path, err)
		}
	}
}

func TestClassifyOthers(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want Class
	}{
		{nil, ClassNone},
		{errors.New("anything"), ClassRetry},
		{context.Canceled, ClassRetry},
		{&fs.PathError{Op: "write", Path: "x", Err: errors.New("disk full")}, ClassRetry},
		{fmt.Errorf("x: %w", ErrForeignHost), ClassPair},
		{fmt.Errorf("x: %w", ErrNoFeed), ClassPair},
		{fmt.Errorf("x: %w", ErrChecksum), ClassObject},
		{fmt.Errorf("x: %w", ErrDropsFiles), ClassObject},
		{ErrURLExpired, ClassRetry},
		{errors.Join(errors.New("a"), &APIError{class: ClassObject}), ClassObject},
	} {
		if got := Classify(tt.err); got != tt.want {
			t.Errorf("Classify(%v) = %s, want %s", tt.err, got, tt.want)
		}
	}
	for class, want := range map[Class]string{ClassNone: "none", ClassRetry: "retry", ClassObject: "object", ClassPair: "pair", 9: "class 9"} {
		if class.String() != want {
			t.Errorf("String of %d is %q, want %q", int(class), class.String(), want)
		}
	}
}

func TestClockHint(t *testing.T) {
	server := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		ahead time.Duration
		body  string
		want  error
		hint  string
	}{
		{16 * time.Minute, "", ErrClock, "16m0s ahead"},
		{-20 * time.Minute, "", ErrClock, "20m0s behind"},
		{time.Minute, "", ErrCredentials, "ec_sync_user"},
		{time.Minute, `{"error":["Synchronize the clock on your host"]}`, ErrClock, "1m0s ahead"},
	} {
		c := testClient(t, says(401, tt.body, "Date", server.Format(http.TimeFormat)))
		c.now = func() time.Time { return server.Add(tt.ahead) }
		_, err := c.ListRoles(t.Context())
		if !errors.Is(err, tt.want) || !strings.Contains(Hint(err), tt.hint) {
			t.Errorf("%s ahead: got %v with hint %q, want %v with %q", tt.ahead, err, Hint(err), tt.want, tt.hint)
		}
	}
}

func TestClassifyNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	garbage := testClient(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = buf.WriteString("hunter2 is the secret\r\n\r\n")
		_ = buf.Flush()
		_ = conn.Close()
	}, noRetries)
	short := testClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("{}"))
	}, noRetries)
	hungUp := testClient(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, noRetries)
	for name, tt := range map[string]struct {
		client *Client
		hint   string
	}{
		"refused":   {clientOf(t, "http://"+closed, noRetries), "nothing listens"},
		"DNS":       {clientOf(t, "http://no-such-host.invalid", noRetries), `"no-such-host.invalid" cannot be resolved`},
		"not HTTP":  {garbage, "something else than a web server"},
		"cut short": {short, "broke the connection off"},
		"hung up":   {hungUp, "broke the connection off"},
	} {
		_, err := tt.client.ListRoles(t.Context())
		if Classify(err) != ClassRetry || !strings.Contains(Hint(err), tt.hint) {
			t.Errorf("%s: got class %s (%v) with hint %q, want retry with %q", name, Classify(err), err, Hint(err), tt.hint)
		}
		if strings.Contains(fmt.Sprintf("%v %v", err, errors.Unwrap(err)), "hunter2") {
			t.Errorf("%s: the error repeats what came: %v", name, err)
		}
	}
}

// A connection that was kept may be ended in the moment in which it is used.
func TestHintOfAConnectionThatWasEnded(t *testing.T) {
	err := &url.Error{Op: "Get", URL: "http://chef/roles", Err: errors.New("http: server closed idle connection")}
	if got := networkHint(err); !strings.Contains(got, "broke the connection off") {
		t.Errorf("hint %q", got)
	}
}

func TestMessageIsShortAndOnOneLine(t *testing.T) {
	c := testClient(t, says(400, `{"error":["`+strings.Repeat(`é\n\u001b[31m`, 1000)+`"]}`))
	_, err := c.ListRoles(t.Context())
	if len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("the error has %d bytes or control characters: %q", len(err.Error()), err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "12": 12 * time.Second, "-1": 0, "soon": 0, "99999999999": 0, "1000000": time.Hour,
		now.Add(48 * time.Hour).Format(http.TimeFormat): time.Hour,
		now.Add(time.Minute).Format(http.TimeFormat):    time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat):   0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want && text != "99999999999" {
			t.Errorf("Retry-After %q is %s, want %s", text, got, want)
		}
	}
	c := testClient(t, says(429, "", "Retry-After", "120"))
	_, err := c.ListRoles(t.Context())
	if RetryAfter(err) != 2*time.Minute {
		t.Errorf("RetryAfter(%v) = %s, want 2m", err, RetryAfter(err))
	}
}
