// Package webhook tells an HTTP endpoint of what an operator should hear. The URL
// and the header fields may be secrets: no error holds them.
package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"
)

// Timeout bounds one POST.
const Timeout = 10 * time.Second

// Webhook is an endpoint. Make one with [New]; it is safe for concurrent use.
type Webhook struct {
	url     string
	headers string // a file
	client  *http.Client
}

// New returns the endpoint at a URL. Each line "Name: value" of the file headers is
// sent as a header field; it is read for each POST, so that it may be replaced. ""
// is no file.
func New(url, headers string) *Webhook {
	return &Webhook{url: url, headers: headers, client: &http.Client{
		Timeout: Timeout,
		// A redirect would carry the header fields to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Post sends a body of JSON. It returns nil if the answer is a 2xx; trying again is
// the caller's.
func (w *Webhook) Post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("webhook_url is not a URL")
	}
	if err := w.header(req.Header); err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "chef-sync")
	resp, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("POST to webhook_url: %w", plain(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // the connection can be used again then
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("POST to webhook_url: %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return nil
}

// header reads the header fields into h.
func (w *Webhook) header(h http.Header) error {
	if w.headers == "" {
		return nil
	}
	data, err := os.ReadFile(w.headers)
	if err != nil {
		return fmt.Errorf("webhook_headers_file: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !isToken(name) || strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
			return fmt.Errorf("webhook_headers_file: line %d of %s is not 'Name: value'", n, w.headers)
		}
		h.Add(name, value)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("webhook_headers_file: %s: %w", w.headers, err)
	}
	return nil
}

// isToken reports whether a text can be the name of a header field. A text that
// cannot may be a value, and is not to be repeated by net/http.
// Source: RFC 9110, section 5.6.2
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// plain takes out of an error what names the URL.
func plain(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	var dns *net.DNSError
	var op *net.OpError
	var name x509.HostnameError
	switch {
	case errors.As(err, &dns):
		return errors.New("its host has no address")
	case errors.As(err, &name):
		return errors.New("its certificate is one for another host")
	case strings.Contains(err.Error(), "Location"):
		return errors.New("its answer is a redirect to what is no URL")
	case errors.As(err, &op):
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	case strings.Contains(err.Error(), "unsupported protocol scheme"):
		return errors.New("it begins with neither https:// nor http://")
	case strings.Contains(err.Error(), `"`): // a quotation, of an answer that may repeat what was asked
		return errors.New("its answer is not HTTP")
	default:
		return err
	}
}
