package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// server is one organization on one Chef server.
type server struct {
	side
	base     *url.URL
	key      *rsa.PrivateKey
	http     *http.Client
	requests atomic.Int64
}

// open reads the key. No request is made.
func (s side) open(parallel int) (*server, error) {
	base, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(s.key)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", s.key)
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.key, err)
	}
	transport := &http.Transport{MaxIdleConns: 2 * parallel, MaxIdleConnsPerHost: 2 * parallel}
	return &server{side: s, base: base, key: key, http: &http.Client{Transport: transport, Timeout: time.Minute}}, nil
}

// api makes one signed request. path is relative to the organization; body and
// answer may be nil.
func (s *server) api(ctx context.Context, method, path string, query string, body []byte, answer any) error {
	u := *s.base
	u.Path += path
	u.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Chef-Version", "14.0.0")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if err := s.sign(req, body); err != nil {
		return err
	}
	data, err := s.send(req)
	if err != nil || answer == nil {
		return err
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// sign signs a request by version 1.3 of the protocol.
func (s *server) sign(req *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	hash := base64.StdEncoding.EncodeToString(sum[:])
	now := time.Now().UTC().Format(time.RFC3339)
	text := strings.Join([]string{
		"Method:" + req.Method, "Path:" + req.URL.EscapedPath(), "X-Ops-Content-Hash:" + hash, "X-Ops-Sign:version=1.3",
		"X-Ops-Timestamp:" + now, "X-Ops-UserId:" + s.user, "X-Ops-Server-API-Version:" + s.side.api,
	}, "\n")
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, digest[:])
	if err != nil {
		return err
	}
	h := req.Header
	h.Set("X-Ops-Sign", "algorithm=sha256;version=1.3;")
	h.Set("X-Ops-Userid", s.user)
	h.Set("X-Ops-Timestamp", now)
	h.Set("X-Ops-Content-Hash", hash)
	h.Set("X-Ops-Server-API-Version", s.side.api)
	lines := base64.StdEncoding.EncodeToString(signature)
	for i := 1; lines != ""; i++ {
		n := min(60, len(lines))
		h.Set("X-Ops-Authorization-"+strconv.Itoa(i), lines[:n])
		lines = lines[n:]
	}
	return nil
}

// download reads a file from the URL that a manifest gave.
func (s *server) download(ctx context.Context, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	return s.send(req)
}

// upload writes a file to the URL that a sandbox gave.
func (s *server) upload(ctx context.Context, to string, sum, data []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum))
	req.Header.Set("Content-Type", "application/x-binary")
	_, err = s.send(req)
	return err
}

// send returns the body of a success.
func (s *server) send(req *http.Request) ([]byte, error) {
	s.requests.Add(1)
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode > 299 {
		err = errors.New(resp.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	return data, nil
}
