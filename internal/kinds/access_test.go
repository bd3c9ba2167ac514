package kinds_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed/feedtest"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// rights is a pair of servers whose groups and ACLs are copied.
type rights struct {
	*testing.T
	primary, replica *harness.ChefServer

	// root is pivotal on each: it sets up what nobody else may.
	root struct{ primary, replica *chef.Client }

	scope object.Scope
}

// pairOf is a pair that replicates the given kinds. On both sides alice, bob and
// the user that signs are members; alice and the latter are admins.
func pairOf(t *testing.T, of ...object.Kind) *rights {
	t.Helper()
	r := &rights{T: t, scope: object.Scope{Kinds: of}}
	r.primary, r.replica = feedtest.Server(t, chefserver.Options{}), feedtest.Server(t, chefserver.Options{})
	r.root.primary, r.root.replica = r.as(r.primary, "pivotal"), r.as(r.replica, "pivotal")
	for _, s := range []*harness.ChefServer{r.primary, r.replica} {
		r.member(s, "alice", true)
		r.member(s, "bob", false)
	}
	r.scope.Exclude = []string{"/groups/billing-admins", "/clients/" + r.user(), "/clients/acme-validator"}
	return r
}

// user is whom the pair signs as on the replica.
func (r *rights) user() string { return r.replica.Client.User() }

func (r *rights) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rights) member(s *harness.ChefServer, name string, admin bool) {
	r.Helper()
	_, public := harness.Keypair(r)
	r.must(s.CreateUser(name, []byte(public)))
	r.must(s.AddMember(harness.Organization, name, admin))
}

// as is a client that signs as a member, or as pivotal.
func (r *rights) as(s *harness.ChefServer, name string) *chef.Client {
	r.Helper()
	private, _ := harness.Keypair(r)
	if name == "pivotal" {
		private = string(s.PivotalKeyPEM())
	}
	file := filepath.Join(r.TempDir(), name+".pem")
	r.must(os.WriteFile(file, []byte(private), 0o600))
	return harness.NewClient(r, s.URL, harness.Organization, name, file)
}

// apply copies one object as the engine does, and says what it left.
func (r *rights) apply(path string) (left []string, err error) {
	r.Helper()
	got, held, err := r.adapt(path)
	h := kinds.For(object.MustRef(path).Kind)
	switch {
	case err != nil:
		return nil, err
	case held.Raw == nil:
		return got.Left, h.Create(r.Context(), r.replica.Client, got.Want)
	case got.Want.Digest == got.Held:
		return got.Left, nil
	}
	return got.Left, h.Update(r.Context(), r.replica.Client, got.Want, held)
}

// adapt says what the replica should hold, and what it holds.
func (r *rights) adapt(path string) (kinds.Adapted, kinds.Object, error) {
	r.Helper()
	src, held := r.read(path)
	a, ok := kinds.For(src.Ref.Kind).(kinds.Adapter)
	if !ok {
		return kinds.Adapted{Want: src, Held: held.Digest}, held, nil
	}
	got, err := a.Adapt(r.Context(), &kinds.Replica{Client: r.replica.Client, Scope: r.scope}, src, held)
	return got, held, err
}

// read reads both sides' objects; the zero Object for none on the replica.
func (r *rights) read(path string) (src, held kinds.Object) {
	r.Helper()
	ref := object.MustRef(path)
	h := kinds.For(ref.Kind)
	src, err := h.Get(r.Context(), r.root.primary, ref)
	r.must(err)
	if held, err = h.Get(r.Context(), r.replica.Client, ref); chef.IsNotFound(err) {
		return src, kinds.Object{}
	}
	r.must(err)
	return src, held
}

// copied applies an object, wants what is left said, and wants a second time to
// write nothing.
func (r *rights) copied(path string, wantLeft ...string) {
	r.Helper()
	left, err := r.apply(path)
	if err != nil {
		r.Fatalf("apply %s: %v", path, err)
	}
	if !slices.Equal(left, wantLeft) {
		r.Errorf("apply %s: left %q; want %q", path, left, wantLeft)
	}
	if got, held, err := r.adapt(path); err != nil || got.Want.Digest != got.Held {
		r.Errorf("apply %s: the replica holds %s and should hold %s, %v", path, held.Raw, got.Want.Raw, err)
	}
	r.replica.ResetStats()
	if _, err := r.apply(path); err != nil {
		r.Fatalf("apply %s again: %v", path, err)
	}
	if s := r.replica.Stats(); s.WriteTotal() != 0 {
		r.Errorf("apply %s again: it wrote %v; want nothing", path, s.Writes)
	}
}

// mayAdminister fails the test unless the pair can still write what only admins
// may, and read the rights.
func (r *rights) mayAdminister() {
	r.Helper()
	ctx, c := r.Context(), r.replica.Client
	for what, err := range map[string]error{
		"create a group":   c.CreateGroup(ctx, "probe"),
		"delete a group":   c.DeleteGroup(ctx, "probe"),
		"create a role":    c.CreateRole(ctx, []byte(`{"name":"probe"}`)),
		"delete a role":    c.DeleteRole(ctx, "probe"),
		"see who may what": errOf(c.GetACL(ctx, "groups", "admins")),
	} {
		if err != nil {
			r.Errorf("the pair cannot %s any more: %v", what, err)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

func (r *rights) group(c *chef.Client, name string) chef.Group {
	r.Helper()
	g, err := c.GetGroup(r.Context(), name)
	r.must(err)
	return g
}

// members sets the members of a group, which is made if need be.
func (r *rights) members(c *chef.Client, g chef.Group) {
	r.Helper()
	if err := c.CreateGroup(r.Context(), g.Name); err != nil && !chef.IsConflict(err) {
		r.Fatal(err)
	}
	r.must(c.UpdateGroup(r.Context(), g))
}

func (r *rights) client(c *chef.Client, names ...string) {
	r.Helper()
	for _, n := range names {
		r.must(c.CreateClient(r.Context(), chef.NewClient{Name: n}))
	}
}

func (r *rights) wantMembers(name string, want chef.Group) {
	r.Helper()
	got := r.group(r.root.replica, name)
	for _, list := range []*[]string{&got.Users, &got.Clients, &got.Groups, &want.Users, &want.Clients, &want.Groups} {
		*list = append([]string{}, *list...)
		slices.Sort(*list)
	}
	want.Name = name
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("group %s on the replica (-want +got):\n%s", name, diff)
	}
}

// TestAccessKinds: which kinds a server with everything can hold, and what it
// lists when it is new.
func TestAccessKinds(t *testing.T) {
	t.Parallel()
	r := pairOf(t)
	for kind, want := range map[object.Kind][]string{
		object.KindClient:       {"/clients/acme-validator"},
		object.KindGroup:        {"/groups/admins", "/groups/billing-admins", "/groups/clients", "/groups/public_key_read_access", "/groups/users"},
		object.KindOrganization: {"/organization"},
	} {
		h := kinds.For(kind)
		if ok, err := h.(kinds.Prober).Supported(t.Context(), r.replica.Client); !ok || err != nil {
			t.Errorf("%s: Supported = %v, %v; want true", kind, ok, err)
		}
		var refs []object.Ref
		for _, path := range want {
			refs = append(refs, object.MustRef(path))
		}
		wantList(t, h, r.replica.Client, refs...)
		if h.Kind() != kind {
			t.Errorf("For(%s).Kind() = %s", kind, h.Kind())
		}
	}
	for _, kind := range []object.Kind{object.KindContainer, object.KindACL} {
		h := kinds.For(kind)
		if ok, err := h.(kinds.Prober).Supported(t.Context(), r.replica.Client); !ok || err != nil {
			t.Errorf("%s: Supported = %v, %v; want true", kind, ok, err)
		}
	}
}

func TestFullName(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindOrganization)
	r.must(r.root.primary.UpdateOrganization(t.Context(), "Acme of Delaware"))
	r.copied("/organization")
	if org, err := r.replica.Client.GetOrganization(t.Context()); err != nil || org.FullName != "Acme of Delaware" {
		t.Errorf("the replica's full name is %q, %v", org.FullName, err)
	}
	h, alone := kinds.For(object.KindOrganization), r.replica.Client.WithOrganization("")
	if ok, err := h.(kinds.Prober).Supported(t.Context(), alone); ok || err != nil {
		t.Errorf("Supported by a server without organizations = %v, %v; want false", ok, err)
	}
	wantList(t, h, alone)
	r.must(h.Delete(t.Context(), r.replica.Client, object.MustRef("/organization")))
}

func TestContainers(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindContainer)
	h, ctx := kinds.For(object.KindContainer), context.Background()
	r.must(r.root.primary.CreateContainer(ctx, "vault"))
	r.copied("/containers/vault")
	refs, err := h.List(ctx, r.replica.Client)
	r.must(err)
	if len(refs) != 13 || !slices.Contains(refs, object.MustRef("/containers/vault")) {
		t.Errorf("List = %v; want the twelve and vault", refs)
	}
	for _, ref := range refs {
		err := h.Delete(ctx, r.replica.Client, ref)
		if needed := ref.Name != "vault"; needed != errors.Is(err, kinds.ErrNeeded) || needed != (err != nil) || needed && chef.Classify(err) != chef.ClassObject {
			t.Errorf("Delete(%s) = %v", ref, err)
		}
	}
	r.mayAdminister()
}
