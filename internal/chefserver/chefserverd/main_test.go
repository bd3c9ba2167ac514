package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0", "-dir", dir, "-org", "acme", "-feed"}, in, io.Discard)
	}()
	line := make([]byte, 256)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`http://[0-9.:]+`).FindString(string(line[:n]))
	resp, err := http.Get(url + "/_status")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(body), "pong") {
		t.Errorf("status %s", body)
	}
	for _, name := range []string{"pivotal.pem", "acme-validator.pem"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(path)
		if info.Mode().Perm() != 0o600 || !bytes.HasPrefix(data, []byte("-----BEGIN RSA PRIVATE KEY-----")) {
			t.Errorf("%s: mode %v, content %.30q", name, info.Mode(), data)
		}
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("run = %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("run did not end")
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{{"-no-such-flag"}, {"argument"}, {"-dir", t.TempDir(), "-org", "No!"}, {"-dir", t.TempDir(), "-listen", "nowhere"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("run(%q) = nil", args)
		}
	}
}
