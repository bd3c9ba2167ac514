package chef

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Infinity is the expiration date of a key that does not expire.
const Infinity = "infinity"

// A NewClient is a client of an organization, to be created.
type NewClient struct {
	Name      string
	Validator bool // may create other clients and nothing else

	// PublicKey, in PEM form, is that of the key default, which does not expire.
	// "" makes a client without keys, which nobody can use yet.
	PublicKey string
}

// A ClientKey is one of the keys of a client.
type ClientKey struct {
	Name           string `json:"name"`
	PublicKey      string `json:"public_key"`      // in PEM form
	ExpirationDate string `json:"expiration_date"` // [Infinity] or 2033-12-24T21:00:00Z
}

// ListClients returns the names of all clients, sorted.
// See https://docs.chef.io/server/api_chef_server/#clients.
func (c *Client) ListClients(ctx context.Context) ([]string, error) { return c.list(ctx, "clients") }

// GetClient returns a client as the server describes it, since API version 1
// without its keys; [IsNotFound] if there is none.
func (c *Client) GetClient(ctx context.Context, name string) (json.RawMessage, error) {
	return c.getObject(ctx, "name", "clients", name)
}

// CreateClient creates a client; [IsConflict] if it exists. The server generates
// no key, unless it speaks API version 0 only: see [Client.HasClientKeys]. It puts
// the client into the group clients.
func (c *Client) CreateClient(ctx context.Context, n NewClient) error {
	if _, err := objectPath("clients", n.Name); err != nil {
		return err
	}
	body := map[string]any{"name": n.Name, "validator": n.Validator}
	if n.PublicKey != "" {
		body["public_key"] = n.PublicKey
	}
	return c.write(ctx, http.MethodPost, body, "clients")
}

// A ClientUpdate is what can be changed of a client besides its keys.
type ClientUpdate struct {
	Validator bool
}

// UpdateClient changes a client and leaves its keys alone. It may be repeated;
// [IsNotFound] if there is none.
func (c *Client) UpdateClient(ctx context.Context, name string, u ClientUpdate) error {
	return c.write(ctx, http.MethodPut, map[string]any{"name": name, "validator": u.Validator}, "clients", name)
}

// DeleteClient deletes a client with its keys, its ACL and its memberships;
// [IsNotFound] if there is none.
func (c *Client) DeleteClient(ctx context.Context, name string) error {
	return c.remove(ctx, "clients", name)
}

// ListClientKeys returns the names of a client's keys, sorted, expired ones
// included; none is a legal answer. [IsNotFound] if there is no such client.
// See https://docs.chef.io/server/api_chef_server/#clients-keys.
func (c *Client) ListClientKeys(ctx context.Context, client string) ([]string, error) {
	body, err := c.get(ctx, "clients", client, "keys")
	if err != nil {
		return nil, err
	}
	names, ok := keyNames(body)
	if !ok {
		return nil, c.unexpected(http.MethodGet, "JSON that is not a list of keys", "clients", client, "keys")
	}
	return names, nil
}

// keyNames reads a list of keys; ok is false for anything else.
func keyNames(body json.RawMessage) (names []string, ok bool) {
	var keys []*struct {
		Name string `json:"name"`
		URI  string `json:"uri"`
	}
	if json.Unmarshal(body, &keys) != nil || keys == nil {
		return nil, false
	}
	names = make([]string, len(keys))
	for i, k := range keys {
		if k == nil || k.Name == "" || k.URI == "" {
			return nil, false
		}
		names[i] = k.Name
	}
	slices.Sort(names)
	return names, true
}

// HasClientKeys reports whether the clients of the server have keys of their own
// names. goiardi keeps one public key in the client itself, and answers the
// client where its keys are asked for; a server of before 12.1 answers 404. So
// one client has to be asked for; where there is none at all, as there is on every
// server that was just installed, the API version tells.
func (c *Client) HasClientKeys(ctx context.Context) (bool, error) {
	clients, err := c.ListClients(ctx)
	if err != nil {
		return false, err
	}
	for _, name := range clients {
		body, err := c.get(ctx, "clients", name, "keys")
		var e *APIError
		switch {
		case err == nil:
			_, ok := keyNames(body)
			return ok, nil
		case IsNotFound(err): // deleted since
		case errors.Is(err, ErrNoRoute), errors.As(err, &e) && e.empty:
			return false, nil
		case errors.As(err, &e) && e.Status == http.StatusForbidden && e.class == ClassObject:
			return true, nil
		default:
			return false, err
		}
	}
	version, err := c.APIVersion(ctx)
	return version == newestAPIVersion, err
}

// GetClientKey reads one key of a client; [IsNotFound] if there is no such key or
// client.
func (c *Client) GetClientKey(ctx context.Context, client, name string) (ClientKey, error) {
	body, err := c.getObject(ctx, "name", "clients", client, "keys", name)
	if err != nil {
		return ClientKey{}, err
	}
	var k ClientKey
	if json.Unmarshal(body, &k) != nil || k.PublicKey == "" || k.ExpirationDate == "" {
		return ClientKey{}, c.unexpected(http.MethodGet, "JSON that is not a key", "clients", client, "keys", name)
	}
	return k, nil
}

// CreateClientKey gives a client another key; [IsConflict] if it has one of that
// name, [IsNotFound] if there is no such client.
func (c *Client) CreateClientKey(ctx context.Context, client string, k ClientKey) error {
	if _, err := objectPath("clients", client, "keys", k.Name); err != nil {
		return err
	}
	return c.write(ctx, http.MethodPost, k, "clients", client, "keys")
}

// UpdateClientKey replaces a key of a client, at one stroke, and may be repeated;
// [IsNotFound] if there is none. The key that signs the request is refused.
func (c *Client) UpdateClientKey(ctx context.Context, client string, k ClientKey) error {
	return c.write(ctx, http.MethodPut, k, "clients", client, "keys", k.Name)
}

// DeleteClientKey deletes a key of a client; [IsNotFound] if there is none. The
// key that signs the request is refused.
func (c *Client) DeleteClientKey(ctx context.Context, client, name string) error {
	return c.remove(ctx, "clients", client, "keys", name)
}

// String is the key without what it holds.
func (k ClientKey) String() string { return fmt.Sprintf("key %s until %s", k.Name, k.ExpirationDate) }
