package chef

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/tests/certs"
)

func sumOf(data []byte) string {
	sum := md5.Sum(data)
	return hex.EncodeToString(sum[:])
}

func opener(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func TestSandbox(t *testing.T) {
	var seen []wire
	c := testClient(t, recorder(&seen, says(201, `{"sandbox_id":"s1","uri":"x","checksums":{
		"`+strings.ToUpper(md5a)+`":{"needs_upload":true,"url":"https://chef/a"},"`+md5b+`":{"needs_upload":false}}}`)))
	got, err := c.CreateSandbox(t.Context(), []string{strings.ToUpper(md5b), md5a, md5b})
	if err != nil {
		t.Fatal(err)
	}
	want := &Sandbox{ID: "s1", Uploads: map[string]string{md5a: "https://chef/a"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sandbox (-want +got):\n%s", diff)
	}
	wantSent := []wire{{"POST", "/organizations/acme/sandboxes", `{"checksums":{"` + md5a + `":null,"` + md5b + `":null}}`}}
	if diff := cmp.Diff(wantSent, seen); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for _, sums := range [][]string{nil, {"abc"}, {md5a, ""}} {
		if _, err := c.CreateSandbox(t.Context(), sums); !errors.Is(err, ErrInvalid) {
			t.Errorf("CreateSandbox(%q): got %v, want ErrInvalid", sums, err)
		}
	}
	for name, body := range map[string]string{
		"empty": "", "no id": `{"checksums":{"` + md5a + `":{"needs_upload":false}}}`, "another checksum": `{"sandbox_id":"s","checksums":{"` + md5b + `":{"needs_upload":false}}}`,
		"no URL": `{"sandbox_id":"s","checksums":{"` + md5a + `":{"needs_upload":true}}}`, "no state": `{"sandbox_id":"s","checksums":{"` + md5a + `":{}}}`,
	} {
		if got, err := testClient(t, says(201, body)).CreateSandbox(t.Context(), []string{md5a}); !errors.Is(err, ErrNotChef) {
			t.Errorf("CreateSandbox answered with %s: got %v, %v", name, got, err)
		}
	}
}

func TestCommitSandbox(t *testing.T) {
	gone := says(404, `{"error":["Invalid sandbox"]}`)
	for _, tt := range []struct {
		name   string
		server http.HandlerFunc
		check  func(error) bool
	}{
		{"committed", says(200, `{}`), func(err error) bool { return err == nil }},
		{"twice", gone, IsNotFound},
		{"twice because the first answer was lost", inTurn(breaksOff, gone), func(err error) bool { return err == nil }},
		{"gone while the server was in maintenance", inTurn(says(503, ""), gone), IsNotFound},
		{"passing trouble of the store", inTurn(says(503, ""), says(200, "{}")), func(err error) bool { return err == nil }},
		{"incomplete", says(503, `{"error":["Committed incomplete sandbox"]}`), func(err error) bool {
			return errors.Is(err, ErrMissingFiles) && Classify(err) == ClassRetry
		}},
		{"incomplete, goiardi", says(503, `{"error":["Checksum x not uploaded yet"]}`), func(err error) bool { return errors.Is(err, ErrMissingFiles) }},
	} {
		if err := testClient(t, tt.server).CommitSandbox(t.Context(), "s1"); !tt.check(err) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestUploadOnTheWire(t *testing.T) {
	for _, data := range [][]byte{[]byte("puts 1\n"), {}, bytes.Repeat([]byte("x"), 3<<20)} {
		var got *http.Request
		var body []byte
		c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusNoContent)
		}, func(o *Options) { o.Header = http.Header{"Tenant-Id": {"t1"}} })
		sum := md5.Sum(data)
		if err := c.UploadFile(t.Context(), c.URL()+"/bookshelf/x?Signature=a%2Fb", sumOf(data), int64(len(data)), opener(data)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(body, data) || got.ContentLength != int64(len(data)) || len(got.TransferEncoding) > 0 {
			t.Errorf("%d bytes arrived, length %d, encoding %q; want %d bytes", len(body), got.ContentLength, got.TransferEncoding, len(data))
		}
		if got.RequestURI != "/bookshelf/x?Signature=a%2Fb" {
			t.Errorf("sent to %s", got.RequestURI)
		}
		for name := range got.Header {
			if strings.HasPrefix(name, "X-") || name == "Accept" || name == "Tenant-Id" || name == "Authorization" {
				t.Errorf("the file store got the header %s", name)
			}
		}
		if got.Header.Get("Content-Md5") != base64.StdEncoding.EncodeToString(sum[:]) || got.Header.Get("Content-Type") != "application/x-binary" {
			t.Errorf("headers are %v", got.Header)
		}
	}
}

func TestUploadErrors(t *testing.T) {
	data := []byte("puts 1\n")
	read := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			says(status, body)(w, r)
		}
	}
	for _, tt := range []struct {
		name   string
		server http.HandlerFunc
		is     error
		class  Class
	}{
		{"S3 accepts", read(200, ""), nil, ClassNone},
		{"a passing error", inTurn(read(500, ""), breaksOff, read(204, "")), nil, ClassNone},
		{"expired", read(403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"), ErrURLExpired, ClassRetry},
		{"wrong bytes, S3", read(400, "<Error><Code>BadDigest</Code></Error>"), ErrChecksum, ClassObject},
		{"wrong bytes, bookshelf", read(406, "<html>"), ErrChecksum, ClassObject},
		{"too large", read(413, "<html>"), nil, ClassObject},
		{"store down", read(503, ""), nil, ClassRetry},
		{"refused before the body was read", says(403, ""), ErrURLExpired, ClassRetry},
	} {
		c := testClient(t, tt.server)
		err := c.UploadFile(t.Context(), "/f", sumOf(data), int64(len(data)), opener(data))
		if Classify(err) != tt.class || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: got %v of class %s, want %v of class %s", tt.name, err, Classify(err), tt.is, tt.class)
		}
	}
	c := testClient(t, read(204, ""), noRetries)
	disk := errors.New("disk on fire")
	for _, tt := range []struct {
		name string
		size int64
		open func() (io.ReadCloser, error)
		is   error
	}{
		{"other content", 7, opener([]byte("puts 2\n")), ErrChecksum},
		{"longer", 7, opener([]byte("puts 1\nputs 2\n")), ErrChecksum},
		{"shorter", 7, opener([]byte("puts")), ErrChecksum},
		{"said to be empty", 0, opener(nil), ErrChecksum},
		{"cannot be opened", 7, func() (io.ReadCloser, error) { return nil, disk }, disk},
		{"cannot be read", 7, func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(disk)), nil }, disk},
	} {
		if err := c.UploadFile(t.Context(), "/f", sumOf(data), tt.size, tt.open); !errors.Is(err, tt.is) {
			t.Errorf("a file with %s: got %v, want %v", tt.name, err, tt.is)
		}
	}
	if err := c.UploadFile(t.Context(), "/f", "abc", 7, opener(data)); !errors.Is(err, ErrInvalid) {
		t.Errorf("no MD5: got %v", err)
	}
}

// bookshelf fails the next request on a connection on which it has refused one.
func TestConnectionIsClosedAfterAFileError(t *testing.T) {
	want := []int32{1, 1, 1, 2}
	for name, start := range map[string]func(*httptest.Server){"http": (*httptest.Server).Start, "https": (*httptest.Server).StartTLS} {
		var got []int32
		// net/http keeps no connection whose request seems not to be written 50 ms after
		// its answer: so it may look on a machine that stands still.
		for try := 0; try < 5 && !slices.Equal(got, want); try++ {
			got = connectionsOfUploads(t, start)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v connections after each upload, want %v", name, got, want)
		}
	}
}

// connectionsOfUploads uploads four files, of which the third is refused, and returns
// how many connections there were after each.
func connectionsOfUploads(t *testing.T, start func(*httptest.Server)) (after []int32) {
	t.Helper()
	cert := certs.SelfSigned(t, time.Hour, "127.0.0.1")
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(inTurn(says(204, ""), says(204, ""), says(406, ""), says(204, "")))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert.Certificate}}
	start(server)
	defer server.Close()
	c := clientOf(t, server.URL, noRetries, func(o *Options) { o.TLS.CAFile = cert.File })
	for range 4 {
		_ = c.UploadFile(t.Context(), "/f", sumOf([]byte("a")), 1, opener([]byte("a")))
		after = append(after, conns.Load())
	}
	return after
}

func TestDownload(t *testing.T) {
	data := make([]byte, 300_000)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	whole := says(200, string(data))
	half := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:len(data)/2])
	}
	for _, tt := range []struct {
		name   string
		server http.HandlerFunc
		is     error
		class  Class
	}{
		{"whole", whole, nil, ClassNone},
		{"after passing errors", inTurn(says(500, ""), breaksOff, whole), nil, ClassNone},
		{"damaged", says(200, string(data[1:])), ErrChecksum, ClassObject},
		{"empty", says(200, ""), ErrChecksum, ClassObject},
		{"cut short", half, nil, ClassRetry},
		{"expired", says(403, "<Error><Code>AccessDenied</Code></Error>"), ErrURLExpired, ClassRetry},
		{"lost", says(404, "<Error><Code>NoSuchKey</Code></Error>"), ErrFileMissing, ClassObject},
		{"no content", says(204, ""), ErrNotChef, ClassPair},
		{"proxy wants a password", says(407, ""), ErrNotChef, ClassPair},
		{"wants https", says(400, "<title>400 The plain HTTP request was sent to HTTPS port</title>"), ErrTLS, ClassPair},
		{"redirect", says(302, ""), ErrNotChef, ClassPair},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var header http.Header
			c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
				header = r.Header
				tt.server(w, r)
			})
			var out bytes.Buffer
			n, err := c.DownloadFile(t.Context(), c.URL()+"/f?Signature=x", strings.ToUpper(sumOf(data)), &out)
			if Classify(err) != tt.class || tt.is != nil && !errors.Is(err, tt.is) || int(n) != out.Len() {
				t.Errorf("got %d of %d bytes, %v of class %s; want %v of class %s", n, out.Len(), err, Classify(err), tt.is, tt.class)
			}
			if tt.class == ClassNone && !bytes.Equal(out.Bytes(), data) {
				t.Error("the bytes are not those of the file")
			}
			if IsNotFound(err) {
				t.Errorf("%v passes for an object that does not exist", err)
			}
			if len(header) > 1 {
				t.Errorf("the file store got the headers %v", header)
			}
		})
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestDownloadIntoABrokenWriter(t *testing.T) {
	full := errors.New("disk full")
	c := testClient(t, says(200, "a"))
	if _, err := c.DownloadFile(t.Context(), "/f", sumOf([]byte("a")), brokenWriter{full}); !errors.Is(err, full) || Classify(err) != ClassRetry {
		t.Errorf("got %v, want the writer's error", err)
	}
}

// A file may take longer than the time-out as long as bytes keep moving.
func TestTransferTimeout(t *testing.T) {
	// A machine that stands still for long breaks off what is steady: it gets more time.
	var err error
	for step := 20 * time.Millisecond; step < 2*time.Second; step *= 4 {
		if err = transfers(t, step); err == nil {
			return
		}
	}
	t.Errorf("slow but steady: %v", err)
}

// transfers moves bytes at this pace. The error is that of what is steady.
func transfers(t *testing.T, step time.Duration) error {
	t.Helper()
	stall := make(chan struct{})
	defer close(stall)
	slow := func(w http.ResponseWriter, r *http.Request) {
		for range 8 {
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(step)
		}
		if r.URL.Path == "/stall" {
			<-stall
		}
	}
	c := testClient(t, slow, noRetries, func(o *Options) { o.Timeout = 5 * step })
	if _, err := c.DownloadFile(t.Context(), "/slow", sumOf([]byte("aaaaaaaa")), io.Discard); err != nil {
		return err
	}
	if _, err := c.DownloadFile(t.Context(), "/stall", sumOf([]byte("aaaaaaaa")), io.Discard); Classify(err) != ClassRetry || !errors.Is(err, errTimeout) {
		t.Errorf("stalled: got %v, want a time-out", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), step)
	defer cancel()
	c = testClient(t, slow, noRetries)
	if _, err := c.DownloadFile(ctx, "/slow", sumOf(nil), io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: got %v, want the context's error", err)
	}
	return nil
}

func TestFileHosts(t *testing.T) {
	for _, tt := range []struct {
		server  string
		allowed []string
		file    string
		ok      bool
	}{
		{"https://chef", nil, "https://chef/f", true},
		{"https://chef", nil, "https://CHEF:443/f", true},
		{"https://chef", nil, "/f?x=1", true},
		{"https://chef/prefix", nil, "f", true},
		{"http://goiardi:4545", nil, "http://goiardi:4545/file_store/x", true},
		{"https://chef", nil, "http://chef/f", false},
		{"https://chef", nil, "http://chef:443/f", false},
		{"https://chef", []string{"chef"}, "http://chef/f", false},
		{"https://chef", []string{"http://chef"}, "http://chef/f", true},
		{"https://chef", nil, "https://chef:8443/f", false},
		{"https://chef", nil, "//elsewhere/f", false},
		{"https://chef", nil, "https://elsewhere/f", false},
		{"https://chef", nil, "https://chef@elsewhere/f", false},
		{"https://chef", nil, "https://user:pass@chef/f", false},
		{"https://chef", nil, "https://chef.elsewhere/f", false},
		{"https://chef", nil, "file:///etc/passwd", false},
		{"https://chef", nil, "ftp://chef/f", false},
		{"https://chef", []string{"s3.example.com"}, "https://s3.example.com:9000/f", true},
		{"https://chef", []string{"S3.example.com:9000"}, "https://s3.example.com:9000/f", true},
		{"https://chef", []string{"s3.example.com:9000"}, "https://s3.example.com/f", false},
		{"https://chef", []string{"s3.example.com"}, "https://bucket.s3.example.com/f", false},
		{"https://chef", []string{"*.s3.example.com"}, "https://bucket.s3.example.com/f", true},
		{"https://chef", []string{"*.s3.example.com"}, "https://s3.example.com.evil/f", false},
		{"https://chef", []string{"https://s3.example.com/"}, "http://s3.example.com/f", false},
		{"http://chef", []string{"vm"}, "http://vm:4545/f", true},
		{"https://[::1]:8443", []string{"[::2]:9000"}, "https://[::2]:9000/f", true},
	} {
		c, err := New(Options{URL: tt.server, FileHosts: tt.allowed, User: "u", Key: testKey()})
		if err != nil {
			t.Errorf("%v: %v", tt, err)
			continue
		}
		got, err := c.fileURL(http.MethodGet, tt.file)
		if (err == nil) != tt.ok {
			t.Errorf("server %s, allowed %q, file %s: got %v, %v; want ok %t", tt.server, tt.allowed, tt.file, got, err, tt.ok)
		}
		if err != nil && (!errors.Is(err, ErrForeignHost) || Classify(err) != ClassPair || Hint(err) == "") {
			t.Errorf("file %s: got %v with hint %q, want ErrForeignHost with a hint", tt.file, err, Hint(err))
		}
		if err == nil && !got.IsAbs() {
			t.Errorf("file %s: got the relative URL %s", tt.file, got)
		}
	}
	c := testClient(t, says(200, ""))
	foreign := "https://elsewhere.example.com/f?Signature=hunter2"
	if _, err := c.DownloadFile(t.Context(), foreign, md5a, io.Discard); !errors.Is(err, ErrForeignHost) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("download: got %v", err)
	}
	if err := c.UploadFile(t.Context(), foreign, md5a, 1, opener(nil)); !errors.Is(err, ErrForeignHost) {
		t.Errorf("upload: got %v", err)
	}
	if _, err := c.DownloadFile(t.Context(), "https://x\x7f?hunter2", md5a, io.Discard); Classify(err) != ClassPair || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no URL at all: got %v", err)
	}
}

func TestDownloadFromAnAllowedHost(t *testing.T) {
	files := httptest.NewServer(says(200, "a"))
	defer files.Close()
	u, err := url.Parse(files.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := testClient(t, says(500, ""), func(o *Options) { o.FileHosts = []string{u.Host} })
	if _, err := c.DownloadFile(t.Context(), files.URL+"/f", sumOf([]byte("a")), io.Discard); err != nil {
		t.Error(err)
	}
}
