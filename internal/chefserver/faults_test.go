package chefserver

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFaultAnswers(t *testing.T) {
	f := newFixture(t, Options{})
	f.acme(f.root, "POST", "/roles", `{"name":"a"}`).want(201, "")
	f.acme(f.root, "POST", "/roles", `{"name":"b"}`).want(201, "")
	tests := []struct {
		name   string
		effect Effect
		status int
		check  func(*answered) bool
	}{
		{"HTMLPage", HTMLPage(), 200, func(a *answered) bool {
			return a.header.Get("Content-Type") == "text/html" && strings.Contains(a.body, "<html>")
		}},
		{"EmptyOK", EmptyOK(), 200, func(a *answered) bool { return a.body == "" }},
		{"Status", Status(502, "bad gateway"), 502, func(a *answered) bool { return a.body == "bad gateway" }},
		{"RetryAfter", RetryAfter(429, 7), 429, func(a *answered) bool { return a.header.Get("Retry-After") == "7" }},
		{"LicenceInvalid", LicenceInvalid(), 403, func(a *answered) bool {
			return strings.Contains(a.body, `"message":"invalid-license"`) && strings.Contains(a.header.Get("X-Ops-License"), "licenseType")
		}},
		{"Forbidden", Forbidden("create"), 403, func(a *answered) bool { return strings.Contains(a.body, "missing create permission") }},
		{"ClockSkew", ClockSkew(), 401, func(a *answered) bool { return strings.Contains(a.body, "Synchronize the clock") }},
		{"CutBefore", CutBefore(), 0, func(a *answered) bool { return a.err != nil }},
		{"CutAfter", CutAfter(), 0, func(a *answered) bool { return a.err != nil }},
		{"CutBody", CutBody(5), 200, func(a *answered) bool { return a.err != nil && len(a.body) == 5 }},
		{"ShortBody", ShortBody(5), 200, func(a *answered) bool { return a.err == nil && len(a.body) == 5 }},
		{"HalfBody", HalfBody(), 200, func(a *answered) bool {
			_, err := parseJSON([]byte(a.body))
			return a.err == nil && err != nil && a.body != ""
		}},
		{"CorruptBody", CorruptBody(), 200, func(a *answered) bool { return a.body != "" }},
		{"KeepEntries", KeepEntries(1), 200, func(a *answered) bool { return len(a.parsed()) == 1 }},
		{"ExpiredURL", ExpiredURL(), 403, func(a *answered) bool { return strings.Contains(a.body, "Request has expired") }},
		{"WrongMD5", WrongMD5(), 406, func(a *answered) bool { return strings.Contains(a.body, "<html>") }},
	}
	sound := f.acme(f.root, "GET", "/roles", "").body
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A new connection each time: Go repeats a GET on its own when a
			// kept connection breaks.
			f.http.CloseIdleConnections()
			rule := f.s.Faults().Add(Fault{Method: "GET", Path: regexp.MustCompile(`/roles$`), Effect: tt.effect})
			defer rule.Remove()
			got := f.acme(f.root, "GET", "/roles", "")
			got.t = t
			if got.status != tt.status || !tt.check(got) || got.body == sound {
				t.Errorf("answer %d %v %q, error %v", got.status, got.header, got.body, got.err)
			}
			if rule.Hits() != 1 {
				t.Errorf("%d hits", rule.Hits())
			}
		})
	}
	if got := f.acme(f.root, "GET", "/roles", ""); got.body != sound {
		t.Errorf("after all: %s", got.body)
	}
}

func TestFaultSelection(t *testing.T) {
	f := newFixture(t, Options{})
	if _, err := f.s.CreateOrganization("other", "Other"); err != nil {
		t.Fatal(err)
	}
	pattern := func(rule Fault, n int) string {
		rule.Effect = Status(500, "")
		r := f.s.Faults().Add(rule)
		defer r.Remove()
		var b strings.Builder
		for range n {
			if f.do(f.pivotal, "GET", "/organizations/acme/roles", "").status == 500 {
				b.WriteByte('x')
			} else {
				b.WriteByte('.')
			}
		}
		return b.String()
	}
	for _, tt := range []struct {
		rule Fault
		want string
	}{
		{Fault{}, "xxxxxx"},
		{Fault{Count: 2}, "xx...."},
		{Fault{Skip: 2}, "..xxxx"},
		{Fault{Skip: 1, Count: 1}, ".x...."},
		{Fault{Every: 3}, "x..x.."},
		{Fault{Skip: 1, Every: 2, Count: 2}, ".x.x.."},
		{Fault{Method: "PUT"}, "......"},
		{Fault{Org: "other"}, "......"},
		{Fault{Org: "acme"}, "xxxxxx"},
		{Fault{Path: regexp.MustCompile(`/data`)}, "......"},
	} {
		if got := pattern(tt.rule, 6); got != tt.want {
			t.Errorf("%+v hits %s, want %s", tt.rule, got, tt.want)
		}
	}
	f.s.Faults().Add(Fault{Effect: Status(500, "")})
	f.s.Faults().Clear()
	f.do(f.pivotal, "GET", "/organizations/other/roles", "").want(200, "")
}

// TestLostAcknowledgement: the write is done although nobody hears of it.
func TestLostAcknowledgement(t *testing.T) {
	f := newFixture(t, Options{})
	for name, tt := range map[string]struct {
		effect Effect
		status int
	}{"after": {CutAfter(), 200}, "before": {CutBefore(), 404}} {
		rule := f.s.Faults().Add(Fault{Method: "POST", Effect: tt.effect})
		if got := f.acme(f.root, "POST", "/roles", `{"name":"`+name+`"}`); got.err == nil {
			t.Errorf("%s: answered %d", name, got.status)
		}
		rule.Remove()
		f.acme(f.root, "GET", "/roles/"+name, "").want(tt.status, "")
	}
}

func TestDelay(t *testing.T) {
	f := newFixture(t, Options{})
	f.s.Faults().Add(Fault{Effect: Delay(80 * time.Millisecond), Count: 1})
	start := time.Now()
	f.acme(f.root, "GET", "/roles", "").want(200, "{}")
	if d := time.Since(start); d < 80*time.Millisecond {
		t.Errorf("answered after %v", d)
	}
}

func TestFileFaults(t *testing.T) {
	f := newFixture(t, Options{})
	content := strings.Repeat("0123456789", 1000)
	sum := f.upload(content)[0]
	f.acme(f.root, "PUT", "/cookbooks/a/1.0.0", manifest("a", "1.0.0", false, "files/x="+sum)).want(201, "")
	url := f.files("/cookbooks/a/1.0.0")[sum]
	once := func(e Effect) *answered {
		f.s.Faults().Add(Fault{Method: "GET", Path: regexp.MustCompile(`^/bookshelf/`), Count: 1, Effect: e})
		return f.get(url)
	}
	if got := once(CutBody(5000)); got.err == nil || len(got.body) != 5000 {
		t.Errorf("cut: %d bytes, %v", len(got.body), got.err)
	}
	if got := once(ShortBody(5000)); got.err != nil || len(got.body) != 5000 {
		t.Errorf("short: %d bytes, %v", len(got.body), got.err)
	}
	if got := once(CorruptBody()); got.err != nil || len(got.body) != len(content) || got.body == content {
		t.Errorf("corrupt: %d bytes, %v", len(got.body), got.err)
	}
	f.get(url).want(200, content)
}

// TestConcurrentUpload shows erchef's race, on request only.
func TestConcurrentUpload(t *testing.T) {
	for _, fails := range []bool{false, true} {
		f := newFixture(t, Options{ConcurrentUploadFails: fails})
		sum := hexMD5("same")
		_, urls := f.sandbox(sum)
		// The first upload is held open in the middle of its body while the
		// second one runs.
		first := make(chan *answered, 1)
		body := &heldBody{started: make(chan struct{}), release: make(chan struct{}), text: strings.NewReader("same")}
		r, err := http.NewRequestWithContext(t.Context(), "PUT", urls[sum], body)
		if err != nil {
			t.Fatal(err)
		}
		probe := f.fileRequest(urls[sum], sum, "same")
		r.Header, r.ContentLength = probe.Header, 4
		go func() { first <- f.send(r) }()
		<-body.started
		for f.uploading(sum) == 0 {
			time.Sleep(time.Millisecond)
		}
		want := map[bool]int{false: 204, true: 500}[fails]
		f.send(probe).want(want, "")
		close(body.release)
		(<-first).want(204, "")
		st := f.s.Stats()
		if st.MaxSameUpload != 2 || st.Uploads["acme/"+sum] != map[bool]int{false: 2, true: 1}[fails] {
			t.Errorf("fails=%t: %+v", fails, st)
		}
	}
}

func (f *fixture) uploading(sum string) int {
	files := f.s.organization("acme").files
	files.mu.Lock()
	defer files.mu.Unlock()
	return files.uploading[sum]
}

func (f *fixture) fileRequest(url, sum, content string) *http.Request {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), "PUT", url, strings.NewReader(content))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {uploadType}, "Content-Md5": {base64MD5(sum)}}
	return r
}

// heldBody gives its text only after release is closed.
type heldBody struct {
	once             sync.Once
	started, release chan struct{}
	text             *strings.Reader
}

func (b *heldBody) Read(p []byte) (int, error) {
	b.once.Do(func() { close(b.started) })
	<-b.release
	return b.text.Read(p)
}
