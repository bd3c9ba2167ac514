package chef

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// versioned is a server that speaks the API versions oldest to newest, as
// erchef does.
func versioned(oldest, newest int, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked, err := strconv.Atoi(r.Header.Get(versionHeader))
		if err != nil || asked < oldest || asked > newest {
			says(406, fmt.Sprintf(`{"error":"invalid-x-ops-server-api-version","message":"Specified version %d not supported","min_version":%d,"max_version":%d}`,
				asked, oldest, newest))(w, r)
			return
		}
		w.Header().Set(versionHeader, speaks(oldest, newest)[1])
		next(w, r)
	}
}

func TestAPIVersion(t *testing.T) {
	ranges := func(oldest, newest int) http.HandlerFunc {
		return versioned(oldest, newest, says(200, fmt.Sprintf(`{"min_api_version":%d,"max_api_version":%d}`, oldest, newest)))
	}
	for _, tt := range []struct {
		name   string
		server http.HandlerFunc
		want   int
		is     error
	}{
		{"0 to 2", ranges(0, 2), 2, nil},
		{"0 to 1", ranges(0, 1), 1, nil},
		{"0 only", ranges(0, 0), 0, nil},
		{"2 to 7", ranges(2, 7), 2, nil},
		{"3 to 7", ranges(3, 7), 0, ErrAPIVersion},
		{"header taken out on the way", says(200, `{"min_api_version":0,"max_api_version":2}`), 2, nil},
		{"goiardi", says(200, ""), 1, nil},
		{"Chef Server 12.0", says(404, "<html>"), 0, nil},
		{"web page", says(200, "<html>"), 0, ErrNotChef},
		{"JSON without range", says(200, `{}`), 0, ErrNotChef},
		{"wrong key", says(401, ""), 0, ErrCredentials},
		{"406 for another reason", says(406, "<html>"), 0, ErrAPIVersion},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				tt.server(w, r)
			}, noRetries)
			got, err := c.APIVersion(t.Context())
			if got != tt.want || !errors.Is(err, tt.is) {
				t.Fatalf("APIVersion: got %d, %v; want %d, %v", got, err, tt.want, tt.is)
			}
			if err != nil {
				return
			}
			before := asked
			if again, err := c.APIVersion(t.Context()); again != got || err != nil || asked != before {
				t.Errorf("APIVersion again: got %d, %v after %d more requests, want it remembered", again, err, asked-before)
			}
		})
	}
}

func TestVersionIsSettledByAnyRequest(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Header.Get(versionHeader))
		mu.Unlock()
		versioned(0, 1, says(200, "{}"))(w, r)
	}, noRetries)
	for range 3 {
		if _, err := c.ListRoles(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(asked, " "); got != "2 1 1 1" {
		t.Errorf("versions asked for: %s, want 2 1 1 1", got)
	}
}

func TestVersionFollowsTheServer(t *testing.T) {
	newest := 1
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) { versioned(0, newest, says(200, "{}"))(w, r) })
	for _, newest = range []int{1, 2, 0, 2} {
		if _, err := c.ListRoles(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := c.APIVersion(t.Context()); got != newest || err != nil {
			t.Errorf("with a server of versions 0 to %d: got %d, %v", newest, got, err)
		}
	}
}

func TestVersionIsSettledConcurrently(t *testing.T) {
	c := testClient(t, versioned(0, 1, says(200, "{}")), noRetries)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.ListRoles(t.Context()); err != nil {
				t.Error(err)
			}
			if v, err := c.APIVersion(t.Context()); v != 1 || err != nil {
				t.Errorf("APIVersion: got %d, %v", v, err)
			}
		})
	}
	wg.Wait()
}

// TestAcceptableVersionIsRefused: a server that refuses the very version that it says it
// supports is not asked again.
func TestAcceptableVersionIsRefused(t *testing.T) {
	asked := 0
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		says(406, `{"error":"invalid-x-ops-server-api-version","min_version":0,"max_version":2}`)(w, r)
	})
	if _, err := c.ListRoles(t.Context()); !errors.Is(err, ErrAPIVersion) || asked != 1 {
		t.Errorf("asked %d times, and then %v", asked, err)
	}
}

// TestVersionsThatChangeEachTime: two servers behind one address, each of which wants
// what the other refuses, are not asked for ever.
func TestVersionsThatChangeEachTime(t *testing.T) {
	asked := 0
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		says(406, fmt.Sprintf(`{"min_version":0,"max_version":%d}`, asked%2))(w, r)
	})
	if _, err := c.ListRoles(t.Context()); !errors.Is(err, ErrAPIVersion) || asked > 5 {
		t.Errorf("asked %d times, and then %v", asked, err)
	}
}

// TestOddVersionHeader: what states no range that we can speak changes nothing, whoever
// put it there.
func TestOddVersionHeader(t *testing.T) {
	for _, header := range []string{
		"1", "null", "{}", "[]", `"0"`, "{", `{"min_version":"0"}`, `{"min_version":"0","max_version":"-1"}`,
		`{"min_version":"1","max_version":"0"}`,
		`{"min_version":"-5","min_api_version":-5,"max_version":"-1"}`, `{"min_version":"3","max_version":"7"}`, `{"min_version":"x","max_version":"1"}`,
		`{"min_version":"0","max_version":"99999999999999999999"}`, `{"min_version":0.5,"max_version":1.5}`, `{"max_version":null}`,
	} {
		var asked []string
		c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Header.Get(versionHeader))
			if len(asked) == 1 {
				w.Header().Set(versionHeader, speaks(0, 1)[1])
			} else {
				w.Header().Set(versionHeader, header)
			}
			says(200, "{}")(w, r)
		}, noRetries)
		for range 3 {
			if _, err := c.ListRoles(t.Context()); err != nil {
				t.Errorf("%s: %v", header, err)
			}
		}
		if got := strings.Join(asked, " "); got != "2 1 1" {
			t.Errorf("%s: versions asked for: %s, want 2 1 1", header, got)
		}
		c = testClient(t, says(406, `{"error":"no"}`, versionHeader, header))
		if _, err := c.ListRoles(t.Context()); !errors.Is(err, ErrAPIVersion) || Classify(err) != ClassPair {
			t.Errorf("406 with %s: got %v", header, err)
		}
	}
}
