package kinds_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed/feedtest"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// specimen is an object of each kind, in two states.
type specimen struct {
	ref      object.Ref
	one, two string // bodies; "" = the kind has one state only
	bag      string // needed by the object

	puts  bool // create and update are one request
	exact bool // the second state is another object: no server changes the first
	lazy  bool // create is content with what there is
}

func cookbook(description string, frozen bool) string {
	return fmt.Sprintf(`{"name":"c-1.0","cookbook_name":"c","version":"1.0","json_class":"Chef::CookbookVersion","chef_type":"cookbook_version",`+
		`"frozen?":%v,"metadata":{"name":"c","version":"1.0","description":%q,"n":12345678901234567890},"all_files":[]}`, frozen, description)
}

var specimens = []specimen{
	{ref: object.MustRef("/roles/r"), one: `{"name":"r","run_list":["a","a"],"default_attributes":{"n":12345678901234567890,"f":1.50}}`, two: `{"name":"r"}`},
	{ref: object.MustRef("/environments/e"), one: `{"name":"e","cookbook_versions":{"c":"= 1.0.0"}}`, two: `{"name":"e"}`},
	{ref: object.MustRef("/data/b"), one: `{"name":"b"}`},
	{ref: object.MustRef("/data/b/i"), one: `{"id":"i","json_class":"Chef::DataBagItem","raw_data":{"id":"x"},"chef_type":"t","data_bag":"y"}`, two: `{"id":"i"}`,
		bag: "b"},
	{ref: object.MustRef("/cookbooks/c/1.0"), one: cookbook("one", false), two: cookbook("two", false), puts: true},
	{ref: object.MustRef("/cookbook_artifacts/c/1a"), one: artifact("one"), two: artifact("two"), exact: true},
	{ref: object.MustRef("/policies/p/revisions/1"), one: revision("p", "1", 1), two: revision("p", "1", 2), exact: true},
	{ref: object.MustRef("/policies/p"), one: `{"name":"p"}`, lazy: true},
	{ref: object.MustRef("/policy_groups/g/policies/p"), one: revision("p", "1", 1), two: revision("p", "2", 1), puts: true},
	{ref: object.MustRef("/policy_groups/g"), one: `{"name":"g"}`, lazy: true},
	{ref: object.MustRef("/nodes/n"), one: `{"name":"n","run_list":["a","a"],"normal":{"n":12345678901234567890,"f":1.50},"policy_group":"g"}`, two: `{"name":"n"}`},
}

func artifact(description string) string {
	return fmt.Sprintf(`{"name":"c","identifier":"1a","version":"1.0.0","chef_type":"cookbook_version","frozen?":false,`+
		`"metadata":{"name":"c","version":"1.0.0","description":%q,"n":12345678901234567890},"all_files":[]}`, description)
}

// revision has a lock whose number only exact arithmetic tells from the next.
func revision(policy, id string, n int) string {
	return fmt.Sprintf(`{"revision_id":%q,"name":%q,"run_list":["recipe[c::default]"],`+
		`"cookbook_locks":{"c":{"identifier":"1a","version":"1.0.0","n":1234567890123456789%d}}}`, id, policy, n)
}

// TestHandlers takes one object of each kind through its life.
func TestHandlers(t *testing.T) {
	t.Parallel()
	tested := map[object.Kind]bool{}
	for _, sp := range specimens {
		tested[sp.ref.Kind] = true
		t.Run(string(sp.ref.Kind), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			c := feedtest.Server(t, chefserver.Options{}).Client
			h := kinds.For(sp.ref.Kind)
			if h.Kind() != sp.ref.Kind {
				t.Errorf("For(%s).Kind() = %s", sp.ref.Kind, h.Kind())
			}
			if sp.bag != "" {
				if err := c.CreateDataBag(ctx, sp.bag); err != nil {
					t.Fatal(err)
				}
			}
			one := kinds.Object{Ref: sp.ref, Raw: json.RawMessage(sp.one)}
			wantList(t, h, c)
			if got, err := h.Get(ctx, c, sp.ref); !chef.IsNotFound(err) || got.Digest.Known() {
				t.Errorf("Get of nothing = %+v, %v; want IsNotFound", got, err)
			}
			if err := h.Delete(ctx, c, sp.ref); !chef.IsNotFound(err) {
				t.Errorf("Delete of nothing = %v; want IsNotFound", err)
			}
			if err := h.Update(ctx, c, one, kinds.Object{}); !chef.IsNotFound(err) && sp.two != "" && !sp.puts {
				t.Errorf("Update of nothing = %v; want IsNotFound", err)
			}
			if sp.puts || sp.lazy { // that created it
				if err := h.Delete(ctx, c, sp.ref); err != nil {
					t.Fatal(err)
				}
			}

			if err := h.Create(ctx, c, one); err != nil {
				t.Fatalf("Create: %v", err)
			}
			if sp.ref.Kind != object.KindPolicy { // an empty one is in no list
				wantList(t, h, c, sp.ref)
			}
			first := get(t, h, c, sp.ref)
			if err := h.Create(ctx, c, one); !chef.IsConflict(err) && !sp.puts && !sp.lazy {
				t.Errorf("Create again = %v; want IsConflict", err)
			}
			if sp.two != "" {
				sp.update(t, h, c, first)
			}
			replica := feedtest.Server(t, chefserver.Options{}).Client
			if sp.bag != "" {
				if err := replica.CreateDataBag(ctx, sp.bag); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.Create(ctx, replica, first); err != nil {
				t.Fatalf("Create on another server: %v", err)
			}
			if copied := get(t, h, replica, sp.ref); copied.Digest != first.Digest {
				t.Errorf("a copy has another digest:\n%s\n%s", first.Raw, copied.Raw)
			}

			if err := h.Delete(ctx, c, sp.ref); err != nil {
				t.Fatalf("Delete: %v", err)
			}
			wantList(t, h, c)
		})
	}
	for _, k := range append(object.DefaultKinds(), object.KindNode) {
		if !tested[k] {
			t.Errorf("kind %s is not tested", k)
		}
	}
}

// update writes the second state over the first, and the first again.
func (sp specimen) update(t *testing.T, h kinds.Handler, c *chef.Client, first kinds.Object) {
	t.Helper()
	ctx := t.Context()
	two := kinds.Object{Ref: sp.ref, Raw: json.RawMessage(sp.two), Digest: "two"}
	err := h.Update(ctx, c, two, first)
	if sp.exact {
		if !errors.Is(err, kinds.ErrRecreate) || chef.Classify(err) != chef.ClassObject {
			t.Errorf("Update = %v, class %s; want ErrRecreate, of the object", err, chef.Classify(err))
		}
		if err := h.Update(ctx, c, first, first); err != nil {
			t.Errorf("Update to what there is = %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	second := get(t, h, c, sp.ref)
	if second.Digest == first.Digest {
		t.Error("an update does not show in the digest")
	}
	if err := h.Update(ctx, c, first, second); err != nil { // what a server sent can be written
		t.Fatalf("Update: %v", err)
	}
	if back := get(t, h, c, sp.ref); back.Digest != first.Digest {
		t.Errorf("what was read and written again has another digest:\n%s\n%s", first.Raw, back.Raw)
	}
}

func get(t *testing.T, h kinds.Handler, c *chef.Client, ref object.Ref) kinds.Object {
	t.Helper()
	o, err := h.Get(t.Context(), c, ref)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if o.Ref != ref || !o.Digest.Known() || !json.Valid(o.Raw) {
		t.Errorf("Get(%s) = %+v", ref, o)
	}
	return o
}

func wantList(t *testing.T, h kinds.Handler, c *chef.Client, want ...object.Ref) {
	t.Helper()
	got, err := h.List(t.Context(), c)
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	slices.SortFunc(got, object.Ref.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("List = %v; want %v", got, want)
	}
}

func TestForPanicsOnUnknownKinds(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("For does not panic")
		}
	}()
	kinds.For("nodes")
}

// TestDigestsOfOlderForms: bodies as an older server stored them equal their
// copies on a newer one.
func TestDigestsOfOlderForms(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	w := harness.Write(t, s.Client)
	w.Role("r", "1")
	w.Environment("e", "1")
	w.Item("b", "i", "1")
	if err := s.Client.CreateNode(t.Context(), json.RawMessage(`{"name":"n"}`)); err != nil {
		t.Fatal(err)
	}
	for path, bodies := range map[string][2]string{
		"/roles/r": {`{"name":"r","run_list":["a","recipe[a]","b"],"default_attributes":{"f":1.50}}`,
			`{"env_run_lists":{},"override_attributes":{},"default_attributes":{"f":1.5},"run_list":["recipe[a]","recipe[b]"],"chef_type":"role","json_class":"Chef::Role","description":"","name":"r"}`},
		"/environments/e": {`{"name":"e","override_attributes":{"x":1e3}}`,
			`{"name":"e","description":"","cookbook_versions":{},"json_class":"Chef::Environment","chef_type":"environment","default_attributes":{},"override_attributes":{"x":1000.0}}`},
		"/nodes/n": {`{"name":"n","run_list":["a","recipe[a]"],"normal":{"f":1.50}}`,
			`{"chef_environment":"_default","json_class":"Chef::Node","chef_type":"node","normal":{"f":1.5},"default":{},"override":{},"automatic":{},"run_list":["recipe[a]"],"name":"n"}`},
		"/policies/p/revisions/1": {`{"name":"p","revision_id":"1","policy_group":"g","policy_group_list":["g"],"x":1.50}`, `{"revision_id":"1","name":"p","x":1.5}`},
		"/data/b/i":               {`{"id":"i","a":{"x":1,"y":2}}`, "{\"a\": {\"y\":2, \"x\":1},\n \"id\":\"i\"}"},
	} {
		ref := object.MustRef(path)
		var digests [2]object.Digest
		for i, body := range bodies {
			rule := s.Faults().Add(chefserver.Fault{
				Method: http.MethodGet, Path: regexp.MustCompile(path + "$"), Effect: chefserver.Status(http.StatusOK, body),
			})
			digests[i] = get(t, kinds.For(ref.Kind), s.Client, ref).Digest
			rule.Remove()
		}
		if digests[0] != digests[1] {
			t.Errorf("%s: two forms have two digests", path)
		}
	}
}

func TestFrozenCookbooks(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := feedtest.Server(t, chefserver.Options{}).Client
	h, ref := kinds.For(object.KindCookbook), object.MustRef("/cookbooks/c/1.0")
	object := func(description string, frozen bool) kinds.Object {
		return kinds.Object{Ref: ref, Raw: json.RawMessage(cookbook(description, frozen)), Frozen: frozen}
	}
	if err := h.Create(ctx, c, object("one", true)); err != nil {
		t.Fatal(err)
	}
	held := get(t, h, c, ref)
	if !held.Frozen {
		t.Fatal("a frozen version is not said to be")
	}
	if err := h.Create(ctx, c, object("two", true)); !chef.IsConflict(err) || !errors.Is(err, chef.ErrFrozen) {
		t.Errorf("Create over a frozen version = %v; want IsConflict and ErrFrozen", err)
	}
	if err := h.Update(ctx, c, object("two", true), object("one", false)); !errors.Is(err, chef.ErrFrozen) || errors.Is(err, kinds.ErrThaw) {
		t.Errorf("Update of what was not known to be frozen = %v; want ErrFrozen", err)
	}
	err := h.Update(ctx, c, object("two", false), held)
	if !errors.Is(err, kinds.ErrThaw) || !errors.Is(err, chef.ErrFrozen) || chef.Classify(err) != chef.ClassObject {
		t.Errorf("Update to a version that is not frozen = %v, class %s; want ErrThaw, of the object", err, chef.Classify(err))
	}
	if now := get(t, h, c, ref); now.Digest != held.Digest {
		t.Error("a refused update changed the version")
	}
	if err := h.Update(ctx, c, object("two", true), held); err != nil {
		t.Errorf("Update of a frozen version = %v; want it forced", err)
	}
	if now := get(t, h, c, ref); now.Digest == held.Digest || !now.Frozen {
		t.Error("a forced update did not arrive, or thawed the version")
	}
}

func TestCookbookObject(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	harness.Write(t, s.Client).Cookbook("c", "1.0.0", true, map[string]string{"recipes/default.rb": "1", "README.md": "2"})
	o := get(t, kinds.For(object.KindCookbook), s.Client, object.MustRef("/cookbooks/c/1.0.0"))
	if len(o.Files) != 2 || o.Files[0].URL == "" || !o.Frozen {
		t.Errorf("files %v, frozen %v; want 2 with URLs, frozen", o.Files, o.Frozen)
	}
	if regexp.MustCompile(`"url"`).Match(o.Raw) {
		t.Errorf("the body that is written holds the URLs of this server: %s", o.Raw)
	}
}

// TestListsAreCompleteOrErrors: one wrong answer among those that make a list.
func TestListsAreCompleteOrErrors(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	w := harness.Write(t, s.Client)
	w.Role("r", "1")
	w.Item("a", "i", "1")
	w.Item("b", "i", "1")
	for _, tt := range []struct{ kind, path, body string }{
		{"role", "/roles$", `{"r":"https://x/r","a b":"https://x/y"}`},
		{"role", "/roles$", `{"..":"https://x/r"}`},
		{"role", "/roles$", `{"a/b":"https://x/r"}`},
		{"role", "/roles$", `{"":"https://x/r"}`},
		{"data_bag", "/data$", `{"b/x":"https://x/r"}`}, // looks like an item
		{"environment", "/environments$", `{"é":"https://x/r"}`},
		{"data_bag_item", "/data/b$", `{"i j":"https://x/r"}`},
		{"data_bag_item", "/data/b$", `{"error":["no"]}`},
		{"data_bag_item", "/data/b$", ``},
		{"data_bag_item", "/data/b$", `[]`},
		{"node", "/nodes$", `{"error":["no"]}`},
		{"cookbook_artifact", "/cookbook_artifacts$", ``}, // goiardi
		{"cookbook_artifact", "/cookbook_artifacts$", `{"c":{"url":"https://x/c","versions":[{"identifier":"a/b"}]}}`},
		{"policy", "/policies$", ``},
		{"policy", "/policies$", `{"..":{"uri":"https://x/c","revisions":{}}}`},
		{"policy_revision", "/policies$", ``},
		{"policy_revision", "/policies$", `{"p":{"uri":"https://x/c","revisions":{"a b":{}}}}`},
		{"policy_group", "/policy_groups$", ``},
		{"policy_group", "/policy_groups$", `{"é":{"uri":"https://x/c"}}`},
		{"policy_group_policy", "/policy_groups$", ``},
		{"policy_group_policy", "/policy_groups$", `{"g":{"uri":"https://x/c","policies":{"..":{"revision_id":"1"}}}}`},
		{"cookbook", "/cookbooks$", `{"c":{"url":"https://x/c","versions":[{"version":"_latest","url":"https://x/y"}]}}`},
		{"cookbook", "/cookbooks$", `{"c/d":{"url":"https://x/c","versions":[{"version":"1.0.0","url":"https://x/y"}]}}`},
	} {
		rule := s.Faults().Add(chefserver.Fault{
			Method: http.MethodGet, Path: regexp.MustCompile(tt.path), Effect: chefserver.Status(http.StatusOK, tt.body),
		})
		got, err := kinds.For(object.Kind(tt.kind)).List(t.Context(), s.Client)
		if err == nil || got != nil {
			t.Errorf("%s, %s: List = %v, %v; want an error", tt.kind, tt.body, got, err)
		} else if chef.Classify(err) != chef.ClassPair {
			t.Errorf("%s, %s: %v has class %s; want pair", tt.kind, tt.body, err, chef.Classify(err))
		}
		rule.Remove()
	}
}

// TestBagsThatAnswer404 are deleted if the next list of bags says so.
func TestBagsThatAnswer404(t *testing.T) {
	t.Parallel()
	s := feedtest.Server(t, chefserver.Options{})
	w := harness.Write(t, s.Client)
	w.Item("a", "i", "1")
	w.Item("b", "i", "1")
	h := kinds.For(object.KindDataBagItem)
	gone := chefserver.Status(http.StatusNotFound, `{"error":["Cannot load data bag b"]}`)
	path := regexp.MustCompile(`/data/b$`)

	s.Faults().Add(chefserver.Fault{Method: http.MethodGet, Path: path, Effect: gone})
	if got, err := h.List(t.Context(), s.Client); err == nil || chef.Classify(err) != chef.ClassRetry {
		t.Errorf("a bag that is listed and answers 404: List = %v, %v; want an error that passes", got, err)
	}
	s.Faults().Clear()

	s.Faults().Add(chefserver.Fault{Method: http.MethodGet, Path: path, Effect: gone, Count: 1}) // made anew
	wantList(t, h, s.Client, object.MustRef("/data/a/i"), object.MustRef("/data/b/i"))
	s.Faults().Clear()

	s.Faults().Add(chefserver.Fault{Method: http.MethodGet, Path: path, Effect: gone})
	s.Faults().Add(chefserver.Fault{Method: http.MethodGet, Path: regexp.MustCompile(`/data$`), Skip: 1, Effect: chefserver.KeepEntries(1)})
	wantList(t, h, s.Client, object.MustRef("/data/a/i"))
	s.Faults().Clear()

	s.Faults().Add(chefserver.Fault{Method: http.MethodGet, Path: path, Effect: gone})
	s.Faults().Add(chefserver.Fault{Method: http.MethodGet, Path: regexp.MustCompile(`/data$`), Skip: 1, Effect: chefserver.EmptyOK()})
	if got, err := h.List(t.Context(), s.Client); err == nil {
		t.Errorf("nobody says that the bag is gone: List = %v; want an error", got)
	}
}

// An item whose bag somebody deleted on the replica brings the bag back: no
// change of the bag itself ever would.
func TestItemCreatesItsBag(t *testing.T) {
	primary := harness.Chef(t, chefserver.Options{})
	harness.Write(t, primary.Client).Item("bag", "item", "1")
	ref := object.MustRef("/data/bag/item")
	o, err := kinds.For(ref.Kind).Get(t.Context(), primary.Client, ref)
	if err != nil {
		t.Fatal(err)
	}
	replica := harness.Chef(t, chefserver.Options{})
	if err := kinds.For(ref.Kind).Create(t.Context(), replica.Client, o); err != nil {
		t.Fatal(err)
	}
	harness.CheckInSync(t, primary, replica)
}
