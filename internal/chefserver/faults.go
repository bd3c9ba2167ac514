package chefserver

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Fault is a rule: which requests are hit, how often, and with what effect. The
// zero value of every field but Effect means no restriction.
type Fault struct {
	// Method is the HTTP method, such as "GET".
	Method string
	// Path must match the request's path, which begins with
	// /organizations/ORG or /bookshelf, has no query, and is still escaped.
	Path *regexp.Regexp
	// Org is the name of the organization. File URLs belong to none.
	Org string

	// Skip lets so many matching requests pass first.
	Skip int
	// Every hits each k-th matching request after those, beginning with the
	// first; 0 and 1 hit all of them.
	Every int
	// Count ends the rule after so many hits.
	Count int

	Effect Effect
}

// Effect is what a Fault does to a request. Make one with the functions of this
// package that return one.
type Effect struct {
	// before is called in place of the server; a nil reply lets it go on.
	before func(*request) *reply
	// after may change the server's answer.
	after func(*request, *reply)
}

// Rule is an installed Fault.
type Rule struct {
	f    *Faults
	rule Fault
	seen int
	hits int
}

// Hits returns how many requests the rule has hit.
func (r *Rule) Hits() int {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return r.hits
}

// Remove takes the rule out. Requests that it has hit already feel its effect.
func (r *Rule) Remove() {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	r.f.rules = slices.DeleteFunc(r.f.rules, func(o *Rule) bool { return o == r })
}

// Faults is the list of rules of a server. It is safe for concurrent use.
type Faults struct {
	mu    sync.Mutex
	rules []*Rule
}

func newFaults() *Faults { return &Faults{} }

// Add installs a rule. Rules are tried in the order in which they were added,
// and all that hit have their effect; of the effects that answer in place of
// the server the first one counts.
func (f *Faults) Add(rule Fault) *Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &Rule{f: f, rule: rule}
	f.rules = append(f.rules, r)
	return r
}

// Clear removes all rules.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// match counts the request in all rules and returns the effects of those it hit.
func (f *Faults) match(method, path, org string) []Effect {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Effect
	for _, r := range f.rules {
		c := &r.rule
		if c.Method != "" && c.Method != method || c.Org != "" && c.Org != org ||
			c.Path != nil && !c.Path.MatchString(path) {
			continue
		}
		n := r.seen - c.Skip
		r.seen++
		if n < 0 || c.Every > 1 && n%c.Every != 0 || c.Count > 0 && r.hits >= c.Count {
			continue
		}
		r.hits++
		out = append(out, c.Effect)
	}
	return out
}

func answer(make func() *reply) Effect {
	return Effect{before: func(*request) *reply { return make() }}
}

// HTMLPage answers 200 with a page of HTML, as a proxy's error page or nginx's
// welcome page does.
func HTMLPage() Effect {
	return answer(func() *reply { return newReply(http.StatusOK, typeHTML, []byte(welcomePage)) })
}

// EmptyOK answers 200 with nothing, as goiardi does for what it does not know.
func EmptyOK() Effect {
	return answer(func() *reply { return newReply(http.StatusOK, typeJSON, nil) })
}

// Status answers with the status and body, as JSON. The request has no effect.
func Status(status int, body string) Effect {
	return answer(func() *reply { return rawReply(status, []byte(body)) })
}

// RetryAfter answers with the status (429 or 503, say) and a Retry-After header
// of so many seconds.
func RetryAfter(status, seconds int) Effect {
	return answer(func() *reply {
		p := fail(status, "%s", http.StatusText(status))
		p.header.Set("Retry-After", strconv.Itoa(seconds))
		return p
	})
}

// LicenceInvalid answers 403 as a server whose licence has run out.
func LicenceInvalid() Effect {
	return answer(func() *reply {
		p := jsonReply(http.StatusForbidden, newObject("message", "invalid-license"))
		p.header.Set("X-Ops-License", `{"licenseType":"commercial","expirationDateTime":"2026-01-01T00:00:00Z",`+
			`"warningMessage":"Your license has expired","gracePeriod":false}`)
		return p
	})
}

// Forbidden answers 403 as a missing permission does, such as "create". An
// overloaded server says so, now and then, to a requestor that has it.
func Forbidden(permission string) Effect {
	return answer(func() *reply { return forbidden(verb(permission)) })
}

// ClockSkew answers 401 as if the client's clock were wrong.
func ClockSkew() Effect {
	return Effect{before: func(r *request) *reply {
		return denied("Failed to authenticate as '" + r.http.Header.Get("X-Ops-UserId") + "'. Synchronize the clock on your host.")
	}}
}

// Delay holds a request for d, or until its client gives up, and then serves it.
func Delay(d time.Duration) Effect {
	return Effect{before: func(r *request) *reply {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.http.Context().Done():
		}
		return nil
	}}
}

// CutBefore cuts the connection without serving the request.
func CutBefore() Effect {
	return answer(func() *reply {
		p := newReply(0, "", nil)
		p.abort = true
		return p
	})
}

// CutAfter serves the request and cuts the connection without an answer: the
// write is done and its acknowledgement is lost.
func CutAfter() Effect {
	return Effect{after: func(_ *request, p *reply) { p.abort = true }}
}

// DoneBut serves the request and answers something else: the write is done and
// its acknowledgement says that it is not.
func DoneBut(status int, body string) Effect {
	return Effect{after: func(_ *request, p *reply) { *p = *rawReply(status, []byte(body)) }}
}

// CutBody sends the first n bytes of the body and cuts the connection;
// Content-Length promised the whole.
func CutBody(n int) Effect {
	return Effect{after: func(_ *request, p *reply) { p.cutAt = n }}
}

// ShortBody sends the first n bytes of the body as if they were the whole: a
// file that is too short, a list that is no JSON.
func ShortBody(n int) Effect {
	return Effect{after: func(_ *request, p *reply) { p.body = p.body[:min(n, len(p.body))] }}
}

// HalfBody sends the first half of the body as if it were the whole.
func HalfBody() Effect {
	return Effect{after: func(_ *request, p *reply) { p.body = p.body[:len(p.body)/2] }}
}

// CorruptBody changes one byte in the middle of the body.
func CorruptBody() Effect {
	return Effect{after: func(_ *request, p *reply) {
		p.body = slices.Clone(p.body)
		if n := len(p.body); n > 0 {
			p.body[n/2] ^= 0x55
		}
	}}
}

// KeepEntries leaves the first n keys of a JSON object in the answer: a list
// that is incomplete and looks complete.
func KeepEntries(n int) Effect {
	return Effect{after: func(_ *request, p *reply) {
		v, err := parseJSON(p.body)
		o, ok := v.(*object)
		if err != nil || !ok {
			return
		}
		for _, k := range slices.Clone(o.keys[min(n, len(o.keys)):]) {
			o.remove(k)
		}
		p.body = encode(o)
	}}
}

// ExpiredURL answers 403 in XML as the file store does for a URL whose time is
// over.
func ExpiredURL() Effect { return answer(expiredURL) }

// WrongMD5 answers 406 as the file store does for an upload that arrived
// damaged.
func WrongMD5() Effect {
	return answer(func() *reply { return htmlReply(http.StatusNotAcceptable) })
}
