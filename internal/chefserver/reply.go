package chefserver

import (
	"compress/gzip"
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const (
	typeJSON = "application/json"
	typeHTML = "text/html"
	typeXML  = "application/xml"
	typeText = "text/plain"
)

// gzipMinBytes is the smallest JSON answer that is compressed. Below it the
// header costs more than is saved.
const gzipMinBytes = 1024

// reply is one answer, complete before a byte of it is sent, so that a fault can
// still change or withhold it.
type reply struct {
	status int
	ctype  string
	body   []byte
	header http.Header
	// cutAt, when not negative, is the number of body bytes after which the
	// connection is cut although Content-Length promised the whole.
	cutAt int
	// abort withholds the answer and cuts the connection.
	abort bool
	// wrote is the path of the object that was written, see Stats.Writes.
	wrote string
}

func newReply(status int, ctype string, body []byte) *reply {
	return &reply{status: status, ctype: ctype, body: body, header: http.Header{}, cutAt: -1}
}

func jsonReply(status int, v any) *reply { return newReply(status, typeJSON, encode(v)) }

func rawReply(status int, body []byte) *reply { return newReply(status, typeJSON, body) }

// fail is the usual error answer, {"error":["text"]}.
func fail(status int, format string, args ...any) *reply {
	return jsonReply(status, newObject("error", []string{fmt.Sprintf(format, args...)}))
}

// failText is the rarer form {"error":"text"}, which the key and association
// endpoints use.
func failText(status int, format string, args ...any) *reply {
	return jsonReply(status, newObject("error", fmt.Sprintf(format, args...)))
}

// htmlReply is what webmachine and nginx say on their own account.
func htmlReply(status int) *reply {
	text := html.EscapeString(http.StatusText(status))
	body := fmt.Sprintf("<html><head><title>%d %s</title></head><body><h1>%s</h1></body></html>", status, text, text)
	return newReply(status, typeHTML, []byte(body))
}

// created is 201 with the object's address, in the body and in Location.
func created(uri string) *reply { return jsonReply(http.StatusCreated, newObject("uri", uri)).at(uri) }

func (p *reply) at(uri string) *reply {
	p.header.Set("Location", uri)
	return p
}

// writes notes that the request was an accepted write of the object at path.
func (p *reply) writes(path string) *reply {
	p.wrote = path
	return p
}

var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, 2)
	if err != nil {
		panic(err) // The level is a constant that gzip knows.
	}
	return w
}}

// send writes the answer. It panics with http.ErrAbortHandler when the
// connection is to be cut.
func (p *reply) send(w http.ResponseWriter, r *http.Request) {
	if p.abort {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	for k, v := range p.header {
		h[k] = v
	}
	if p.ctype != "" {
		h.Set("Content-Type", p.ctype)
	}
	h.Set("Server", "chefserver")
	if p.status == http.StatusNoContent {
		w.WriteHeader(p.status)
		return
	}
	if p.cutAt < 0 && p.ctype == typeJSON && len(p.body) >= gzipMinBytes &&
		strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		p.sendGzip(w)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(p.body)))
	w.WriteHeader(p.status)
	if r.Method == http.MethodHead {
		return
	}
	if p.cutAt < 0 {
		w.Write(p.body) //nolint:errcheck // The client is gone: nobody is left to tell.
		return
	}
	w.Write(p.body[:min(p.cutAt, len(p.body))]) //nolint:errcheck // As above.
	http.NewResponseController(w).Flush()       //nolint:errcheck // As above.
	panic(http.ErrAbortHandler)
}

func (p *reply) sendGzip(w http.ResponseWriter) {
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Vary", "Accept-Encoding")
	w.WriteHeader(p.status)
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	z.Reset(w)
	z.Write(p.body) //nolint:errcheck // The client is gone: nobody is left to tell.
	z.Close()       //nolint:errcheck // As above.
}
