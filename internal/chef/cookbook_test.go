package chef

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGetCookbookReadsBothForms(t *testing.T) {
	want := manifest(t, manifestV2)
	old, err := want.segmentForm()
	if err != nil {
		t.Fatal(err)
	}
	for name, server := range map[string]http.HandlerFunc{
		"version 2":          versioned(0, 2, says(200, manifestV2)),
		"version 1":          versioned(0, 1, says(200, string(old))),
		"without any header": says(200, string(old)),
	} {
		got, err := testClient(t, server).GetCookbook(t.Context(), "nginx", "1.0")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkSameManifest(t, want, got)
	}
}

func TestGetCookbookRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server http.HandlerFunc
		want   Class
		is     error
	}{
		{"absent", says(404, `{"error":["Cannot find a cookbook named a with version 1.0.0"]}`), ClassObject, nil},
		{"empty", says(200, ""), ClassPair, ErrNotChef},
		{"no manifest", says(200, `{"error":"overloaded"}`), ClassPair, ErrNotChef},
		{"damaged", says(200, `{"name":"a-1.0.0","all_files":[{}]}`), ClassObject, ErrManifest},
		{
			"an older form than the server's newest, which may lack files",
			says(200, `{"name":"a-1.0.0","recipes":[]}`, speaks(0, 2)...), ClassPair, ErrNotChef,
		},
	} {
		_, err := testClient(t, tt.server).GetCookbook(t.Context(), "a", "1.0.0")
		if Classify(err) != tt.want || tt.is != nil && !errors.Is(err, tt.is) || IsNotFound(err) != (tt.is == nil) {
			t.Errorf("%s: got %v of class %s, want %v of class %s", tt.name, err, Classify(err), tt.is, tt.want)
		}
	}
}

func TestPutCookbook(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version func(http.HandlerFunc) http.HandlerFunc
		force   bool
		url     string
		flat    bool
	}{
		{"version 2", func(h http.HandlerFunc) http.HandlerFunc { return versioned(0, 2, h) }, false, "/cookbooks/nginx/1.0", true},
		{"version 1", func(h http.HandlerFunc) http.HandlerFunc { return versioned(0, 1, h) }, false, "/cookbooks/nginx/1.0", false},
		{"goiardi", func(h http.HandlerFunc) http.HandlerFunc { return h }, true, "/cookbooks/nginx/1.0?force=true", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var body []byte
			var url string
			c := testClient(t, tt.version(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPut {
					return // an empty 200, as goiardi answers to what it does not know
				}
				body, _ = io.ReadAll(r.Body)
				url = r.URL.RequestURI()
				checkSigned(t, r, body)
				says(200, "{}")(w, r)
			}))
			m := manifest(t, manifestV2)
			if err := c.PutCookbook(t.Context(), m, PutCookbookOptions{Force: tt.force}); err != nil {
				t.Fatal(err)
			}
			if url != "/organizations/acme"+tt.url {
				t.Errorf("sent to %s", url)
			}
			var keys map[string]json.RawMessage
			if err := json.Unmarshal(body, &keys); err != nil {
				t.Fatal(err)
			}
			if _, flat := keys["all_files"]; flat != tt.flat || strings.Contains(string(body), "hunter2") {
				t.Errorf("sent all_files: %t, want %t, and no URLs: %s", flat, tt.flat, body)
			}
			checkSameManifest(t, m, manifest(t, string(body)))
		})
	}
}

// The server is found to be older by the PUT itself: it is written anew.
func TestPutCookbookToAServerThatWentBack(t *testing.T) {
	newest := 2
	var forms []bool
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		versioned(0, newest, func(w http.ResponseWriter, r *http.Request) {
			if body, _ := io.ReadAll(r.Body); r.Method == http.MethodPut {
				forms = append(forms, strings.Contains(string(body), "all_files"))
			}
			says(200, "{}")(w, r)
		})(w, r)
	})
	for _, newest = range []int{2, 1} {
		if err := c.PutCookbook(t.Context(), manifest(t, manifestV2), PutCookbookOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]bool{true, false}, forms); diff != "" {
		t.Errorf("forms of version 2 (-want +got):\n%s", diff)
	}
}

func TestPutCookbookRefuses(t *testing.T) {
	m := manifest(t, `{"name":"a-1.0.0","version":"1.0.0","all_files":[{"name":"spec/a","path":"spec/a","checksum":"`+md5a+`"}]}`)
	put := 0
	c := testClient(t, versioned(0, 1, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			put++
		}
		says(200, "{}")(w, r)
	}))
	if err := c.PutCookbook(t.Context(), m, PutCookbookOptions{}); !errors.Is(err, ErrDropsFiles) || put != 0 {
		t.Errorf("to version 1: got %v after %d requests, want ErrDropsFiles before any", err, put)
	}
	if err := c.PutCookbook(t.Context(), new(Manifest), PutCookbookOptions{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("zero manifest: got %v, want ErrInvalid", err)
	}
	frozen := testClient(t, versioned(0, 2, says(409, `{"error":["The cookbook a at version 1.0.0 is frozen."]}`)))
	if err := frozen.PutCookbook(t.Context(), m, PutCookbookOptions{}); !errors.Is(err, ErrFrozen) || !IsConflict(err) {
		t.Errorf("frozen: got %v, want ErrFrozen", err)
	}
	lost := testClient(t, says(401, ""))
	if err := lost.PutCookbook(t.Context(), m, PutCookbookOptions{}); !errors.Is(err, ErrCredentials) || Classify(err) != ClassPair {
		t.Errorf("wrong key: got %v, want ErrCredentials", err)
	}
}
