package kinds_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed/feedtest"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refs(paths ...string) []object.Ref {
	var out []object.Ref
	for _, p := range paths {
		out = append(out, object.MustRef(p))
	}
	return out
}

// noPlaceholder looks for what the handlers leave of theirs, past the handlers.
func noPlaceholder(t *testing.T, c *chef.Client) {
	t.Helper()
	for _, path := range []string{"policies", "policy_groups"} {
		resp, err := c.Do(t.Context(), http.MethodGet, path, nil, nil)
		if err != nil || strings.Contains(string(resp.Body), kinds.Placeholder) {
			t.Errorf("/%s: %s, %v; want no %s", path, resp.Body, err, kinds.Placeholder)
		}
	}
	if _, err := c.GetPolicy(t.Context(), kinds.Placeholder); !chef.IsNotFound(err) {
		t.Errorf("GetPolicy(%s) = %v; want IsNotFound", kinds.Placeholder, err)
	}
}

func TestSupported(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	for kind, path := range map[object.Kind]string{
		object.KindArtifact: "cookbook_artifacts", object.KindPolicy: "policies", object.KindPolicyRevision: "policies",
		object.KindPolicyGroup: "policy_groups", object.KindPolicyPointer: "policy_groups",
	} {
		p := kinds.For(kind).(kinds.Prober)
		if ok, err := p.Supported(t.Context(), s.Client); !ok || err != nil {
			t.Errorf("%s: %t, %v; want support", kind, ok, err)
		}
		for name, effect := range map[string]chefserver.Effect{
			"goiardi": chefserver.EmptyOK(), "before 12.5": chefserver.Status(http.StatusNotFound, "<html><h1>Not Found</h1></html>"),
		} {
			rule := s.Faults().Add(chefserver.Fault{Path: regexp.MustCompile("/" + path + "$"), Effect: effect})
			if ok, err := p.Supported(t.Context(), s.Client); ok || err != nil {
				t.Errorf("%s on %s: %t, %v; want none", kind, name, ok, err)
			}
			if got, err := kinds.For(kind).List(t.Context(), s.Client); err == nil || got != nil {
				t.Errorf("%s on %s: List = %v, %v; want an error", kind, name, got, err)
			}
			rule.Remove()
		}
	}
}

// TestEmptyParents: many empty policies and groups at once, some of them by two.
func TestEmptyParents(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	var wg sync.WaitGroup
	errs := make([]error, 80)
	for i := range errs {
		kind := []object.Kind{object.KindPolicy, object.KindPolicyGroup}[i%2]
		ref := object.NewRef(kind, fmt.Sprint("x", i/4))
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = kinds.For(kind).Create(t.Context(), s.Client, kinds.Object{Ref: ref})
		}()
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	noPlaceholder(t, s.Client)
	for i := range 20 {
		for _, kind := range []object.Kind{object.KindPolicy, object.KindPolicyGroup} {
			get(t, kinds.For(kind), s.Client, object.NewRef(kind, fmt.Sprint("x", i)))
		}
	}
}

// TestParentsAreLeftAlone: what came with its first revision or pointer is there
// already, and no request but a GET is made.
func TestParentsAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	must(t, s.Client.PutPointer(t.Context(), "g", "p", json.RawMessage(revision("p", "1", 1))))
	s.Faults().Add(chefserver.Fault{Method: http.MethodPut, Effect: chefserver.Forbidden("update")})
	s.Faults().Add(chefserver.Fault{Method: http.MethodPost, Effect: chefserver.Forbidden("create")})
	s.Faults().Add(chefserver.Fault{Method: http.MethodDelete, Effect: chefserver.Forbidden("delete")})
	for _, ref := range refs("/policies/p", "/policy_groups/g") {
		h := kinds.For(ref.Kind)
		must(t, h.Create(t.Context(), s.Client, kinds.Object{Ref: ref}))
		wantList(t, h, s.Client, ref)
	}
	for parent, child := range map[string]string{"/policies/p": "/policies/p/revisions/1", "/policy_groups/g": "/policy_groups/g/policies/p", "/data/no": ""} {
		ref := object.MustRef(parent)
		got, err := kinds.For(ref.Kind).(kinds.Container).Contents(t.Context(), s.Client, ref)
		if err != nil || child == "" && len(got) > 0 || child != "" && fmt.Sprint(got) != "["+child+"]" {
			t.Errorf("contents of %s = %v, %v; want %s", parent, got, err, child)
		}
	}
}

// TestInterruptedParents: a crash after the placeholder was made.
func TestInterruptedParents(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/policies/x", "/policy_groups/x"} {
		ref := object.MustRef(path)
		h := kinds.For(ref.Kind)
		s := feedtest.Server(t, chefserver.Options{})
		crash := func() {
			rule := s.Faults().Add(chefserver.Fault{Method: http.MethodDelete, Effect: chefserver.Forbidden("delete")})
			if err := h.Create(t.Context(), s.Client, kinds.Object{Ref: ref}); err == nil {
				t.Errorf("%s: no error although the placeholder is still there", path)
			}
			rule.Remove()
		}
		other := feedtest.Server(t, chefserver.Options{}).Client
		must(t, h.Create(t.Context(), other, kinds.Object{Ref: ref}))
		whole := get(t, h, other, ref)

		crash()
		half := get(t, h, s.Client, ref)
		if half.Digest == whole.Digest {
			t.Errorf("%s: a half-made object equals a whole one", path)
		}
		for _, k := range []object.Kind{object.KindPolicyRevision, object.KindPolicyPointer} {
			wantList(t, kinds.For(k), s.Client)
		}
		must(t, h.Update(t.Context(), s.Client, whole, half))
		noPlaceholder(t, s.Client)
		if now := get(t, h, s.Client, ref); now.Digest != whole.Digest {
			t.Errorf("%s: not whole after Update", path)
		}

		must(t, h.Delete(t.Context(), s.Client, ref))
		crash()
		next := ref
		if ref.Kind == object.KindPolicyGroup {
			next.Name = "next" // any other group
		}
		must(t, h.Create(t.Context(), s.Client, kinds.Object{Ref: next}))
		noPlaceholder(t, s.Client)
		if now := get(t, h, s.Client, ref); now.Digest != whole.Digest {
			t.Errorf("%s: not whole after the next Create", path)
		}
	}
}

// TestGroupWhoseWriteBreaks: the pointer was refused, or written without a word.
func TestGroupWhoseWriteBreaks(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	ref := object.MustRef("/policy_groups/x")
	h := kinds.For(ref.Kind)
	for _, tt := range []struct {
		effect chefserver.Effect
		count  int
		fails  bool
	}{
		{chefserver.Status(http.StatusConflict, `{"error":["conflict"]}`), 2, false},
		{chefserver.Status(http.StatusConflict, `{"error":["conflict"]}`), 9, true},
		{chefserver.Forbidden("create"), 0, true},
		{chefserver.CutAfter(), 1, false},
	} {
		rule := s.Faults().Add(chefserver.Fault{Method: http.MethodPut, Path: regexp.MustCompile("/policies/"), Effect: tt.effect, Count: tt.count})
		if err := h.Create(t.Context(), s.Client, kinds.Object{Ref: ref}); (err != nil) != tt.fails {
			t.Errorf("Create = %v; want an error: %t", err, tt.fails)
		}
		rule.Remove()
		noPlaceholder(t, s.Client)
		if err := h.Delete(t.Context(), s.Client, ref); chef.IsNotFound(err) != tt.fails {
			t.Errorf("Delete = %v; want IsNotFound: %t", err, tt.fails)
		}
	}
}

// TestPointerWaitsForItsArtifacts: what the gate says, and that it counts every
// lock, by name and identifier.
func TestPointerWaitsForItsArtifacts(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	h := kinds.For(object.KindPolicyPointer)
	locks := func(pairs ...string) kinds.Object {
		var all []string
		for _, p := range pairs {
			name, id, _ := strings.Cut(p, "/")
			all = append(all, fmt.Sprintf(`%q:{"identifier":%q,"version":"1.0.0"}`, name, id))
		}
		return kinds.Object{Ref: object.MustRef("/policy_groups/g/policies/p"), Raw: json.RawMessage(
			`{"revision_id":"1","name":"p","run_list":[],"cookbook_locks":{` + strings.Join(all, ",") + `}}`)}
	}
	must(t, kinds.For(object.KindArtifact).Create(t.Context(), s.Client, kinds.Object{Raw: json.RawMessage(artifact("one"))})) // c/1a
	r := &kinds.Replica{Client: s.Client}
	for _, tt := range []struct{ locks, want string }{
		{"", ""},
		{"c/1a", ""},
		{"c/1b", "/cookbook_artifacts/c/1b"},
		{"d/1a", "/cookbook_artifacts/d/1a"},
		{"c/", "/cookbook_artifacts/c/"},
		{"c/1a a/1 b/2 d/3", "/cookbook_artifacts/a/1, /cookbook_artifacts/b/2, /cookbook_artifacts/d/3"},
		{"c/1a a/1 b/2 d/3 e/4 f/5", "/cookbook_artifacts/d/3 and 2 more"},
	} {
		err := h.(kinds.Gate).Ready(t.Context(), r, locks(strings.Fields(tt.locks)...))
		if tt.want == "" && err != nil {
			t.Errorf("%q: %v; want it ready", tt.locks, err)
		}
		if tt.want != "" && (!errors.Is(err, kinds.ErrNotReady) || chef.Classify(err) != chef.ClassObject || !strings.HasSuffix(err.Error(), ": "+tt.want) &&
			!strings.HasSuffix(err.Error(), ", "+tt.want)) {
			t.Errorf("%q: %v; want ErrNotReady naming %s", tt.locks, err, tt.want)
		}
	}
	bad := kinds.Object{Ref: object.MustRef("/policy_groups/g/policies/p"), Raw: json.RawMessage(`{"cookbook_locks":[]}`)}
	if err := h.(kinds.Gate).Ready(t.Context(), r, bad); err == nil || chef.Classify(err) != chef.ClassObject {
		t.Errorf("locks that cannot be read: %v", err)
	}
	s.Faults().Add(chefserver.Fault{Path: regexp.MustCompile("/cookbook_artifacts$"), Effect: chefserver.EmptyOK()})
	if err := h.(kinds.Gate).Ready(t.Context(), &kinds.Replica{Client: s.Client}, locks("c/1a")); err == nil || errors.Is(err, kinds.ErrNotReady) {
		t.Errorf("a list that is none: %v; want its error", err)
	}
}

// TestCopiedPolicies: groups, stored by others, in a revision are not copied; all
// digits of a lock are; and the answer of a PUT is not what is stored.
func TestCopiedPolicies(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary, replica := harness.Chef(t, chefserver.Options{}), harness.Chef(t, chefserver.Options{})
	raw := strings.Replace(revision("p", "1", 1), "{", `{"policy_group_list":["stale"],`, 1)
	if _, err := primary.Client.Do(ctx, http.MethodPut, "policy_groups/g/policies/p", nil, json.RawMessage(raw)); err != nil {
		t.Fatal(err)
	}
	must(t, replica.Client.CreatePolicyRevision(ctx, "p", json.RawMessage(revision("p", "2", 1))))
	for _, ref := range refs("/policies/p/revisions/1", "/policy_groups/g/policies/p") {
		h := kinds.For(ref.Kind)
		o := get(t, h, primary.Client, ref)
		if strings.Contains(string(o.Raw), "policy_group_list") || !strings.Contains(string(o.Raw), "12345678901234567891") {
			t.Errorf("%s would be written as %s", ref, o.Raw)
		}
		must(t, h.Create(ctx, replica.Client, o))
		if copied := get(t, h, replica.Client, ref); copied.Digest != o.Digest {
			t.Errorf("%s: a copy has another digest", ref)
		}
	}
	// A pointer to a revision of that id says nothing about its content.
	pointer := object.MustRef("/policy_groups/g/policies/p")
	h := kinds.For(pointer.Kind)
	lie := kinds.Object{Ref: pointer, Raw: json.RawMessage(revision("p", "2", 7))}
	must(t, h.Update(ctx, replica.Client, lie, kinds.Object{}))
	if o := get(t, h, replica.Client, pointer); strings.Contains(string(o.Raw), "12345678901234567897") {
		t.Errorf("the revision was changed by a pointer: %s", o.Raw)
	}
}

// TestArtifactObject: never changed, whatever its own flag says, and its files
// have URLs.
func TestArtifactObject(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	harness.Write(t, s.Client).Cookbook("c", "1.0.0", false, map[string]string{"recipes/default.rb": "1"})
	m, err := s.Client.GetCookbook(t.Context(), "c", "1.0.0")
	must(t, err)
	body := strings.Replace(artifact("one"), `"all_files":[]`,
		`"all_files":[{"name":"recipes/default.rb","path":"recipes/default.rb","checksum":"`+m.Checksums()[0]+`","specificity":"default"}]`, 1)
	h, ref := kinds.For(object.KindArtifact), object.MustRef("/cookbook_artifacts/c/1a")
	must(t, h.Create(t.Context(), s.Client, kinds.Object{Ref: ref, Raw: json.RawMessage(body)}))
	o := get(t, h, s.Client, ref)
	if len(o.Files) != 1 || o.Files[0].URL == "" || !o.Frozen || strings.Contains(string(o.Raw), `"url"`) {
		t.Errorf("files %v, frozen %t, body %s; want one with URL, frozen, and no URL in the body", o.Files, o.Frozen, o.Raw)
	}
}
