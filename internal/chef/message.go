package chef

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds, in bytes, how much of a server's words an error repeats.
const maxMessage = 300

var (
	htmlTitle = regexp.MustCompile(`(?is)<(?:title|h1)[^>]*>(.*?)</(?:title|h1)>`)
	htmlTag   = regexp.MustCompile(`(?s)<[^>]*>`)
	longCode  = regexp.MustCompile(`[A-Za-z0-9+/]{40,}={0,2}`)
	plainHex  = regexp.MustCompile(`^[0-9a-f]+$`)
	xmlCode   = regexp.MustCompile(`(?s)<Error>.*?<Code>([A-Za-z0-9.]{1,64})</Code>`)
)

// An answerForm is what the body of an answer looks like, by its first bytes;
// content types lie too often.
type answerForm int

const (
	formEmpty answerForm = iota
	formJSON
	formMarkup // HTML or XML
	formText
)

func formOf(body []byte) answerForm {
	text := strings.TrimSpace(string(body[:min(len(body), 512)]))
	switch {
	case text == "":
		return formEmpty
	case strings.HasPrefix(text, "<"):
		return formMarkup
	case json.Valid(body):
		return formJSON
	}
	return formText
}

// excerpt is the error text in the body of an answer, fit for people: one line,
// short, and without any text that the request had carried. Bodies that are not
// an error text give "".
func excerpt(body []byte) string {
	switch formOf(body) {
	case formJSON:
		return jsonMessage(body)
	case formMarkup:
		return markupMessage(body)
	case formText:
		line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
		if strings.HasPrefix(line, "{") || strings.HasPrefix(line, "[") {
			return "" // JSON that was cut short, perhaps of an object
		}
		return line
	}
	return ""
}

// jsonMessage understands {"error":["text"]}, {"error":"text"}, {"message":…},
// and a bare array of character codes, which erchef sends when a policy revision
// exists. Other JSON may be an object's body and is not repeated.
func jsonMessage(body []byte) string {
	var codes []rune
	if json.Unmarshal(body, &codes) == nil {
		return string(codes)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		return ""
	}
	message := stringsOf(object["message"])
	text := stringsOf(object["error"])
	if text == "" || (message != "" && !strings.Contains(text, " ")) {
		text = message
	}
	return text
}

// isChefError reports whether body is JSON of the form that the Chef API gives
// its errors, and few others do: with the key error.
func isChefError(body []byte) bool {
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		return bytes.HasPrefix(bytes.TrimSpace(body), []byte("["))
	}
	return object["error"] != nil
}

// stringsOf returns the string, or the strings of the array, that raw is.
func stringsOf(raw json.RawMessage) string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return strings.Join(many, "; ")
	}
	var codes []rune
	if json.Unmarshal(raw, &codes) == nil {
		return string(codes)
	}
	return ""
}

// markupMessage is a page's title, or the code of a file store's XML. The rest
// of such XML repeats the signature that was sent, so it is left alone.
func markupMessage(body []byte) string {
	if code := storeMessage(body); code != "" {
		return code
	}
	if m := htmlTitle.FindSubmatch(body); m != nil {
		return html.UnescapeString(htmlTag.ReplaceAllString(string(m[1]), ""))
	}
	return ""
}

// clean makes one short line of a server's words. A server may quote what it
// does not like, and data bag items are secret; so out goes every string that
// sent, the JSON body of the request, holds, but for words of the path; all from
// the beginning of a JSON object on; and what could be a signature or a key.
func clean(message string, sent []byte, path string) string {
	if before, _, found := strings.Cut(message, "{"); found {
		message = before + "…"
	}
	message = longCode.ReplaceAllStringFunc(message, func(s string) string {
		if plainHex.MatchString(s) {
			return s // a checksum, or a policy revision's id
		}
		return "…"
	})
	for _, secret := range sentStrings(sent, path) {
		message = strings.ReplaceAll(message, secret, "…")
	}
	message = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, message)
	message = strings.Join(strings.Fields(message), " ")
	if len(message) <= maxMessage {
		return message
	}
	cut := maxMessage
	for cut > 0 && !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + "…"
}

// withoutHeaders hides in a server's words the values of [Options.Header], whole and
// word by word: a proxy may quote a token that it does not like.
func (c *Client) withoutHeaders(message string) string {
	for _, values := range c.options.Header {
		for _, v := range values {
			for _, secret := range append([]string{v}, strings.Fields(v)...) {
				if len(secret) >= 6 { // or else it would hide what was said
					message = strings.ReplaceAll(message, secret, "…")
				}
			}
		}
	}
	return message
}

// sentStrings returns the string values of a JSON text that are worth hiding,
// longest first, so that no part of one survives the removal of a shorter one.
func sentStrings(sent []byte, path string) []string {
	if len(sent) == 0 {
		return nil
	}
	var value any
	if json.Unmarshal(sent, &value) != nil {
		return nil
	}
	if unescaped, err := url.PathUnescape(path); err == nil {
		path = unescaped
	}
	var out []string
	walkStrings(value, func(s string) {
		if len(s) >= 4 && !strings.Contains(path, s) {
			out = append(out, s)
			if quoted, err := json.Marshal(s); err == nil && len(quoted) != len(s)+2 {
				out = append(out, strings.Trim(string(quoted), `"`))
			}
		}
	})
	sort.Slice(out, func(i, j int) bool { return len(out[i]) > len(out[j]) })
	return out
}

func walkStrings(value any, visit func(string)) {
	switch v := value.(type) {
	case string:
		visit(v)
	case []any:
		for _, e := range v {
			walkStrings(e, visit)
		}
	case map[string]any:
		for _, e := range v {
			walkStrings(e, visit)
		}
	}
}

// storeMessage is the code in a file store's refusal, "" without one. Anything
// else that a file store says may be a piece of a file.
func storeMessage(body []byte) string {
	if m := xmlCode.FindSubmatch(body); m != nil {
		return string(m[1])
	}
	return ""
}

// licenseMessage is what the X-Ops-License header says about the license, ""
// without one. See https://docs.chef.io/licensing/.
func licenseMessage(h http.Header) string {
	var l struct {
		LicenseType        string `json:"licenseType"`
		ExpirationDateTime string `json:"expirationDateTime"`
		WarningMessage     string `json:"warningMessage"`
	}
	text := h.Get("X-Ops-License")
	if text == "" || json.Unmarshal([]byte(text), &l) != nil {
		return ""
	}
	var parts []string
	for _, p := range []struct{ label, text string }{
		{"", l.WarningMessage}, {"type ", l.LicenseType}, {"expires ", l.ExpirationDateTime},
	} {
		if p.text != "" {
			parts = append(parts, p.label+p.text)
		}
	}
	return clean(strings.Join(parts, ", "), nil, "")
}
