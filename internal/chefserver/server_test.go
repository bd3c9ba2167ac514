package chefserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestStats(t *testing.T) {
	f := newFixture(t, Options{})
	f.s.ResetStats()
	f.acme(f.root, "POST", "/roles", `{"name":"a"}`).want(201, "")
	f.acme(f.root, "PUT", "/roles/a", `{"description":"x"}`).want(200, "")
	f.acme(f.root, "PUT", "/roles/a", `{"description":"x"}`).want(200, "")
	f.acme(f.root, "PUT", "/roles/a", `{"color":1}`).want(400, "")
	f.acme(f.root, "GET", "/nothing", "").want(404, "")
	sum := f.upload("content")[0]
	f.acme(f.root, "PUT", "/cookbooks/c/1.0", manifest("c", "1.0", false, "files/x="+sum)).want(201, "")
	f.get(f.files("/cookbooks/c/1.0")[sum]).want(200, "content")
	f.s.Faults().Add(Fault{Effect: EmptyOK(), Count: 1})
	f.acme(f.root, "GET", "/roles", "").want(200, "")
	got := f.s.Stats()
	wantRequests := map[string]int{
		"POST /organizations/ORG/roles": 1, "PUT /organizations/ORG/roles/NAME": 3, "GET unknown": 1,
		"POST /organizations/ORG/sandboxes": 1, "PUT /organizations/ORG/sandboxes/ID": 1,
		"PUT /bookshelf/FILE": 1, "GET /bookshelf/FILE": 1, "GET fault": 1,
		"PUT /organizations/ORG/cookbooks/NAME/VERSION": 1, "GET /organizations/ORG/cookbooks/NAME/VERSION": 1,
	}
	if !maps.Equal(got.Requests, wantRequests) {
		t.Errorf("requests\n got %v\nwant %v", got.Requests, wantRequests)
	}
	wantWrites := map[string]int{"acme/roles/a": 3, "acme/cookbooks/c/1.0.0": 1}
	if !maps.Equal(got.Writes, wantWrites) || got.WriteTotal() != 4 {
		t.Errorf("writes %v, want %v", got.Writes, wantWrites)
	}
	if got.Uploads["acme/"+sum] != 1 || got.Downloads["acme/"+sum] != 1 || got.Total != 12 || got.MaxInFlight < 1 || got.Statuses[400] != 1 {
		t.Errorf("stats %+v", got)
	}
	got.Requests["changed"] = 1
	if f.s.Stats().Requests["changed"] != 0 {
		t.Error("Stats is no copy")
	}
}

func TestSnapshot(t *testing.T) {
	f := newFixture(t, Options{})
	empty := f.snapshot()
	for path := range empty.Objects {
		kind, _, _ := strings.Cut(path[1:], "/")
		if path != "/environments/_default" && !slices.Contains([]string{"clients", "groups", "containers"}, kind) {
			t.Errorf("an empty organization has %s", path)
		}
	}
	sums := f.upload("one", "two")
	f.acme(f.root, "POST", "/roles", `{"name":"r","default_attributes":{"b":1,"a":1.50}}`).want(201, "")
	f.acme(f.root, "POST", "/data", `{"name":"b"}`).want(201, "")
	f.acme(f.root, "POST", "/data/b", `{"z":1,"id":"i"}`).want(201, "")
	f.acme(f.root, "PUT", "/cookbooks/c/1.0", manifest("c", "1.0", true, "recipes/b.rb="+sums[1], "recipes/a.rb="+sums[0])).want(201, "")
	d := f.snapshot()
	for path, want := range map[string]string{
		"/data/b":   `{"name":"b"}`,
		"/data/b/i": `{"id":"i","z":1}`,
		"/cookbooks/c/1.0.0": `{"files":[{"checksum":"` + sums[0] + `","path":"recipes/a.rb","specificity":"default"},` +
			`{"checksum":"` + sums[1] + `","path":"recipes/b.rb","specificity":"default"}],"frozen?":true,"metadata":{"name":"c","version":"1.0"}}`,
	} {
		if d.Objects[path] != want {
			t.Errorf("%s = %s, want %s", path, d.Objects[path], want)
		}
	}
	if !strings.Contains(d.Objects["/roles/r"], `"default_attributes":{"a":1.5,"b":1}`) {
		t.Errorf("role = %s", d.Objects["/roles/r"])
	}
	if v := d.Cookbooks["/cookbooks/c/1.0.0"]; !v.Complete() || !v.Frozen || v.Version != "1.0.0" || len(v.Files) != 2 {
		t.Errorf("cookbook = %+v", v)
	}
	if d.FullName != "Acme Inc." || len(d.GUID) != 32 || fmt.Sprint(d.Members, d.Admins) != "[joe root] [root]" {
		t.Errorf("organization = %s %s %v %v", d.FullName, d.GUID, d.Members, d.Admins)
	}
	f.acme(f.root, "DELETE", "/roles/r", "").want(200, "")
	if d.Objects["/roles/r"] == "" {
		t.Error("the snapshot changed with the server")
	}
	// The classic form of a manifest is the same cookbook.
	v0 := f.root
	v0.api = "0"
	classic := strings.Replace(manifest("d", "1.0", true), `"all_files":[]`,
		`"recipes":[{"name":"a.rb","path":"recipes/a.rb","checksum":"`+sums[0]+`","specificity":"default"}]`, 1)
	f.acme(v0, "PUT", "/cookbooks/d/1.0", classic).want(201, "")
	before := f.snapshot().Objects["/cookbooks/d/1.0.0"]
	f.acme(f.root, "PUT", "/cookbooks/d/1.0?force=true", manifest("d", "1.0", true, "recipes/a.rb="+sums[0])).want(200, "")
	if after := f.snapshot().Objects["/cookbooks/d/1.0.0"]; after != before {
		t.Errorf("the two forms differ:\n%s\n%s", before, after)
	}
}

func TestAdmin(t *testing.T) {
	f := newFixture(t, Options{})
	pem := []byte(publicPEM(&f.root.key.PublicKey))
	if _, err := f.s.CreateOrganization("acme", "again"); !errors.Is(err, ErrExists) {
		t.Errorf("second acme: %v", err)
	}
	if _, err := f.s.CreateOrganization("No!", "x"); err == nil {
		t.Error("an illegal organization was created")
	}
	if err := f.s.CreateUser("joe", pem); !errors.Is(err, ErrExists) {
		t.Errorf("second joe: %v", err)
	}
	if err := f.s.CreateUser("new", []byte("no key")); err == nil {
		t.Error("a user without a key was created")
	}
	if err := f.s.AddMember("acme", "nobody", false); err == nil {
		t.Error("nobody became a member")
	}
	if got := string(f.s.PivotalKeyPEM()); got != privatePEM(f.pivotal.key) {
		t.Error("PivotalKeyPEM is another key")
	}
}

// TestConcurrency writes, reads, follows and dumps one organization at once, and
// then wants every acknowledged write to be there.
func TestConcurrency(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	f.acme(f.root, "POST", "/data", `{"name":"b"}`).want(201, "")
	const workers, each = 8, 25
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("i%d-%d", w, i)
				content := "shared " + strconv.Itoa(i%5)
				f.acme(f.root, "POST", "/data/b", `{"id":"`+id+`"}`).mustBe(201)
				f.acme(f.root, "PUT", "/data/b/"+id, `{"n":1}`).mustBe(200)
				sum := hexMD5(content)
				if i%5 == 0 {
					f.tryUpload(sum, content)
					version := fmt.Sprintf("%d.%d.0", w, i)
					f.acme(f.root, "PUT", "/cookbooks/c/"+version, manifest("c", version, false, "files/x="+sum)).mustBe(201)
				}
				f.acme(f.web1, "GET", "/data/b", "").mustBe(200)
				f.acme(f.joe, "GET", "/updated_since?seq=0", "").mustBe(200)
				if _, err := f.s.Snapshot("acme"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	d := f.snapshot()
	items, versions := 0, 0
	for path, body := range d.Objects {
		if strings.HasPrefix(path, "/data/b/") && strings.Contains(body, `"n":1`) {
			items++
		}
		if v, ok := d.Cookbooks[path]; ok {
			versions++
			if !v.Complete() {
				t.Errorf("%s is incomplete: %+v", path, v)
			}
		}
	}
	if items != workers*each || versions != workers*each/5 {
		t.Errorf("%d items and %d versions, want %d and %d", items, versions, workers*each, workers*each/5)
	}
	if n := len(f.feed(0, "")); n != 1+items+versions {
		t.Errorf("the feed has %d entries, want %d", n, 1+items+versions)
	}
	if st := f.s.Stats(); st.MaxInFlight < 2 {
		t.Errorf("never more than %d requests at once", st.MaxInFlight)
	}
}

// tryUpload is upload for goroutines.
func (f *fixture) tryUpload(sum, content string) {
	got := f.acme(f.joe, "POST", "/sandboxes", `{"checksums":{"`+sum+`":null}}`)
	got.mustBe(201)
	var box struct {
		ID        string `json:"sandbox_id"`
		Checksums map[string]struct{ URL string }
	}
	if err := json.Unmarshal([]byte(got.body), &box); err != nil {
		f.t.Error(err)
		return
	}
	if url := box.Checksums[sum].URL; url != "" {
		f.putFile(url, sum, content).mustBe(204)
	}
	f.acme(f.joe, "PUT", "/sandboxes/"+box.ID, `{"is_completed":true}`).mustBe(200)
}

// mustBe is want for goroutines, which may not end the test.
func (a *answered) mustBe(status int) {
	if a.err != nil || a.status != status {
		a.t.Errorf("%s = %d %s %v, want %d", a.what, a.status, a.body, a.err, status)
	}
}

// TestImports: the server shares nothing with the client it is to find wrong.
func TestImports(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, e := range files {
		if !strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			if strings.Contains(strings.Split(path, "/")[0], ".") {
				t.Errorf("%s imports %s; the standard library only is allowed", e.Name(), path)
			}
			checked++
		}
	}
	if checked < 50 {
		t.Errorf("%d imports seen; is this the right directory?", checked)
	}
}

func BenchmarkGetRole(b *testing.B) {
	s, r := benchServer(b)
	b.ReportAllocs()
	for b.Loop() {
		w := &discard{}
		s.ServeHTTP(w, r)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

// TestRestoreBackup: what was written since is gone, and a cursor from then
// cannot be served.
func TestRestoreBackup(t *testing.T) {
	f := newFixture(t, Options{Feed: true})
	sum := f.upload("kept")[0]
	f.acme(f.root, "PUT", "/cookbooks/c/1.0.0", manifest("c", "1.0.0", false, "files/x="+sum)).want(201, "")
	f.acme(f.root, "POST", "/data", `{"name":"b"}`).want(201, "")
	f.acme(f.root, "POST", "/data/b", `{"id":"i","n":1}`).want(201, "")
	before := f.snapshot()
	b, err := f.s.Backup("acme")
	if err != nil {
		t.Fatal(err)
	}
	epoch := f.acme(f.joe, "GET", "/updated_since?seq=0", "").header.Get("X-Chef-Sync-Epoch")
	for range 2 {
		f.acme(f.root, "PUT", "/data/b/i", `{"n":2}`).want(200, "")
		f.acme(f.root, "DELETE", "/cookbooks/c/1.0.0", "").want(200, "")
		f.acme(f.root, "POST", "/roles", `{"name":"late"}`).want(201, "")
		if err := f.s.RestoreBackup("acme", b); err != nil {
			t.Fatal(err)
		}
		after := f.snapshot()
		if !maps.Equal(before.Objects, after.Objects) || !after.Cookbooks["/cookbooks/c/1.0.0"].Complete() || before.GUID != after.GUID {
			t.Fatalf("restored\n got %v\nwant %v", after, before)
		}
		got := f.acme(f.joe, "GET", "/updated_since?seq=4", "").want(410, "")
		if e := got.header.Get("X-Chef-Sync-Epoch"); e == epoch || e == "" || got.header.Get("X-Chef-Sync-Head") != "3" {
			t.Fatalf("headers after the restore: %v", got.header)
		}
	}
	if _, err := f.s.RecreateOrganization("acme"); err != nil {
		t.Fatal(err)
	}
	if err := f.s.RestoreBackup("acme", b); err == nil {
		t.Error("the backup of another organization was restored")
	}
}
