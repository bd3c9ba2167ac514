package chef

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnRequest(t *testing.T) {
	var seen []RequestInfo
	c := testClient(t, inTurn(says(500, ""), says(200, "{}")), func(o *Options) {
		o.OnRequest = func(_ context.Context, i RequestInfo) {
			if i.Duration <= 0 {
				t.Errorf("%+v took no time", i)
			}
			i.Duration = 0
			seen = append(seen, i)
		}
	})
	if _, err := c.ListRoles(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []RequestInfo{
		{Method: "GET", Route: "roles", Status: 500, Attempt: 1},
		{Method: "GET", Route: "roles", Status: 200, Attempt: 2},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("exchanges (-want +got):\n%s", diff)
	}
}

func TestRoute(t *testing.T) {
	for path, want := range map[string]string{
		"/":                                    "other",
		"/organizations/acme":                  "organizations",
		"/organizations/acme/roles":            "roles",
		"/organizations/acme/data/b/i":         "data",
		"/organizations/acme/roles/web/_acl":   "acls",
		"/organizations/acme/data/b/_acl/read": "acls",
		"/roles/web":                           "roles",
		"/organizations/acme/hunter2":          "other",
		"/users/u":                             "users",
	} {
		if got := routeOf(path); got != want {
			t.Errorf("routeOf(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestWithOrganization(t *testing.T) {
	var paths []string
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		says(200, "{}", speaks(0, 1)...)(w, r)
	})
	beta, none := c.WithOrganization("beta"), c.WithOrganization("")
	for _, each := range []*Client{c, beta, none} {
		if _, err := each.ListRoles(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"/organizations/acme/roles", "/organizations/beta/roles", "/roles"}, paths); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	if v, err := beta.APIVersion(t.Context()); v != 1 || err != nil || len(paths) != 3 {
		t.Errorf("APIVersion of the other client: got %d, %v after %d requests, want what the first one learnt", v, err, len(paths))
	}
	if beta.Organization() != "beta" || beta.User() != "ec_sync_user" || beta.URL() != c.URL() || strings.Contains(c.URL(), "acme") {
		t.Errorf("got organization %q, user %q, URL %q", beta.Organization(), beta.User(), beta.URL())
	}
}

func TestNewRefuses(t *testing.T) {
	good := Options{URL: "https://chef/organizations/acme", User: "u", Key: testKey()}
	for want, change := range map[string]func(*Options){
		"no user":               func(o *Options) { o.User = "" },
		"no private key":        func(o *Options) { o.Key = nil },
		"signing version":       func(o *Options) { o.SignVersion = "1.2" },
		"https://HOST":          func(o *Options) { o.URL = "chef.example.com" },
		"user name or password": func(o *Options) { o.URL = "https://u:hunter2@chef" },
		"query":                 func(o *Options) { o.URL = "https://chef?a=hunter2" },
		"/organizations/NAME":   func(o *Options) { o.URL = "https://chef/organizations/a/b" },
		"not a URL":             func(o *Options) { o.URL = "https://hunter2\x7f" },
		"file host":             func(o *Options) { o.FileHosts = []string{"a/b"} },
		"CA file":               func(o *Options) { o.TLS.CAFile = "/nonexistent" },
		"pin":                   func(o *Options) { o.TLS.PinSHA256 = "abc" },
		"both":                  func(o *Options) { o.TLS.ClientCertFile = "x" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("New: got error %v, want one with %q and no password", err, want)
		}
	}
	for url, want := range map[string][2]string{
		"https://chef":                          {"https://chef", ""},
		"https://chef/":                         {"https://chef", ""},
		"https://chef:8443/organizations/acme/": {"https://chef:8443", "acme"},
		"http://proxy/chef/organizations/acme":  {"http://proxy/chef", "acme"},
		"http://goiardi:4545/":                  {"http://goiardi:4545", ""},
	} {
		o := good
		o.URL = url
		c, err := New(o)
		if err != nil {
			t.Errorf("New with %s: %v", url, err)
			continue
		}
		if c.URL() != want[0] || c.Organization() != want[1] {
			t.Errorf("New with %s: got %s and %q, want %q", url, c.URL(), c.Organization(), want)
		}
	}
}

func TestLicenseWarningIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	c := testClient(t, says(200, "{}", "X-Ops-License", `{"licenseType":"trial","warningMessage":"ends soon"}`),
		func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for range 3 {
		if _, err := c.ListRoles(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "ends soon"); n != 1 {
		t.Errorf("the warning was logged %d times, want once:\n%s", n, log.String())
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(says(200, "{}"))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := clientOf(t, server.URL)
	for range 20 {
		if _, err := c.ListRoles(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if conns.Load() != 1 {
		t.Errorf("20 requests took %d connections, want one", conns.Load())
	}
}

func TestGzipIsUnpacked(t *testing.T) {
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Errorf("Accept-Encoding is %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"web":"https://chef/roles/web"}`)
		_ = z.Close()
	})
	names, err := c.ListRoles(t.Context())
	if diff := cmp.Diff([]string{"web"}, names); diff != "" || err != nil {
		t.Errorf("list: %v (-want +got):\n%s", err, diff)
	}
}
