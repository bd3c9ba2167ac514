package feedserver

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
)

// minCompressed is the size from which an answer is worth compressing.
const minCompressed = 1 << 10

// answer is what is sent back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// asJSON answers v, which is of types of ours that encode.
func asJSON(status int, v any) *answer {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return &answer{status, http.Header{"Content-Type": {"application/json"}}, bytes.TrimSuffix(b.Bytes(), []byte("\n"))}
}

// fail answers an error in erchef's form.
func fail(status int, format string, args ...any) *answer {
	return asJSON(status, map[string][]string{"error": {strings.ToValidUTF8(fmt.Sprintf(format, args...), "?")}})
}

// denied is 401 with erchef's challenge.
func denied(text string) *answer {
	a := fail(http.StatusUnauthorized, "%s", text)
	a.header.Set("Www-Authenticate", `X-Ops-Sign version="1.0" version="1.1"`)
	return a
}

func noOrganization(org string) *answer {
	return fail(http.StatusNotFound, "organization '%s' does not exist.", org)
}

func notMember(user, org string) *answer {
	return fail(http.StatusForbidden, "'%s' not associated with organization '%s'", user, org)
}

// unavailable asks to come again.
func unavailable(text string) *answer {
	a := fail(http.StatusServiceUnavailable, "%s", text)
	a.header.Set("Retry-After", "5")
	return a
}

// gone is 410 with the reason for people and for machines.
func gone(err error) *answer {
	body := struct {
		Error []string `json:"error"`
		*changelog.GoneError
	}{Error: []string{err.Error()}}
	_ = errors.As(err, &body.GoneError) // or the words alone
	return asJSON(http.StatusGone, body)
}

// entry is a change, with its fields in the order of the documentation.
type entry struct {
	Action string `json:"action"`
	ID     int64  `json:"id"`
	Path   string `json:"path"`
}

// pageAnswer is a page.
func pageAnswer(p changelog.Page) *answer {
	entries := make([]entry, 0, len(p.Entries))
	for _, e := range p.Entries {
		entries = append(entries, entry{e.Action, e.ID, e.Path})
	}
	a := asJSON(http.StatusOK, entries)
	a.header.Set("X-Chef-Sync-Org-Guid", p.OrgGUID)
	a.header.Set("X-Chef-Sync-Epoch", p.Epoch)
	a.header.Set("X-Chef-Sync-Head", strconv.FormatInt(p.Head, 10))
	a.header.Set("X-Chef-Sync-Floor", strconv.FormatInt(p.Floor, 10))
	a.header.Set("X-Chef-Sync-Fresh", "1") // the parameter is understood
	a.header.Set("Cache-Control", "no-store")
	return a
}

// send writes the answer, compressed if that is wanted and worth it.
func (a *answer) send(w http.ResponseWriter, r *http.Request) {
	body := a.body
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	if len(body) >= minCompressed {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, err := z.Write(body)
			if err == nil && z.Close() == nil {
				h.Set("Content-Encoding", "gzip")
				body = b.Bytes()
			}
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // whoever asked may be gone
	}
}

// acceptsGzip reads Accept-Encoding.
func acceptsGzip(h http.Header) bool {
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, q, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q = strings.TrimPrefix(strings.ReplaceAll(q, " ", ""), "q=")
			v, err := strconv.ParseFloat(q, 64)
			return q == "" || err == nil && v > 0
		}
	}
	return false
}
