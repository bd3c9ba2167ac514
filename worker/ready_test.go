package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReady(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(status)
		fmt.Fprintln(w, "as I said")
	}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "chef-sync.rb")
	run := func(settings string) (code int, stdout, stderr string) {
		t.Helper()
		text := "role :replica\nmaster 'https://primary.example.com'\norganizations ['acme']\n" + settings
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errOut bytes.Buffer
		code = exec(t.Context(), []string{"ec-syncd", "--config", file, "ready"}, &out, &errOut)
		return code, out.String(), errOut.String()
	}
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "localhost"} {
		if code, out, errOut := run(fmt.Sprintf("metrics_address '%s:%s'", host, port)); code != exitOK || out != "as I said\n" {
			t.Errorf("ready, at %s: exit code %d, %q, %q", host, code, out, errOut)
		}
	}
	status = http.StatusServiceUnavailable
	if code, _, errOut := run(fmt.Sprintf("metrics_address '127.0.0.1:%s'", port)); code != exitFailed || !strings.Contains(errOut, "503 Service Unavailable: as I said") {
		t.Errorf("not ready: exit code %d, %q", code, errOut)
	}
	s.Close()
	if code, _, errOut := run(fmt.Sprintf("metrics_address '127.0.0.1:%s'", port)); code != exitFailed || !strings.Contains(errOut, "refused") {
		t.Errorf("nobody there: exit code %d, %q", code, errOut)
	}
	if code, _, errOut := run(""); code != exitUsage || !strings.Contains(errOut, "sets no metrics_address") {
		t.Errorf("without metrics_address: exit code %d, %q", code, errOut)
	}
}

func TestReachable(t *testing.T) {
	for address, want := range map[string]string{
		"0.0.0.0:1": "127.0.0.1:1", ":1": "127.0.0.1:1", "[::]:1": "[::1]:1", "10.0.0.1:1": "10.0.0.1:1", "host:1": "host:1",
	} {
		if got := reachable(address); got != want {
			t.Errorf("%s is reached at %s, want %s", address, got, want)
		}
	}
}
