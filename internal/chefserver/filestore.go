package chefserver

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // Chef names files by it.
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// fileStorePrefix is the first part of the path of every file URL.
	fileStorePrefix = "bookshelf"
	// uploadType is the content type that is part of an upload's signature.
	uploadType = "application/x-binary"
	// maxFileBytes is nginx's client_max_body_size.
	maxFileBytes = 250 << 20

	amzDate = "20060102T150405Z"
)

// fileStore holds the files of one organization, and which of them its database
// knows of. The two can differ, as they can on a real server.
type fileStore struct {
	// rows counts the references of each registered checksum. It is guarded by
	// the organization's mu.
	rows map[string]int

	mu        sync.Mutex
	blobs     map[string][]byte
	uploading map[string]int
	// dying names blobs without a row that only wait for the clean-up.
	dying map[string]bool
}

func newFileStore() *fileStore {
	return &fileStore{
		rows: map[string]int{}, blobs: map[string][]byte{},
		uploading: map[string]int{}, dying: map[string]bool{},
	}
}

func (f *fileStore) get(sum string) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.blobs[sum]
	return b, ok
}

func (f *fileStore) has(sum string) bool {
	_, ok := f.get(sum)
	return ok
}

func (f *fileStore) put(sum string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blobs[sum] = data
	delete(f.dying, sum)
}

func (f *fileStore) drop(sums ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sum := range sums {
		delete(f.blobs, sum)
		delete(f.dying, sum)
	}
}

func (f *fileStore) doom(sums ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sum := range sums {
		f.dying[sum] = true
	}
}

// cleanUp removes the blobs that were doomed and not uploaded again.
func (f *fileStore) cleanUp() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.dying)
	for sum := range f.dying {
		delete(f.blobs, sum)
	}
	clear(f.dying)
	return n
}

// beginUpload notes an upload and returns how many of the same file are under
// way, this one included.
func (f *fileStore) beginUpload(sum string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uploading[sum]++
	return f.uploading[sum]
}

func (f *fileStore) endUpload(sum string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.uploading[sum]--; f.uploading[sum] == 0 {
		delete(f.uploading, sum)
	}
}

// link counts one more reference of a registered checksum.
func (f *fileStore) link(sum string) bool {
	n, ok := f.rows[sum]
	if ok {
		f.rows[sum] = n + 1
	}
	return ok
}

// unlink drops a reference and, with the last, the row. It reports whether the
// row is gone.
func (f *fileStore) unlink(sum string) bool {
	n, ok := f.rows[sum]
	if !ok {
		return false
	}
	if n <= 1 {
		delete(f.rows, sum)
		return true
	}
	f.rows[sum] = n - 1
	return false
}

// signedFile is what the signature of a file URL covers. The URLs look like
// those of S3's version 4 signing, with a secret of our own.
type signedFile struct {
	method, path, date, expires, headers, host, md5, ctype string
}

func (f signedFile) sign(secret []byte) string {
	m := hmac.New(sha256.New, secret)
	for _, s := range []string{f.method, f.path, f.date, f.expires, f.headers, f.host, f.md5, f.ctype} {
		fmt.Fprintf(m, "%d:%s\n", len(s), s)
	}
	return hex.EncodeToString(m.Sum(nil))
}

func filePath(org *organization, sum string) string {
	return "/" + fileStorePrefix + "/organization-" + org.guid + "/checksum-" + sum
}

// presign completes a file URL that is good for ttl from now on.
func (r *request) presign(f signedFile, ttl time.Duration) string {
	f.host = r.http.Host
	f.date = r.s.now().Format(amzDate)
	f.expires = strconv.Itoa(int(ttl / time.Second))
	// Written out and not through url.Values: a manifest has hundreds of these.
	return r.base() + f.path + "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=chefserver" +
		"&X-Amz-Date=" + f.date + "&X-Amz-Expires=" + f.expires +
		"&X-Amz-SignedHeaders=" + url.QueryEscape(f.headers) + "&X-Amz-Signature=" + f.sign(r.s.urlSecret)
}

func (r *request) downloadURL(sum string) string {
	return r.presign(signedFile{method: "GET", path: filePath(r.org, sum), headers: "host"}, r.s.opts.URLTTL)
}

func (r *request) uploadURL(sum string) string {
	f := signedFile{method: "PUT", path: filePath(r.org, sum), headers: "content-md5;content-type;host", ctype: uploadType}
	if raw, err := hex.DecodeString(sum); err == nil {
		f.md5 = base64.StdEncoding.EncodeToString(raw)
	}
	return r.presign(f, uploadTTL)
}

// xmlFail is an error of the file store.
func xmlFail(status int, code, message string) *reply {
	return newReply(status, typeXML, []byte(`<?xml version="1.0" encoding="UTF-8"?>`+
		"<Error><Code>"+code+"</Code><Message>"+message+"</Message></Error>"))
}

func expiredURL() *reply { return xmlFail(http.StatusForbidden, "AccessDenied", "Request has expired") }

// answerFile serves a file URL. No Chef header matters here.
func (s *Server) answerFile(r *request) *reply {
	r.route = &route{pattern: "/" + fileStorePrefix + "/FILE"}
	if len(r.segments) != 3 {
		return xmlFail(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
	guid, ok1 := strings.CutPrefix(r.segments[1], "organization-")
	sum, ok2 := strings.CutPrefix(r.segments[2], "checksum-")
	org := s.organizationByGUID(guid)
	if !ok1 || !ok2 || org == nil {
		return xmlFail(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist.")
	}
	r.org, r.args = org, []string{sum}
	switch r.http.Method {
	case http.MethodGet, http.MethodHead:
		if p := s.checkFileURL(r, "GET"); p != nil {
			return p
		}
		return download(r, sum)
	case http.MethodPut:
		if r.http.Header.Get("Content-Type") == "" {
			return htmlReply(http.StatusInternalServerError) // bookshelf crashes.
		}
		if p := s.checkFileURL(r, "PUT"); p != nil {
			return p
		}
		return upload(r, sum)
	}
	p := htmlReply(http.StatusMethodNotAllowed)
	p.header.Set("Allow", "HEAD, GET, PUT")
	return p
}

func (s *Server) checkFileURL(r *request, method string) *reply {
	q := r.http.URL.Query()
	f := signedFile{
		method: method, path: r.path, date: q.Get("X-Amz-Date"), expires: q.Get("X-Amz-Expires"),
		headers: q.Get("X-Amz-SignedHeaders"), host: r.http.Host,
	}
	if strings.Contains(f.headers, "content-md5") {
		f.md5, f.ctype = r.http.Header.Get("Content-MD5"), r.http.Header.Get("Content-Type")
	}
	if !hmac.Equal([]byte(f.sign(s.urlSecret)), []byte(q.Get("X-Amz-Signature"))) {
		return xmlFail(http.StatusForbidden, "SignatureDoesNotMatch",
			"The request signature we calculated does not match the signature you provided.")
	}
	at, err := time.Parse(amzDate, f.date)
	seconds, err2 := strconv.Atoi(f.expires)
	if err != nil || err2 != nil || s.now().After(at.Add(time.Duration(seconds)*time.Second)) {
		return expiredURL()
	}
	return nil
}

// download answers a file. Like bookshelf it takes the Accept header for the
// content type, whatever the file is.
func download(r *request, sum string) *reply {
	data, ok := r.org.files.get(sum)
	if !ok {
		return xmlFail(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
	ctype := r.http.Header.Get("Accept")
	if ctype == "" || strings.Contains(ctype, "*") || strings.Contains(ctype, ",") || ctype == typeJSON {
		ctype = "application/octet-stream"
	}
	p := newReply(http.StatusOK, ctype, data)
	if raw, err := hex.DecodeString(sum); err == nil {
		p.header.Set("Etag", `"`+base64.StdEncoding.EncodeToString(raw)+`"`)
	}
	return p
}

// upload stores a file if its content has the MD5 that names it.
func upload(r *request, sum string) *reply {
	files := r.org.files
	n := files.beginUpload(sum)
	defer files.endUpload(sum)
	r.s.stats.uploads(n)
	data, err := io.ReadAll(io.LimitReader(r.http.Body, maxFileBytes+1))
	if err != nil {
		return htmlReply(http.StatusBadRequest)
	}
	if len(data) > maxFileBytes {
		return htmlReply(http.StatusRequestEntityTooLarge)
	}
	if n > 1 && r.s.opts.ConcurrentUploadFails {
		return htmlReply(http.StatusInternalServerError)
	}
	if md5Hex(data) != strings.ToLower(sum) {
		return htmlReply(http.StatusNotAcceptable)
	}
	files.put(sum, data)
	return newReply(http.StatusNoContent, "", nil)
}

func md5Hex(data []byte) string {
	sum := md5.Sum(data) //nolint:gosec // See the import.
	return hex.EncodeToString(sum[:])
}
