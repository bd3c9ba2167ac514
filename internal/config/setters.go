package config

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A setter reads the value of one setting into the configuration, or reports why
// it cannot.
type setter func(r *reader, name string, v node)

// wrong reports a value of the wrong type.
func (r *reader) wrong(name string, v node, want string) {
	r.fail(v.pos, name+" cannot be "+v.what(), "write "+want)
}

// ignored accepts whatever value a setting without effect has.
func ignored(*reader, string, node) {}

// anyText accepts a string; finish reads it.
func anyText(r *reader, name string, v node) {
	if _, ok := v.val.(string); !ok && v.val != nil {
		r.wrong(name, v, "a string, as in 'https://chef.example.com'")
		r.drop(name)
	}
}

// text reads a string.
func text(to func(*reader) *string) setter {
	return func(r *reader, name string, v node) {
		s, ok := v.val.(string)
		if !ok {
			r.wrong(name, v, "a string in quotes")
			return
		}
		*to(r) = s
	}
}

// label reads a string that must not be empty and has no spaces or slashes.
func label(to func(*reader) *string) setter {
	return func(r *reader, name string, v node) {
		s, ok := v.word()
		switch {
		case !ok:
			r.wrong(name, v, "a string in quotes")
		case s == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == '/' || c == 0x7f }):
			r.fail(v.pos, fmt.Sprintf("%s cannot be %s", name, quote(s)), "write a word without spaces and slashes")
		default:
			*to(r) = s
			r.understood(name, s)
		}
	}
}

// deployment reads the name of a Worker Deployment, or "". Temporal writes its
// versions as NAME:BUILD, and of old as NAME.BUILD.
func deployment(r *reader, name string, v node) {
	s, ok := v.val.(string)
	switch {
	case !ok:
		r.wrong(name, v, "a string in quotes")
	case strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || strings.ContainsRune(":./\x7f", c) }):
		r.fail(v.pos, name+" cannot be "+quote(s), "write a word without spaces, slashes, colons and dots, as in 'chef-sync'")
	default:
		r.cfg.Temporal.Deployment = s
	}
}

// file reads the name of a file or directory, relative to the configuration.
func file(to func(*reader) *string) setter {
	return func(r *reader, name string, v node) {
		s, ok := v.val.(string)
		if !ok {
			r.wrong(name, v, "a path in quotes")
			return
		}
		if s != "" && !filepath.IsAbs(s) {
			s = filepath.Join(r.dir, s)
		}
		*to(r) = s
		r.understood(name, s)
	}
}

// directory is file, without "".
func directory(to func(*reader) *string) setter {
	return func(r *reader, name string, v node) {
		if v.val == "" {
			r.fail(v.pos, name+" is empty", "write a path in quotes, or leave the setting out")
			return
		}
		file(to)(r, name, v)
	}
}

// flag reads true or false.
func flag(to func(*reader) *bool) setter {
	return func(r *reader, name string, v node) {
		b, ok := v.val.(bool)
		if !ok {
			r.wrong(name, v, "true or false, without quotes")
			return
		}
		*to(r) = b
	}
}

// number reads an integer between least and most.
func number[T int | int64](to func(*reader) *T, least, most int64) setter {
	return func(r *reader, name string, v node) {
		n, ok := v.val.(int64)
		if !ok {
			r.wrong(name, v, "a whole number without quotes")
			return
		}
		if n < least || n > most {
			r.fail(v.pos, fmt.Sprintf("%s cannot be %d", name, n), fmt.Sprintf("write a number from %d to %d", least, most))
			return
		}
		*to(r) = T(n)
	}
}

// duration reads seconds, or a string such as '5m'.
func duration(to func(*reader) *time.Duration, least, most time.Duration) setter {
	const want = "seconds, as in 30, or a duration in quotes, as in '30s', '5m' or '1h30m'"
	return func(r *reader, name string, v node) {
		var d time.Duration
		switch x := v.val.(type) {
		case int64:
			d = seconds(float64(x))
		case float64:
			d = seconds(x)
		case string:
			var ok bool
			if d, ok = parseDuration(x); !ok {
				r.fail(v.pos, name+" cannot be "+quote(x), "write "+want)
				return
			}
		default:
			r.wrong(name, v, want)
			return
		}
		if d < least || d > most {
			r.fail(v.pos, fmt.Sprintf("%s cannot be %v", name, v), fmt.Sprintf("write a duration from '%v' to '%v'", least, most))
			return
		}
		*to(r) = d
		r.understood(name, short(d))
	}
}

// hold reads a duration, or :auto.
func hold(r *reader, name string, v node) {
	if word, ok := v.word(); ok && word == "auto" {
		r.cfg.PollHold = HoldAuto
		r.understood(name, symbol(word))
		return
	}
	duration(func(r *reader) *time.Duration { return &r.cfg.PollHold }, 0, time.Minute)(r, name, v)
}

// short prints a duration without zeros at its end: 10m, not 10m0s.
func short(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// parseDuration reads a Go duration, or seconds.
func parseDuration(s string) (time.Duration, bool) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return seconds(f), true
	}
	d, err := time.ParseDuration(strings.ReplaceAll(s, " ", ""))
	return d, err == nil
}

// seconds converts without overflow; what is out of range is out of every
// setting's range, too.
func seconds(s float64) time.Duration {
	if !(math.Abs(s) < 1e9) {
		return math.MinInt64
	}
	return time.Duration(s * float64(time.Second))
}

// choice reads one of a few words, as a symbol or a string.
func choice[T ~string](to func(*reader) *T, words ...T) setter {
	return func(r *reader, name string, v node) {
		s, ok := v.word()
		if ok && slices.Contains(words, T(s)) {
			*to(r) = T(s)
			r.understood(name, symbol(s))
			return
		}
		r.fail(v.pos, fmt.Sprintf("%s cannot be %v", name, v), "write one of "+join(words, func(w T) string { return ":" + string(w) }))
	}
}

func logLevel(r *reader, name string, v node) {
	var word string
	choice(func(*reader) *string { return &word }, "debug", "info", "warn", "error")(r, name, v)
	if word != "" {
		r.understood(name, symbol(word))
		// The four words are those that slog knows.
		_ = r.cfg.LogLevel.UnmarshalText([]byte(word))
	}
}

// words reads a string or an array of strings, without surrounding spaces.
func words(r *reader, name string, v node, want string) ([]node, bool) {
	items, ok := v.val.(list)
	if !ok {
		items = list{v}
	}
	for _, item := range items {
		if s, ok := item.val.(string); !ok || strings.TrimSpace(s) == "" {
			r.fail(item.pos, fmt.Sprintf("%s cannot hold %v", name, item), "write "+want)
			return nil, false
		}
	}
	return items, true
}

var (
	hostPattern     = regexp.MustCompile(`^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)(?::\d{1,5})?$`)
	fileHostPattern = regexp.MustCompile(`^(?:http://)?(?:\[[0-9A-Fa-f:.]+\]|(?:\*\.)?[A-Za-z0-9_][A-Za-z0-9._-]*)(?::\d{1,5})?$`)
)

// hosts reads the hosts of files.
func hosts(to func(*reader) *[]string) setter {
	const want = "hosts as in ['files.example.com', 's3.example.com:9000'], without a path and without https://"
	return func(r *reader, name string, v node) {
		items, ok := words(r, name, v, want)
		if !ok {
			return
		}
		for _, item := range items {
			s := item.val.(string)
			if !fileHostPattern.MatchString(s) {
				r.fail(item.pos, name+" cannot hold "+quote(s), "write "+want)
				continue
			}
			*to(r) = append(*to(r), strings.ToLower(s))
		}
		r.understood(name, *to(r))
	}
}

// address reads host:port.
func address(to func(*reader) *string) setter {
	return func(r *reader, name string, v node) {
		const want = "host:port, as in 'temporal.example.com:7233'"
		s, ok := v.val.(string)
		if !ok {
			r.wrong(name, v, want)
			return
		}
		if _, port, err := net.SplitHostPort(s); s != "" && (err != nil || port == "" || strings.Contains(s, "/")) {
			r.fail(v.pos, name+" cannot be "+quote(s), "write "+want)
			return
		}
		*to(r) = s
	}
}

// pin reads a SHA-256 sum in hex, with or without colons, or base64.
func pin(to func(*reader) *string) setter {
	return func(r *reader, name string, v node) {
		const want = "64 hexadecimal digits, or the same 32 bytes in base64"
		text, ok := v.val.(string)
		if !ok {
			r.wrong(name, v, want)
			return
		}
		text = strings.TrimPrefix(text, "sha256//")
		sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil {
			sum, err = base64.StdEncoding.DecodeString(text)
		}
		if text != "" && (err != nil || len(sum) != sha256.Size) {
			r.fail(v.pos, name+" holds no SHA-256 sum", "write "+want)
			return
		}
		*to(r) = hex.EncodeToString(sum)
		r.understood(name, *to(r))
	}
}

var (
	fieldName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

	// reserved header fields belong to the signature or to net/http.
	reserved = regexp.MustCompile(`^(?i:x-ops-.*|host|content-length|transfer-encoding|connection)$`)
)

// headers reads a hash of header fields. No message repeats a value.
func headers(to func(*reader) *Server) setter {
	return func(r *reader, name string, v node) {
		fields, ok := v.val.(hash)
		if !ok {
			r.wrong(name, v, "a hash, as in { 'X-Proxy-Token' => 'text' }")
			return
		}
		for _, e := range fields {
			key, _ := e.key.word()
			value, isString := e.value.val.(string)
			switch {
			case !fieldName.MatchString(key):
				r.fail(e.key.pos, fmt.Sprintf("%v is not the name of a header field", e.key), "write one as in 'X-Proxy-Token'")
			case reserved.MatchString(key):
				r.fail(e.key.pos, name+" cannot set "+key, "it is set by chef-sync itself: remove it")
			case !isString || strings.ContainsAny(value, "\r\n\x00"):
				r.fail(e.value.pos, "the value of "+key+" is not a string on one line", "write a string in quotes")
			default:
				if to(r).Header == nil {
					to(r).Header = http.Header{}
				}
				to(r).Header.Set(key, value)
			}
		}
	}
}
