package webhook_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/webhook"
)

func TestPost(t *testing.T) {
	var got *http.Request
	var body string
	answer := http.StatusNoContent
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		got, body = r, string(data)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(answer)
	}))
	defer s.Close()
	headers := filepath.Join(t.TempDir(), "headers")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(headers, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# comment\nAuthorization: Bearer first\n\nX-Team:  chef \n")
	w := webhook.New(s.URL+"/hooks/s3cr3t", headers)
	if err := w.Post(t.Context(), []byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if got.Method != "POST" || got.URL.Path != "/hooks/s3cr3t" || body != `{"a":1}` || got.Header.Get("Content-Type") != "application/json" ||
		got.Header.Get("Authorization") != "Bearer first" || got.Header.Get("X-Team") != "chef" {
		t.Errorf("posted %s %s %v %q", got.Method, got.URL, got.Header, body)
	}
	write("Authorization: Bearer second")
	if err := w.Post(t.Context(), nil); err != nil || got.Header.Get("Authorization") != "Bearer second" {
		t.Errorf("after the file was replaced: %v, %v", got.Header, err)
	}
	for _, code := range []int{302, 404, 500} {
		answer = code
		if err := w.Post(t.Context(), nil); err == nil || got.URL.Path != "/hooks/s3cr3t" {
			t.Errorf("answer %d: %v at %s; want an error, and no redirect followed", code, err, got.URL.Path)
		}
	}
	got = nil
	for _, line := range []string{"no header", "s3cr3t s3cr3t: x", ": s3cr3t", "s3cr3t\x01: x", "Token: s3cr3t\x01", "\ufeffs3cr3t: x"} {
		write("X-Team: chef\n" + line + "\n")
		if err := w.Post(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("a bad line %q: %v", line, err)
		}
	}
	write("Token: " + strings.Repeat("s3cr3t", 20_000))
	if err := w.Post(t.Context(), nil); err == nil || !strings.Contains(err.Error(), headers) || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("a line without end: %v", err)
	}
	if got != nil {
		t.Errorf("posted with a file that cannot be read: %v", got.Header)
	}
}

// TestSlowEndpoint: an endpoint that does not answer keeps nobody.
func TestSlowEndpoint(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as a POST may")
	}
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer s.Close()
	started := time.Now()
	err := webhook.New(s.URL, "").Post(t.Context(), []byte("{}"))
	if took := time.Since(started); err == nil || took > webhook.Timeout+10*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}

// TestErrorsHoldNoSecret: they are logged, and stand in the history.
func TestErrorsHoldNoSecret(t *testing.T) {
	refused := httptest.NewServer(nil)
	refused.Close()
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	tls.Config.ErrorLog = nil
	astray := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://[s3cr3t")
		w.WriteHeader(http.StatusFound)
	}))
	defer astray.Close()
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			asked, _ := bufio.NewReader(conn).ReadString('\n')
			_, path, _ := strings.Cut(asked, " ")
			head, ok := map[byte]string{'1': "Content-Length: ", '2': "Transfer-Encoding: ", '3': ""}[path[1]]
			if ok {
				asked = "HTTP/1.1 200 OK\r\n" + head + strings.Fields(path)[0] + "\r\n"
			}
			_, _ = io.WriteString(conn, asked+"\r\n")
			_ = conn.Close()
		}
	}()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx context.Context
		url string
	}{
		"refused":     {t.Context(), refused.URL + "/s3cr3t"},
		"no host":     {t.Context(), "http://s3cr3t.invalid/s3cr3t"},
		"no URL":      {t.Context(), "http://[s3cr3t"},
		"certificate": {t.Context(), tls.URL + "/s3cr3t"},
		"other host":  {t.Context(), strings.Replace(tls.URL, "127.0.0.1", "localhost", 1) + "/s3cr3t"},
		"astray":      {t.Context(), astray.URL + "/s3cr3t"},
		"cancelled":   {cancelled, tls.URL + "/s3cr3t"},
		"echo":        {t.Context(), "http://" + echo.Addr().String() + "/s3cr3t"},
		"length":      {t.Context(), "http://" + echo.Addr().String() + "/1s3cr3t"},
		"encoding":    {t.Context(), "http://" + echo.Addr().String() + "/2s3cr3t"},
		"field":       {t.Context(), "http://" + echo.Addr().String() + "/3s3cr3t"},
		"scheme":      {t.Context(), "s3cr3t://x"},
	} {
		err := webhook.New(c.url, "").Post(c.ctx, nil)
		if err == nil || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "localhost") || !strings.Contains(err.Error(), "webhook_url") {
			t.Errorf("%s: %v; want an error that names the setting and not the URL", name, err)
		}
	}
}
