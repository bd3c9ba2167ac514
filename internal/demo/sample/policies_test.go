package sample

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Load writes every policy as it is in the repo, and what it locks exists.
func TestLoadPolicies(t *testing.T) {
	t.Parallel()
	server, c := newLoaded(t)
	r := mustRead(t, Options{})
	snap := snapshot(t, server)
	want := map[string]string{}
	for _, a := range r.artifacts {
		path := "/cookbook_artifacts/" + a.name + "/" + a.identifier
		want[path] = snap.Objects[path] // Looked at below.
		if v := snap.Cookbooks[path]; !v.Complete() || len(v.Files) != len(a.files) || v.Version != a.version {
			t.Errorf("%s is %+v", path, v)
		}
	}
	for _, p := range r.policies {
		want["/policies/"+p.name] = `{"name":"` + p.name + `"}`
		for _, rev := range p.revisions {
			path := "/policies/" + p.name + "/revisions/" + rev.id
			want[path] = snap.Objects[path]
			if got := snap.Objects[path]; got == "" || digest(t, json.RawMessage(got)) != digest(t, rev.body) {
				t.Errorf("%s is %s, want %s", path, got, rev.body)
			}
			for _, lock := range locks(t, rev) {
				if want[lock] == "" {
					t.Errorf("%s locks %s, which is not on the server", path, lock)
				}
			}
		}
	}
	pointers := map[string]int{"production": 1, "staging": 0}
	want["/policy_groups/retired"] = `{"name":"retired"}`
	for group, behind := range pointers {
		want["/policy_groups/"+group] = `{"name":"` + group + `"}`
		for _, p := range r.policies {
			want["/policy_groups/"+group+"/policies/"+p.name] = `{"revision_id":"` + p.revisions[len(p.revisions)-1-behind].id + `"}`
		}
	}
	got := map[string]string{}
	for path, body := range snap.Objects {
		if strings.HasPrefix(path, "/policies/") || strings.HasPrefix(path, "/policy_groups/") || strings.HasPrefix(path, "/cookbook_artifacts/") {
			got[path] = body
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}

	n, err := Count(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sum := n.Artifacts + n.Policies + n.PolicyRevisions + n.PolicyGroups + n.PolicyPointers; sum != len(got) || n.Policies != DefaultPolicies {
		t.Errorf("%+v counts %d of %d", n, sum, len(got))
	}

	// Load again brings back what was lost, and disturbs nothing.
	for _, path := range []string{"/policies/web", "/policy_groups/retired", "/policy_groups/staging"} {
		if _, err := c.Do(t.Context(), "DELETE", path, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := Load(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(snap.Objects, snapshot(t, server).Objects); diff != "" {
		t.Errorf("after the second load (-want +got):\n%s", diff)
	}
}

// locks returns the paths of the artifacts that a revision locks.
func locks(t *testing.T, rev revision) []string {
	t.Helper()
	var doc struct {
		Locks map[string]struct {
			Identifier string `json:"identifier"`
		} `json:"cookbook_locks"`
	}
	if err := json.Unmarshal(rev.body, &doc); err != nil {
		t.Fatal(err)
	}
	var out []string
	for name, l := range doc.Locks {
		out = append(out, "/cookbook_artifacts/"+name+"/"+l.Identifier)
	}
	if len(out) == 0 {
		t.Errorf("policy revision %s locks nothing", rev.id)
	}
	return out
}

func TestPolicyOptions(t *testing.T) {
	for _, tt := range []struct {
		name                string
		o                   Options
		policies, artifacts int
	}{
		{"default", Options{}, DefaultPolicies, 9},
		{"one", Options{Policies: 1}, 1, 5},
		{"none", Options{Policies: -1}, 0, 0},
		{"a server without policies", Options{Segments: true, Policies: 5}, 0, 0},
		{"more than the table has", Options{Policies: 7}, 7, 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := mustRead(t, tt.o)
			if len(r.policies) != tt.policies || len(r.artifacts) != tt.artifacts {
				t.Errorf("%d policies and %d artifacts, want %d and %d", len(r.policies), len(r.artifacts), tt.policies, tt.artifacts)
			}
			var ids []string
			for _, p := range r.policies {
				if n := len(p.revisions); n < 2 || n > 3 {
					t.Errorf("policy %s has %d revisions", p.name, n)
				}
				for _, rev := range p.revisions {
					ids = append(ids, rev.id)
				}
			}
			slices.Sort(ids)
			if n := len(slices.Compact(slices.Clone(ids))); n != len(ids) {
				t.Errorf("%d ids for %d revisions", n, len(ids))
			}
		})
	}
}
