package kinds

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// clients is the handler of clients with all their public keys. A client without
// keys stays without, and a second key arrives like the first. That a client is in
// the group clients is the server's own doing.
//
// Which clients are nobody's to copy is a matter of the pair's scope: the
// validator that every server makes for itself, and the client that signs.
type clients struct{}

// clientBody is a client as it is staged.
type clientBody struct {
	Name      string           `json:"name"`
	Validator bool             `json:"validator"`
	Keys      []chef.ClientKey `json:"keys"` // by name
}

func (clients) Kind() object.Kind { return object.KindClient }

// Supported needs the endpoint of keys: a client of goiardi has one public key
// and no names for more, so that a server like it cannot hold what we copy.
func (clients) Supported(ctx context.Context, c *chef.Client) (bool, error) {
	ok, err := c.Supports(ctx, "clients")
	if !ok || err != nil {
		return false, err
	}
	return c.HasClientKeys(ctx)
}

func (clients) List(ctx context.Context, c *chef.Client) ([]object.Ref, error) {
	names, err := c.ListClients(ctx)
	if err != nil {
		return nil, err
	}
	return listedAll(object.KindClient, names)
}

// Get reads the keys one by one. One that is deleted meanwhile makes it begin
// anew: the client is still there.
func (clients) Get(ctx context.Context, c *chef.Client, ref object.Ref) (Object, error) {
	for range 3 {
		body, stale, err := readClient(ctx, c, ref)
		if err != nil {
			return Object{}, err
		}
		if !stale {
			return clientObject(ref, body)
		}
	}
	return Object{}, fmt.Errorf("read %s: the server lists a key and answers 404 for it", ref)
}

// readClient reads a client; stale if one of its keys went meanwhile.
func readClient(ctx context.Context, c *chef.Client, ref object.Ref) (b clientBody, stale bool, err error) {
	raw, err := c.GetClient(ctx, ref.Name)
	if err != nil {
		return b, false, err
	}
	doc, err := decodeObject(ref, raw)
	if err != nil {
		return b, false, err
	}
	b = clientBody{Name: ref.Name, Keys: []chef.ClientKey{}}
	b.Validator, _ = doc["validator"].(bool)
	names, err := c.ListClientKeys(ctx, ref.Name)
	if err != nil {
		return b, false, err
	}
	for _, name := range names {
		key, err := c.GetClientKey(ctx, ref.Name, name)
		if chef.IsNotFound(err) {
			return b, true, nil
		}
		if err != nil {
			return b, false, err
		}
		b.Keys = append(b.Keys, key)
	}
	slices.SortFunc(b.Keys, func(x, y chef.ClientKey) int { return cmp.Compare(x.Name, y.Name) })
	return b, false, nil
}

// clientObject makes the object of a client; its digest is over what the keys
// are, not over how they are written down.
func clientObject(ref object.Ref, b clientBody) (Object, error) {
	o, err := document(ref, b)
	if err != nil {
		return Object{}, err
	}
	normal, err := document(ref, b.normal())
	o.Digest = normal.Digest
	return o, err
}

// normal returns the client with its keys in one spelling.
func (b clientBody) normal() clientBody {
	b.Keys = slices.Clone(b.Keys)
	for i := range b.Keys {
		b.Keys[i].PublicKey = normalizeKey(b.Keys[i].PublicKey)
	}
	return b
}

// defaultKey is the key that comes with a client.
const defaultKey = "default"

// Create makes a client with its key default at one stroke, if the primary's has
// such a key for good, and adds the others. A crash leaves a client that lacks
// some; Update adds them.
func (clients) Create(ctx context.Context, c *chef.Client, o Object) error {
	var want clientBody
	if err := undocument(o, &want); err != nil {
		return err
	}
	n := chef.NewClient{Name: o.Ref.Name, Validator: want.Validator}
	keys := want.Keys
	if i := slices.IndexFunc(keys, func(k chef.ClientKey) bool { return k.Name == defaultKey }); i >= 0 && keys[i].ExpirationDate == chef.Infinity {
		n.PublicKey = keys[i].PublicKey
		keys = slices.Delete(slices.Clone(keys), i, i+1)
	}
	if err := c.CreateClient(ctx, n); err != nil {
		return err
	}
	for _, k := range keys {
		if err := c.CreateClientKey(ctx, o.Ref.Name, k); err != nil {
			return fmt.Errorf("the client was made, %s was not: %w", k, err)
		}
	}
	return nil
}

// Update changes what differs: first it adds keys, then it replaces those of the
// same name at one stroke each, and last it deletes what the primary's client has
// not. So there is no moment without a key, unless the primary's has none.
func (h clients) Update(ctx context.Context, c *chef.Client, o, held Object) error {
	if held.Raw == nil {
		var err error
		if held, err = h.Get(ctx, c, o.Ref); err != nil {
			return err
		}
	}
	var want, have clientBody
	if err := undocument(o, &want); err != nil {
		return err
	}
	if err := undocument(held, &have); err != nil {
		return err
	}
	if want.Validator != have.Validator {
		if err := c.UpdateClient(ctx, o.Ref.Name, chef.ClientUpdate{Validator: want.Validator}); err != nil {
			return err
		}
	}
	return updateKeys(ctx, c, o.Ref.Name, want.Keys, have.Keys)
}

func updateKeys(ctx context.Context, c *chef.Client, client string, want, have []chef.ClientKey) error {
	wanted, held := keysByName(want), keysByName(have)
	for _, k := range want {
		if _, ok := held[k.Name]; ok {
			continue
		}
		if err := c.CreateClientKey(ctx, client, k); err != nil {
			return err
		}
	}
	for _, k := range want {
		if h, ok := held[k.Name]; !ok || sameKey(k, h) {
			continue
		}
		if err := c.UpdateClientKey(ctx, client, k); err != nil {
			return err
		}
	}
	for _, k := range have {
		if _, ok := wanted[k.Name]; ok {
			continue
		}
		if err := deleteKey(ctx, c, client, k.Name); err != nil {
			return err
		}
	}
	return nil
}

func deleteKey(ctx context.Context, c *chef.Client, client, key string) error {
	err := c.DeleteClientKey(ctx, client, key)
	if !chef.IsNotFound(err) {
		return err
	}
	names, err := c.ListClientKeys(ctx, client)
	if err == nil && slices.Contains(names, key) {
		return fmt.Errorf("delete key %s of client %s: %w: the server answers 404 and has it", key, client, chef.ErrInvalid)
	}
	return err
}

func keysByName(keys []chef.ClientKey) map[string]chef.ClientKey {
	out := make(map[string]chef.ClientKey, len(keys))
	for _, k := range keys {
		out[k.Name] = k
	}
	return out
}

func sameKey(a, b chef.ClientKey) bool {
	return a.ExpirationDate == b.ExpirationDate && normalizeKey(a.PublicKey) == normalizeKey(b.PublicKey)
}

func (clients) Delete(ctx context.Context, c *chef.Client, ref object.Ref) error {
	return c.DeleteClient(ctx, ref.Name)
}
