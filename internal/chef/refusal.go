package chef

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/chef-sync/chef-sync/internal/pace"
)

// clockSlack is the difference of clocks from which a 401 is blamed on it.
// erchef and goiardi allow 15 minutes; the Date header is as old as the answer.
const clockSlack = 14 * time.Minute

// refused makes the error for an answer of the API that is no success.
func (c *Client) refused(r *request, status int, h http.Header, body []byte) *APIError {
	words := excerpt(body)
	e := &APIError{
		Method:     r.method,
		URL:        r.shown,
		Status:     status,
		Message:    clean(c.withoutHeaders(words), r.sent, r.url.EscapedPath()),
		RetryAfter: retryAfter(h, c.now()),
	}
	form := formOf(body)
	text := strings.ToLower(words) // what an object holds may hide a word of the message
	switch {
	case isInBetween(status):
		e.class, e.Err = ClassPair, ErrNotChef
		e.Hint = hintInBetween
	case status == http.StatusBadRequest && form != formJSON && tlsProblem(body) != "":
		e.class, e.Err = ClassPair, ErrTLS
		e.Hint = tlsProblem(body)
	case status >= 300 && status < 400:
		e.class, e.Err = ClassPair, ErrNotChef
		e.Message = "the answer is a redirect"
		if to, err := r.url.Parse(h.Get("Location")); err == nil && h.Get("Location") != "" {
			e.Message += " to " + shownFile(to)
		}
		e.Hint = "redirects are not followed: put the URL that it leads to in the configuration"
	case status == http.StatusBadRequest && isAboutSigning(text):
		e.class, e.Err = ClassPair, ErrCredentials
		e.Hint = "the server does not understand how requests are signed: set the signing version that it knows, " +
			"and look for a proxy that takes out headers"
	case status == http.StatusUnauthorized:
		c.refusedSignature(e, text, h)
	case status == http.StatusForbidden:
		c.refusedPermission(e, r, text, form, h)
	case status == http.StatusNotFound:
		c.refusedNotFound(e, r, text, form, body)
	case status == http.StatusNotAcceptable:
		e.class, e.Err = ClassPair, ErrAPIVersion
		e.Hint = fmt.Sprintf("chef-sync speaks API versions 0 to %d; look for a proxy that changes the Accept header", newestAPIVersion)
	case status == http.StatusGone:
		e.class, e.Err = ClassPair, ErrGone
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		e.class = ClassRetry
		if status == http.StatusServiceUnavailable && isIncomplete(text) {
			e.Err = ErrMissingFiles
		}
	default:
		e.class = ClassObject
		e.Err = objectReason(status, text)
	}
	return e
}

const hintInBetween = "a proxy or gateway answered, not the Chef server: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY of this process, and the server URL"

// isInBetween reports whether a status is one that no Chef server gives, whatever it
// is asked for: only what stands before it does.
func isInBetween(status int) bool {
	switch status {
	case http.StatusProxyAuthRequired, http.StatusMisdirectedRequest, http.StatusUpgradeRequired, http.StatusRequestHeaderFieldsTooLarge:
		return true
	}
	return status < 200
}

// tlsProblem says what helps if the page of a 400 is about TLS, which concerns every
// request; "" if it is about something else. The words are those of nginx, Apache and
// Go's server.
func tlsProblem(page []byte) string {
	text := strings.ToLower(string(page))
	for _, words := range []string{"plain http request was sent to https port", "plain http to an ssl-enabled server port", "http request to an https server"} {
		if strings.Contains(text, words) {
			return "the server speaks TLS on this port: write https:// in the server URL"
		}
	}
	if strings.Contains(text, "no required ssl certificate was sent") || strings.Contains(text, "ssl certificate error") {
		return "the server wants a client certificate that it trusts: see master_tls['client_cert'] or replica_tls['client_cert']"
	}
	return ""
}

// isAboutSigning reports whether a 400 is about the headers that every request has.
// Fields and objects may have authentication in their names.
func isAboutSigning(text string) bool {
	return strings.Contains(text, "authentication header") || strings.Contains(text, "authentication protocol") ||
		strings.Contains(text, "bad header(s) 'x-ops")
}

// isIncomplete reports whether a refusal is about files that were not uploaded.
func isIncomplete(text string) bool {
	return strings.Contains(text, "incomplete sandbox") || strings.Contains(text, "been uploaded") || strings.Contains(text, "not uploaded")
}

func objectReason(status int, text string) error {
	switch {
	case status == http.StatusBadRequest && isIncomplete(text):
		return ErrMissingFiles
	case status == http.StatusConflict && strings.Contains(text, " frozen"): // no name begins with a space
		return ErrFrozen
	}
	return nil
}

// refusedSignature tells a wrong clock from a wrong key, by the server's words
// and by its own time.
func (c *Client) refusedSignature(e *APIError, text string, h http.Header) {
	e.class, e.Err = ClassPair, ErrCredentials
	e.Hint = fmt.Sprintf("the server does not accept the signature of %q: check the user name, "+
		"and that its public key on this server belongs to the private key in use", c.User())
	var off time.Duration
	date, err := http.ParseTime(h.Get("Date"))
	if err == nil {
		off = c.now().Sub(date).Round(time.Second)
	}
	if !strings.Contains(text, "clock") && off.Abs() < clockSlack {
		return
	}
	e.Err = ErrClock
	e.Hint = "check NTP on both hosts"
	switch {
	case err != nil:
	case off >= 0:
		e.Hint += fmt.Sprintf(": this host is %s ahead of the server", off)
	default:
		e.Hint += fmt.Sprintf(": this host is %s behind the server", -off)
	}
}

// refusedPermission tells the license, the membership and a proxy from a
// permission on one object. erchef refuses an ACL without a word.
// Source: oc_chef_wm_acl, https://github.com/chef/chef-server
func (c *Client) refusedPermission(e *APIError, r *request, text string, form answerForm, h http.Header) {
	switch {
	case strings.Contains(text, "invalid-license"):
		e.class, e.Err = ClassPair, ErrLicense
		if says := licenseMessage(h); says != "" {
			e.Message += " (" + says + ")"
		}
		e.Hint = "the server's license has to be renewed (chef-server-ctl or Automate) before anything can be copied"
	case strings.Contains(text, "not associated with organization"):
		e.class, e.Err = ClassPair, ErrNotMember
		e.Hint = fmt.Sprintf("add the user: chef-server-ctl org-user-add %s %s", c.organization, c.User())
	case form == formEmpty && r.route == "acls":
		e.class, e.Message, e.permission = ClassObject, "missing grant permission (an empty answer)", true
		e.Hint = fmt.Sprintf("give user %q the permission to grant on this object, or make it an admin of the organization", c.User())
	case form != formJSON:
		e.class, e.Err = ClassPair, ErrNotChef
		e.Hint = "a proxy or an address ban of the server's nginx answered, not the Chef API"
	default:
		e.class, e.permission = ClassObject, strings.Contains(text, "permission")
		e.Hint = fmt.Sprintf("give user %q the permission on this object, or make it an admin of the organization", c.User())
	}
}

// refusedNotFound finds out which of the four meanings a 404 has: no such
// object, no such organization, no such route, or no Chef server at all.
func (c *Client) refusedNotFound(e *APIError, r *request, text string, form answerForm, body []byte) {
	switch {
	case form == formJSON && strings.Contains(text, "organization") && strings.Contains(text, "does not exist"):
		e.class, e.Err = ClassPair, ErrOrgNotFound
		e.Hint = fmt.Sprintf("create the organization %q on the server, or correct its name", c.organization)
	case form == formJSON && isChefError(body):
		e.class = ClassObject
	case (form == formMarkup || form == formEmpty) && inPolicies(r.path):
		// erchef itself answers so for an absent policy, revision or group.
		e.class = ClassObject
	default:
		e.class, e.Err = ClassPair, ErrNoRoute
		if e.Message == "" {
			e.Message = "Not Found"
		}
		e.Message += " (not an answer of the Chef API)"
		e.Hint = "check the server URL and the proxies before it"
		if c.organization == "" {
			e.Hint += "; does the URL lack /organizations/NAME?"
		}
	}
}

// retryAfter reads a Retry-After header, in seconds or as a date, which is one of the
// server's clock; at most [pace.MaxAlone], after which it can be asked for again.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return min(time.Duration(min(seconds, 86400))*time.Second, pace.MaxAlone)
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return min(at.Sub(now), pace.MaxAlone)
	}
	return 0
}
