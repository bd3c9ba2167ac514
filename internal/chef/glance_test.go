package chef

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestLook(t *testing.T) {
	for name, c := range map[string]struct {
		status          int
		header          map[string]string
		body            string
		want            string
		product, number string
	}{
		"erchef":    {200, nil, "Chef Infra Server 15.10.33\n\nComponent …\n", "Chef Infra Server 15.10.33", "Chef Infra Server", "15.10.33"},
		"CINC":      {200, nil, "CINC Server 15.1.7\n", "CINC Server 15.1.7", "CINC Server", "15.1.7"},
		"goiardi":   {200, map[string]string{"X-Goiardi-Version": "0.11.10"}, "", "goiardi 0.11.10", "goiardi", "0.11.10"},
		"one word":  {200, nil, "chef", "chef", "chef", ""},
		"a page":    {200, nil, "<html><title>Welcome</title></html>", "a server that does not name its version", "", ""},
		"not found": {404, nil, "no such page 7", "a server that does not name its version", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/version" || r.Header.Get("X-Ops-Userid") != "" || r.Header.Get("Tenant-Id") != "7" {
					t.Errorf("asked for %s with %v", r.URL, r.Header)
				}
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer s.Close()
			got, err := Look(t.Context(), Options{URL: s.URL, Header: http.Header{"tenant-id": {"7"}}})
			if err != nil || got.String() != c.want || got.Product != c.product || got.Version != c.number {
				t.Errorf("%+v, %v; want %s", got, err, c.want)
			}
			if off := got.Ahead - time.Hour; !got.HasDate || off < -2*time.Second || off > time.Minute { // a busy machine reads the answer late
				t.Errorf("ahead by %s, told %t; want an hour", got.Ahead, got.HasDate)
			}
			if got.Certificates != nil {
				t.Error("a certificate without TLS")
			}
		})
	}
}

func TestLookTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	if _, err := Look(t.Context(), Options{URL: s.URL}); !errors.Is(err, ErrTLS) || Hint(err) == "" {
		t.Errorf("an unknown authority: %v", err)
	}
	got, err := Look(t.Context(), Options{URL: s.URL, TLS: TLSOptions{Insecure: true}})
	if err != nil || len(got.Certificates) == 0 || !got.Certificates[0].Equal(s.Certificate()) {
		t.Errorf("certificates %v, %v", got.Certificates, err)
	}
}

func TestLookAtNothing(t *testing.T) {
	wait := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-wait }))
	defer s.Close()
	defer close(wait)
	_, err := Look(t.Context(), Options{URL: s.URL, Timeout: 20 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "no answer in time") || Hint(err) == "" {
		t.Errorf("a server that is silent: %v", err)
	}
	if _, err := Look(t.Context(), Options{URL: "ftp://x"}); err == nil {
		t.Error("no URL of a server was taken")
	}
}
