package chef

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// through is a client of an https server behind the proxy at an address.
func through(t *testing.T, proxy string) *Client {
	t.Helper()
	c := clientOf(t, "https://chef.example.com/organizations/acme", noRetries)
	at := &url.URL{Scheme: "http", User: url.UserPassword("me", hunter), Host: proxy}
	c.transport.Proxy, c.files.Proxy = http.ProxyURL(at), http.ProxyURL(at)
	return c
}

func TestProxyRefuses(t *testing.T) {
	for status, want := range map[int]Class{407: ClassPair, 403: ClassPair, 404: ClassPair, 502: ClassRetry, 503: ClassRetry, 429: ClassRetry} {
		proxy := httptest.NewServer(says(status, "<title>"+hunter+"</title>"))
		defer proxy.Close()
		host := strings.TrimPrefix(proxy.URL, "http://")
		c := through(t, host)
		_, list := c.ListRoles(t.Context())
		_, file := c.DownloadFile(t.Context(), "/f", md5a, io.Discard)
		_, look := c.glance(t.Context())
		for what, err := range map[string]error{"list": list, "file": file, "look": look} {
			text := fmt.Sprint(err, Hint(err))
			if Classify(err) != want || errors.Is(err, ErrNotChef) != (want == ClassPair) {
				t.Errorf("%s, %d: class %s (%v), want %s", what, status, Classify(err), err, want)
			}
			if !strings.Contains(text, fmt.Sprintf("the proxy %s does not connect to the server: %d", host, status)) || !strings.Contains(Hint(err), "NO_PROXY") {
				t.Errorf("%s, %d: got %v with hint %q", what, status, err, Hint(err))
			}
			if strings.Contains(text, hunter) {
				t.Errorf("%s, %d: a secret is seen in %s", what, status, text)
			}
		}
	}
}

func TestProxyIsDown(t *testing.T) {
	proxy := httptest.NewServer(nil)
	proxy.Close()
	_, err := through(t, strings.TrimPrefix(proxy.URL, "http://")).ListRoles(t.Context())
	if Classify(err) != ClassRetry || !strings.Contains(Hint(err), "the proxy of HTTPS_PROXY") || strings.Contains(err.Error(), hunter) {
		t.Errorf("got class %s (%v) with hint %q", Classify(err), err, Hint(err))
	}
}

// TestServerWithOldTLS: a server that knows TLS 1.0 only chooses that, whatever it was
// offered.
func TestServerWithOldTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		hello := append([]byte{2, 0, 0, 38, 3, 1}, make([]byte, 36)...) // ServerHello of version 3.1
		_, _ = conn.Write(append([]byte{22, 3, 1, 0, byte(len(hello))}, hello...))
		_, _ = io.Copy(io.Discard, conn)
	}()
	_, err = clientOf(t, "https://"+l.Addr().String(), noRetries).ListRoles(t.Context())
	if Classify(err) != ClassPair || !errors.Is(err, ErrTLS) || !strings.Contains(Hint(err), "TLS 1.2") {
		t.Errorf("got class %s (%v) with hint %q", Classify(err), err, Hint(err))
	}
}

// TestStrayBytesAreNotRepeated: what cannot be read as an answer may be a piece of
// another one.
func TestStrayBytesAreNotRepeated(t *testing.T) {
	for _, head := range []string{
		"Content-Length: " + hunter, "Content-Length: 1\r\nContent-Length: 7" + hunter, hunter, "Transfer-Encoding: " + hunter,
	} {
		c := testClient(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, buf, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = buf.WriteString("HTTP/1.1 200 OK\r\n" + head + "\r\n\r\n{}")
			_ = buf.Flush()
			_ = conn.Close()
		}, noRetries)
		_, err := c.ListRoles(t.Context())
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), hunter) {
				t.Errorf("the error repeats what came: %v", e)
			}
		}
		if Classify(err) != ClassRetry || Hint(err) == "" {
			t.Errorf("%q: class %s (%v) with hint %q", head, Classify(err), err, Hint(err))
		}
	}
}

// TestRetryAfterIsByTheServersClock: with a date, the server means its own time.
func TestRetryAfterIsByTheServersClock(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, off := range []time.Duration{0, 40 * time.Minute, -40 * time.Minute} {
		theirs := now.Add(off)
		h := http.Header{"Date": {theirs.Format(http.TimeFormat)}, "Retry-After": {theirs.Add(90 * time.Second).Format(http.TimeFormat)}}
		if got := retryAfter(h, now); got != 90*time.Second {
			t.Errorf("a server %s ahead: %s, want 90 s", off, got)
		}
	}
}
