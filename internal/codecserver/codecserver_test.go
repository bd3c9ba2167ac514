package codecserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const webUI = "http://127.0.0.1:8233"

// reversed is a codec that anybody can read; it cannot decode "broken".
type reversed struct{}

func (reversed) Encode(in []*common.Payload) ([]*common.Payload, error) { return turn(in), nil }

func (reversed) Decode(in []*common.Payload) ([]*common.Payload, error) {
	if string(in[0].GetData()) == "broken" {
		return nil, status.Error(codes.DataLoss, "add its line there")
	}
	return turn(in), nil
}

func turn(in []*common.Payload) []*common.Payload {
	var out []*common.Payload
	for _, p := range in {
		data := []byte(p.GetData())
		for i, j := 0, len(data)-1; i < j; i, j = i+1, j-1 {
			data[i], data[j] = data[j], data[i]
		}
		out = append(out, &common.Payload{Metadata: p.GetMetadata(), Data: data})
	}
	return out
}

// The bodies are as the Web UI sends them. YWJj is abc, Y2Jh is cba, YnJva2Vu is broken.
const (
	abc    = `{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"YWJj"}]}`
	cba    = `{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"Y2Jh"}]}`
	broken = `{"payloads":[{"data":"YnJva2Vu"}]}`
)

func TestHandler(t *testing.T) {
	h := New(Options{Codec: reversed{}, Namespace: "default", Origins: []string{webUI, "https://temporal.example.com"}})
	for name, c := range map[string]struct {
		method, path, host, body string
		header                   map[string]string
		code                     int
		want                     string
	}{
		"decode":                   {path: "/decode", body: abc, code: 200, want: cba},
		"encode":                   {path: "/encode", body: abc, code: 200, want: cba},
		"below a path":             {path: "/default/decode", body: abc, code: 200, want: cba},
		"its namespace":            {path: "/encode", body: abc, header: map[string]string{"X-Namespace": "default"}, code: 200, want: cba},
		"encode, other namespace":  {path: "/encode", body: abc, header: map[string]string{"X-Namespace": "shop"}, code: 200, want: abc},
		"decode, other namespace":  {path: "/decode", body: abc, header: map[string]string{"X-Namespace": "shop"}, code: 200, want: cba},
		"from the Web UI":          {path: "/decode", body: abc, header: map[string]string{"Origin": webUI}, code: 200, want: cba},
		"from another page":        {path: "/decode", body: abc, header: map[string]string{"Origin": "http://evil.example.com"}, code: 403, want: "--origin"},
		"from a page without":      {path: "/decode", body: abc, header: map[string]string{"Origin": "null"}, code: 403, want: "may not ask"},
		"a name for loopback":      {path: "/decode", host: "evil.example.com:8081", body: abc, code: 403, want: "Host"},
		"a name like localhost":    {path: "/decode", host: "localhost.example.com", body: abc, code: 403, want: "Host"},
		"another address":          {path: "/decode", host: "192.0.2.1:8081", body: abc, code: 403, want: "Host"},
		"no host":                  {path: "/decode", host: "-", body: abc, code: 403, want: "Host"},
		"localhost":                {path: "/decode", host: "localhost:9", body: abc, code: 200, want: cba},
		"IPv6":                     {path: "/decode", host: "[::1]:8081", body: abc, code: 200, want: cba},
		"IPv6 without a port":      {path: "/decode", host: "[::1]", body: abc, code: 200, want: cba},
		"preflight of other page":  {method: "OPTIONS", path: "/decode", header: map[string]string{"Origin": "http://evil.example.com"}, code: 403},
		"preflight for other host": {method: "OPTIONS", path: "/decode", host: "evil.example.com", header: map[string]string{"Origin": webUI}, code: 403},
		"GET":                      {method: "GET", path: "/decode", code: 405, want: "POST payloads"},
		"another path":             {path: "/", body: abc, code: 404},
		"cannot be decoded":        {path: "/decode", body: broken, code: 400, want: "add its line there"},
		"no JSON":                  {path: "/decode", body: "<xml>", code: 400},
	} {
		r := httptest.NewRequest(or(c.method, "POST"), c.path, strings.NewReader(c.body))
		if r.Host = or(c.host, "127.0.0.1:8081"); r.Host == "-" {
			r.Host = ""
		}
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); w.Code != c.code || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d, %s; want %d with %s", name, w.Code, got, c.code, c.want)
		}
		if origin := w.Header().Get("Access-Control-Allow-Origin"); (origin != "") != (c.header["Origin"] == webUI && w.Code < 300) {
			t.Errorf("%s: Access-Control-Allow-Origin is %q", name, origin)
		}
		if w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "rpc error") {
			t.Errorf("%s: %v %s", name, w.Header(), w.Body)
		}
	}
}

func or(s, without string) string {
	if s == "" {
		return without
	}
	return s
}

// TestPreflight is what a browser asks before the Web UI may.
func TestPreflight(t *testing.T) {
	h := New(Options{Codec: reversed{}, Origins: []string{webUI}})
	r := httptest.NewRequest("OPTIONS", "http://127.0.0.1:8081/decode", nil)
	r.Header.Set("Origin", webUI)
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,x-namespace")
	r.Header.Set("Access-Control-Request-Private-Network", "true")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": webUI, "Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Headers":         "Authorization, Authorization-Extras, Content-Type, X-Namespace",
		"Access-Control-Allow-Private-Network": "true", "Vary": "Origin",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if w.Code != http.StatusNoContent {
		t.Errorf("code %d", w.Code)
	}
}

// endless is a body that is much too large, which counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 4*maxBody {
		return 0, io.EOF
	}
	e.read += len(p)
	return len(p), nil
}

func TestLargeRequest(t *testing.T) {
	h := New(Options{Codec: reversed{}})
	for _, told := range []int64{maxBody + 1, -1} {
		body := &endless{}
		r := httptest.NewRequest("POST", "http://127.0.0.1/decode", body)
		r.ContentLength = told
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code < 400 || w.Code > 499 || body.read > 2*maxBody || told > 0 && (w.Code != 413 || body.read > 0) {
			t.Errorf("Content-Length %d: code %d after %d bytes", told, w.Code, body.read)
		}
	}
}

func TestOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"http://127.0.0.1:8233": "http://127.0.0.1:8233", "https://Temporal.Example.com/": "https://temporal.example.com",
		"https://t.example.com:443": "https://t.example.com", "http://t:80": "http://t", "https://t:80": "https://t:80",
		"http://[::1]:8233": "http://[::1]:8233", "http://[::1]": "http://[::1]",
		"*": "", "": "", "https://*.example.com": "", "null": "", "temporal.example.com": "", "file:///tmp": "",
		"https://t/path": "", "https://me@t": "", "https://t?x": "", "http://": "",
	} {
		if got, err := Origin(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestListen(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0"} {
		if l, err := Listen(t.Context(), address); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("%s: %v, %v; want %v", address, l, err, ErrNotLoopback)
		}
	}
	if _, err := Listen(t.Context(), "8081"); err == nil {
		t.Error("a port alone is an address")
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:0", "127.0.0.2:0"} {
		l, err := Listen(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
			t.Errorf("%s listens on %s", address, l.Addr())
		}
		_ = l.Close()
	}
}

// TestServeEnds: a request that is under way when the server ends is answered.
func TestServeEnds(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	l, err := Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(asked)
			<-ctx.Done()
			fmt.Fprint(w, "to the end")
		}))
	}()
	go func() { <-asked; end() }()
	r, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if got, err := io.ReadAll(r.Body); err != nil || string(got) != "to the end" {
		t.Errorf("answer %q, %v", got, err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * endTimeout):
		t.Error("the server has not ended")
	}
}
