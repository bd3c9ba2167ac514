package feedserver

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
)

// checkTime bounds a look for a Chef server.
const checkTime = 5 * time.Second

// A Validator asks the Chef server on this host who signed a request: keys,
// clock and membership are then judged by the server whose objects they are
// about. erchef answers GET /organizations/ORG/validate/PATH about a request of
// PATH with the same headers, to its own host only.
type Validator struct {
	url    string // without a slash at the end
	client *http.Client
}

// NewValidator returns a Validator of the Chef server at a URL on loopback. Over
// https its certificate, which is for another name, is not verified: what listens
// on this host is the operator's.
func NewValidator(root string) (*Validator, error) {
	u, err := url.Parse(root)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the URL of the Chef server on this host is no URL: %q", root)
	}
	return &Validator{url: strings.TrimRight(root, "/"), client: &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			Proxy:               nil,                                   // never, on loopback
			TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
			MaxIdleConnsPerHost: 8, MaxConnsPerHost: 16, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Check asks about a request that nobody signed, and returns nil if the answer is
// no, as a Chef server says it.
func (v *Validator) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	const nobody = "chef-sync-nobody"
	r := &Request{Org: nobody, Path: "/organizations/" + nobody + "/updated_since", Header: http.Header{}, Signature: &chef.Signature{User: nobody}}
	r.Header.Set("X-Ops-Userid", nobody)
	r.Header.Set("X-Ops-Sign", "algorithm=sha1;version=1.0;")
	r.Header.Set("X-Ops-Timestamp", time.Now().UTC().Format("2006-01-02T15:04:05Z"))
	r.Header.Set("X-Ops-Content-Hash", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=") // of nothing
	r.Header.Set("X-Ops-Authorization-1", "bm9ib2R5")
	status, text, err := v.ask(ctx, r)
	if err != nil {
		return err
	}
	_, err = judge(status, text, nobody)
	switch {
	case err == nil:
		return fmt.Errorf("what answers at %s says yes to everything", v.url)
	case errors.Is(err, ErrDenied) && json.Valid(text), errors.Is(err, changelog.ErrNoOrganization):
		return nil
	case errors.Is(err, ErrDenied), errors.Is(err, ErrClock), errors.Is(err, ErrNotMember):
		return fmt.Errorf("what answers %d at %s is no Chef server", status, v.url)
	}
	return err
}

// Authenticate asks. See [Authenticator].
func (v *Validator) Authenticate(ctx context.Context, r *Request) (Requestor, error) {
	if url.PathEscape(r.Org) != r.Org || strings.Trim(r.Org, ".") == "" {
		return Requestor{}, changelog.ErrNoOrganization // no name of one, and it would ask for another path
	}
	status, text, err := v.ask(ctx, r)
	if err != nil {
		return Requestor{}, err
	}
	return judge(status, text, r.Signature.User)
}

// ask asks and returns the answer.
func (v *Validator) ask(ctx context.Context, r *Request) (status int, text []byte, err error) {
	target := v.url + "/organizations/" + url.PathEscape(r.Org) + "/validate" + r.Path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, strings.NewReader(string(r.Body)))
	if err != nil {
		return 0, nil, ErrDenied // a path that no client would send
	}
	copySignature(req.Header, r.Header)
	resp, err := v.client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the Chef server who signed: %w", err)
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, nil, fmt.Errorf("ask the Chef server who signed: %w", err)
	}
	return resp.StatusCode, text, nil
}

// copySignature copies what a signature is made of, each header once, as it was
// read here. The header that has erchef take another key (X-Ops-Request-Source)
// is not among them.
func copySignature(to, from http.Header) {
	names := []string{"X-Ops-Sign", "X-Ops-Userid", "X-Ops-Timestamp", "X-Ops-Content-Hash", "X-Ops-Server-Api-Version"}
	for n := 1; ; n++ {
		name := "X-Ops-Authorization-" + strconv.Itoa(n)
		if from.Get(name) == "" {
			break
		}
		names = append(names, name)
	}
	for _, name := range names {
		if value := from.Get(name); value != "" {
			to.Set(name, value)
		}
	}
	to.Set("X-Chef-Version", "18.0.0") // or nginx takes it for a browser's
	to.Set("Accept", "application/json")
}

// judge reads the Chef server's answer about a request of user.
func judge(status int, text []byte, user string) (Requestor, error) {
	var body struct {
		Name  string `json:"requestor_name"`
		Type  string `json:"requestor_type"`
		Error any    `json:"error"`
	}
	isJSON := json.Unmarshal(text, &body) == nil
	says := fmt.Sprint(body.Error)
	switch {
	case status == http.StatusOK && isJSON && body.Name == user && (body.Type == "user" || body.Type == "client"):
		return Requestor{Name: body.Name, Client: body.Type == "client"}, nil
	case status == http.StatusUnauthorized && strings.Contains(says, "Synchronize the clock"):
		return Requestor{}, ErrClock
	case status == http.StatusUnauthorized, status == http.StatusBadRequest && isJSON:
		return Requestor{}, ErrDenied
	case status == http.StatusForbidden && strings.Contains(says, "not associated with organization"):
		return Requestor{}, ErrNotMember
	case status == http.StatusNotFound && isJSON && strings.Contains(says, "organization"):
		return Requestor{}, changelog.ErrNoOrganization
	default:
		return Requestor{}, fmt.Errorf("the Chef server answers %d to the question who signed, and not as it should", status)
	}
}
