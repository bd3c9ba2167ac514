package kinds_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// publicKey makes a key and returns it in both PEM forms.
func publicKey(t *testing.T) (pkix, pkcs1 string) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // for tests
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&k.PublicKey)}))
}

// key gives a client of the primary a key, or another in its place.
func (r *rights) key(c *chef.Client, client string, k chef.ClientKey) {
	r.Helper()
	if k.ExpirationDate == "" {
		k.ExpirationDate = chef.Infinity
	}
	err := c.CreateClientKey(r.Context(), client, k)
	if chef.IsConflict(err) {
		err = c.UpdateClientKey(r.Context(), client, k)
	}
	r.must(err)
}

// keys returns the public keys of a client, and until when they are good.
func (r *rights) keys(c *chef.Client, client string) map[string]string {
	r.Helper()
	names, err := c.ListClientKeys(r.Context(), client)
	r.must(err)
	out := map[string]string{}
	for _, n := range names {
		k, err := c.GetClientKey(r.Context(), client, n)
		r.must(err)
		out[n] = strings.TrimSpace(k.PublicKey) + " " + k.ExpirationDate
	}
	return out
}

// sameKeys fails the test unless the client has the same keys on both sides.
func (r *rights) sameKeys(client string, n int) {
	r.Helper()
	want, got := r.keys(r.root.primary, client), r.keys(r.root.replica, client)
	if diff := cmp.Diff(want, got); diff != "" || len(got) != n {
		r.Errorf("%d keys of %s on the replica, want %d (-want +got):\n%s", len(got), client, n, diff)
	}
}

func TestClients(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindClient)
	one, _ := publicKey(t)
	two, _ := publicKey(t)
	c := r.root.primary

	r.client(c, "web") // no key, and none is made up
	r.copied("/clients/web")
	r.sameKeys("web", 0)

	r.key(c, "web", chef.ClientKey{Name: "default", PublicKey: one})
	r.key(c, "web", chef.ClientKey{Name: "next", PublicKey: two, ExpirationDate: "2033-12-24T21:00:00Z"})
	r.copied("/clients/web")
	r.sameKeys("web", 2)

	r.key(c, "web", chef.ClientKey{Name: "default", PublicKey: two}) // replaced
	r.must(c.DeleteClientKey(t.Context(), "web", "next"))
	r.must(c.UpdateClient(t.Context(), "web", chef.ClientUpdate{Validator: true}))
	r.copied("/clients/web")
	r.sameKeys("web", 1)

	r.must(c.DeleteClientKey(t.Context(), "web", "default"))
	r.copied("/clients/web")
	r.sameKeys("web", 0)

	r.must(c.CreateClient(t.Context(), chef.NewClient{Name: "boot", Validator: true, PublicKey: one}))
	r.key(c, "boot", chef.ClientKey{Name: "next", PublicKey: two})
	r.copied("/clients/boot")
	r.sameKeys("boot", 2)
	src, held := r.read("/clients/boot")
	if src.Digest != held.Digest || !strings.Contains(string(held.Raw), `"validator":true`) {
		t.Errorf("the validator on the replica is %s", held.Raw)
	}

	r.must(c.CreateClient(t.Context(), chef.NewClient{Name: "old"}))
	r.key(c, "old", chef.ClientKey{Name: "default", PublicKey: one, ExpirationDate: "2020-01-01T00:00:00Z"})
	r.copied("/clients/old")
	r.sameKeys("old", 1)
}

// One key in two spellings is one key.
func TestSpellingsOfKeys(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindClient)
	pkix, pkcs1 := publicKey(t)
	other, _ := publicKey(t)
	digests := map[object.Digest][]string{}
	for name, text := range map[string]string{
		"pkix": pkix, "pkcs1": pkcs1, "crlf": strings.ReplaceAll(pkix, "\n", "\r\n"), "bare": strings.TrimSpace(pkix), "other": other,
	} {
		raw := `{"name":"default","public_key":` + quoted(text) + `,"expiration_date":"infinity"}`
		r.must(errOrConflict(r.root.primary.CreateClient(t.Context(), chef.NewClient{Name: "web", PublicKey: pkix})))
		rule := r.primary.Faults().Add(chefserver.Fault{
			Path: harness.Path("/clients/web/keys/default$"), Effect: chefserver.Status(http.StatusOK, raw),
		})
		src, _ := r.read("/clients/web")
		rule.Remove()
		digests[src.Digest] = append(digests[src.Digest], name)
	}
	if len(digests) != 2 {
		t.Errorf("digests of one key in four spellings and of another: %v", digests)
	}
}

func quoted(s string) string {
	return `"` + strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

func errOrConflict(err error) error {
	if chef.IsConflict(err) {
		return nil
	}
	return err
}

// A client is never without a key while its keys are changed.
func TestKeysAreAddedBeforeTheyAreDeleted(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindClient)
	one, _ := publicKey(t)
	two, _ := publicKey(t)
	r.must(r.root.replica.CreateClient(t.Context(), chef.NewClient{Name: "web", PublicKey: one}))
	r.must(r.root.primary.CreateClient(t.Context(), chef.NewClient{Name: "web"}))
	r.key(r.root.primary, "web", chef.ClientKey{Name: "renamed", PublicKey: two})
	refuse := chefserver.Status(http.StatusBadRequest, `{"error":["no"]}`)
	for _, tt := range []struct {
		method string
		keys   int
	}{{http.MethodPost, 1}, {http.MethodDelete, 2}} {
		rule := r.replica.Faults().Add(chefserver.Fault{Method: tt.method, Path: harness.Path("/clients/web/keys"), Effect: refuse})
		if _, err := r.apply("/clients/web"); chef.Classify(err) != chef.ClassObject {
			t.Errorf("a refused %s: %v", tt.method, err)
		}
		if got := r.keys(r.root.replica, "web"); len(got) != tt.keys {
			t.Errorf("after a refused %s the client has the keys %v; want %d", tt.method, got, tt.keys)
		}
		rule.Remove()
	}
	r.copied("/clients/web")
	r.sameKeys("web", 1)
}

// A client that was made and lacks keys gets them by the next update, also by one
// that knows nothing of what the replica holds.
func TestClientHalfMade(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindClient)
	one, _ := publicKey(t)
	two, _ := publicKey(t)
	r.must(r.root.primary.CreateClient(t.Context(), chef.NewClient{Name: "web", PublicKey: one}))
	r.key(r.root.primary, "web", chef.ClientKey{Name: "next", PublicKey: two})
	rule := r.replica.Faults().Add(chefserver.Fault{
		Method: http.MethodPost, Path: harness.Path("/clients/web/keys"), Effect: chefserver.Status(http.StatusBadRequest, `{"error":["no"]}`),
	})
	_, err := r.apply("/clients/web")
	if chef.Classify(err) != chef.ClassObject || strings.Contains(err.Error(), "BEGIN") {
		t.Errorf("apply = %v; want an error of the object, without its keys", err)
	}
	rule.Remove()
	h := kinds.For(object.KindClient)
	src, _ := r.read("/clients/web")
	if err := h.Create(t.Context(), r.replica.Client, src); !chef.IsConflict(err) {
		t.Errorf("Create again = %v; want IsConflict", err)
	}
	r.must(h.Update(t.Context(), r.replica.Client, src, kinds.Object{Ref: src.Ref}))
	r.sameKeys("web", 2)
	r.must(h.Delete(t.Context(), r.replica.Client, src.Ref))
	for what, err := range map[string]error{
		"Delete": h.Delete(t.Context(), r.replica.Client, src.Ref),
		"Update": h.Update(t.Context(), r.replica.Client, src, kinds.Object{Ref: src.Ref}),
		"Get":    errOf(h.Get(t.Context(), r.replica.Client, src.Ref)),
	} {
		if !chef.IsNotFound(err) {
			t.Errorf("%s of nothing = %v; want IsNotFound", what, err)
		}
	}
}

// A key that goes while the client is read says nothing about the client.
func TestKeyThatGoes(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindClient)
	one, _ := publicKey(t)
	r.must(r.root.primary.CreateClient(t.Context(), chef.NewClient{Name: "web", PublicKey: one}))
	gone := chefserver.Fault{
		Path: harness.Path("/clients/web/keys/default$"), Count: 1,
		Effect: chefserver.Status(http.StatusNotFound, `{"error":["Cannot load key default"]}`),
	}
	r.primary.Faults().Add(gone)
	h, ref := kinds.For(object.KindClient), object.MustRef("/clients/web")
	get(t, h, r.root.primary, ref)
	gone.Count = 0
	r.primary.Faults().Add(gone)
	if _, err := h.Get(t.Context(), r.root.primary, ref); err == nil || chef.IsNotFound(err) || chef.Classify(err) != chef.ClassRetry {
		t.Errorf("Get = %v; want to be asked again", err)
	}
}

// A server of clients that have one key and no names for more.
func TestClientsOfOneKey(t *testing.T) {
	t.Parallel()
	r := pairOf(t, object.KindClient)
	p := kinds.For(object.KindClient).(kinds.Prober)
	for body, status := range map[string]int{`{"name":"acme-validator","public_key":"x"}`: 200, ``: 200, `<html>no</html>`: 404} {
		rule := r.replica.Faults().Add(chefserver.Fault{Path: harness.Path("/keys$"), Effect: chefserver.Status(status, body)})
		if ok, err := p.Supported(t.Context(), r.replica.Client); ok || err != nil {
			t.Errorf("the keys are %d %s: Supported = %v, %v; want false", status, body, ok, err)
		}
		rule.Remove()
	}
	rule := r.replica.Faults().Add(chefserver.Fault{Path: harness.Path("/keys$"), Effect: chefserver.Status(401, `{"error":["no"]}`)})
	if ok, err := p.Supported(t.Context(), r.replica.Client); ok || !errors.Is(err, chef.ErrCredentials) {
		t.Errorf("Supported = %v, %v; want the error", ok, err)
	}
	rule.Remove()
	r.must(r.root.replica.DeleteClient(t.Context(), "acme-validator"))
	if ok, err := p.Supported(t.Context(), r.replica.Client); !ok || err != nil {
		t.Errorf("Supported without any client = %v, %v; want true", ok, err)
	}
}
