package chef

import (
	"context"
	"encoding/json"
	"net/http"
)

// A NewUser is a user of the server, to be created. All but FirstName and
// LastName has to be given.
type NewUser struct {
	Name, DisplayName   string
	FirstName, LastName string
	Email               string // no two users have the same
	Password            string // at least 6 characters; nobody can read it again
	PublicKey           string // that of the key default, in PEM form
}

// A User is what matters to us of a user.
type User struct {
	Name string

	// Admin is known on a server without organizations (goiardi) only: who may
	// change anything there.
	Admin bool
}

// global is the client for what belongs to the whole server.
func (c *Client) global() *Client { return c.WithOrganization("") }

// ListUsers returns the names of all users of the server, sorted; a 403 unless
// asked by the superuser or a server admin.
// See https://docs.chef.io/server/api_chef_server/#users.
func (c *Client) ListUsers(ctx context.Context) ([]string, error) {
	return c.global().list(ctx, "users")
}

// GetUser reads a user of the server; [IsNotFound] if there is none. Users may
// read themselves, admins of an organization its members.
func (c *Client) GetUser(ctx context.Context, name string) (User, error) {
	key := "username"
	if c.organization == "" {
		key = "name"
	}
	body, err := c.global().getObject(ctx, key, "users", name)
	if err != nil {
		return User{}, err
	}
	var u struct {
		Admin bool `json:"admin"`
	}
	if json.Unmarshal(body, &u) != nil {
		return User{}, c.global().unexpected(http.MethodGet, "JSON that is not a user", "users", name)
	}
	return User{Name: name, Admin: u.Admin}, nil
}

// CreateUser creates a user who belongs to no organization yet; [IsConflict] if
// one has the name or the address. A client without organization leaves out what
// goiardi refuses.
func (c *Client) CreateUser(ctx context.Context, n NewUser) error {
	if _, err := objectPath("users", n.Name); err != nil {
		return err
	}
	body := map[string]any{"email": n.Email, "password": n.Password, "public_key": n.PublicKey}
	if c.organization == "" {
		body["name"] = n.Name
	} else {
		body["username"], body["display_name"] = n.Name, n.DisplayName
		body["first_name"], body["last_name"] = n.FirstName, n.LastName
	}
	return c.global().write(ctx, http.MethodPost, body, "users")
}

// MakeAdmin lets a user of a server without organizations change anything, and may
// be repeated. The answer of goiardi shows what was before: read the user. A client
// with an organization is refused with [ErrInvalid]: see [Client.UpdateGroup].
func (c *Client) MakeAdmin(ctx context.Context, user string) error {
	if c.organization != "" {
		return invalid("users of organizations become admins through the group admins")
	}
	return c.write(ctx, http.MethodPut, map[string]any{"name": user, "admin": true}, "users", user)
}

// ListUserKeys returns the names of a user's keys, sorted, expired ones included.
// goiardi has no such list, see [Client.HasClientKeys]; asked for it, it gives an
// error that is [ErrNotChef].
// See https://docs.chef.io/server/api_chef_server/#users-user-keys.
func (c *Client) ListUserKeys(ctx context.Context, user string) ([]string, error) {
	body, err := c.global().get(ctx, "users", user, "keys")
	if err != nil {
		return nil, err
	}
	names, ok := keyNames(body)
	if !ok {
		return nil, c.global().unexpected(http.MethodGet, "JSON that is not a list of keys", "users", user, "keys")
	}
	return names, nil
}

// CreateUserKey gives a user another key; [IsConflict] if it has one of that name,
// [IsNotFound] if there is no such user. It takes away none.
func (c *Client) CreateUserKey(ctx context.Context, user string, k ClientKey) error {
	if _, err := objectPath("users", user, "keys", k.Name); err != nil {
		return err
	}
	return c.global().write(ctx, http.MethodPost, k, "users", user, "keys")
}
