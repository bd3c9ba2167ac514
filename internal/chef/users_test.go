package chef

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// TestUserAnswers: what is no answer about users and invitations is none, on a
// server with organizations and on one without.
func TestUserAnswers(t *testing.T) {
	wrong := []string{``, `null`, `"no"`, `{"error":["no"]}`, `[null]`, `[{}]`, `<html></html>`}
	for name, tt := range map[string]struct {
		ask   func(context.Context, *Client) (any, error)
		right map[string]any
		wrong []string
	}{
		"user": {
			func(ctx context.Context, c *Client) (any, error) { return c.GetUser(ctx, "u") },
			map[string]any{`{"username":"u","email":"x"}`: User{Name: "u"}},
			[]string{`[]`, `{}`, `{"username":"v"}`, `{"name":"u"}`, `{"username":"u","admin":"yes"}`},
		},
		"user of goiardi": {
			func(ctx context.Context, c *Client) (any, error) { return c.WithOrganization("").GetUser(ctx, "u") },
			map[string]any{`{"name":"u","admin":true}`: User{Name: "u", Admin: true}},
			[]string{`[]`, `{}`, `{"username":"u"}`},
		},
		"users": {
			func(ctx context.Context, c *Client) (any, error) { return c.ListUsers(ctx) },
			map[string]any{`{"b":"https://x/b","a":"https://x/a"}`: []string{"a", "b"}},
			[]string{`[]`},
		},
		"keys": {
			func(ctx context.Context, c *Client) (any, error) { return c.ListUserKeys(ctx, "u") },
			map[string]any{`[{"name":"default","uri":"x"}]`: []string{"default"}},
			[]string{`{}`, `{"name":"u","public_key":"x"}`},
		},
		"invitations": {
			func(ctx context.Context, c *Client) (any, error) { return c.ListInvitations(ctx) },
			map[string]any{`[{"id":"1","username":"u"}]`: []Invitation{{ID: "1", User: "u", Organization: "acme"}}, `[]`: []Invitation{}},
			[]string{`{}`, `[{"id":"1"}]`, `[{"username":"u"}]`},
		},
		"own invitations": {
			func(ctx context.Context, c *Client) (any, error) { return c.ListOwnInvitations(ctx) },
			map[string]any{`[{"id":"1","orgname":"o"}]`: []Invitation{{ID: "1", User: "ec_sync_user", Organization: "o"}}},
			[]string{`{}`},
		},
		"invite": {
			func(ctx context.Context, c *Client) (any, error) { return c.Invite(ctx, "u") },
			map[string]any{`{"uri":"https://x/organizations/acme/association_requests/77"}`: Invitation{ID: "77", User: "u", Organization: "acme"}},
			[]string{`{}`, `[]`, `{"uri":1}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for body, want := range tt.right {
				got, err := tt.ask(t.Context(), testClient(t, says(http.StatusOK, body)))
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%s: %v (-want +got):\n%s", body, err, diff)
				}
			}
			for _, body := range slices.Concat(wrong, tt.wrong) {
				_, err := tt.ask(t.Context(), testClient(t, says(http.StatusOK, body)))
				if !errors.Is(err, ErrNotChef) && !errors.Is(err, ErrWrongObject) {
					t.Errorf("%q passes: %v", body, err)
				}
			}
		})
	}
}

// TestUserRequests: what is sent, and where to.
func TestUserRequests(t *testing.T) {
	n := NewUser{Name: "u", DisplayName: "d", FirstName: "f", LastName: "l", Email: "e@x", Password: "secret", PublicKey: "pem"}
	for want, do := range map[string]func(context.Context, *Client) error{
		`POST /users {"display_name":"d","email":"e@x","first_name":"f","last_name":"l","password":"secret","public_key":"pem","username":"u"}`: func(ctx context.Context, c *Client) error {
			return c.CreateUser(ctx, n)
		},
		`POST /users {"email":"e@x","name":"u","password":"secret","public_key":"pem"}`: func(ctx context.Context, c *Client) error {
			return c.WithOrganization("").CreateUser(ctx, n)
		},
		`PUT /users/u {"admin":true,"name":"u"}`: func(ctx context.Context, c *Client) error {
			return c.WithOrganization("").MakeAdmin(ctx, "u")
		},
		`POST /organizations/acme/users {"username":"u"}`: func(ctx context.Context, c *Client) error { return c.AddMember(ctx, "u") },
		`PUT /users/ec_sync_user/association_requests/77 {"response":"accept"}`: func(ctx context.Context, c *Client) error {
			return c.AcceptInvitation(ctx, "77")
		},
		`POST /users/u/keys {"name":"k","public_key":"pem","expiration_date":"infinity"}`: func(ctx context.Context, c *Client) error {
			return c.CreateUserKey(ctx, "u", ClientKey{Name: "k", PublicKey: "pem", ExpirationDate: Infinity})
		},
	} {
		got := ""
		c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = r.Method + " " + r.URL.String() + " " + string(body)
			_, _ = io.WriteString(w, `{}`)
		})
		if err := do(t.Context(), c); err != nil || got != want {
			t.Errorf("sent %s, %v; want %s", got, err, want)
		}
	}
	c := testClient(t, says(http.StatusOK, `{}`))
	for what, err := range map[string]error{
		"user": c.CreateUser(t.Context(), NewUser{Name: ".."}), "key": c.CreateUserKey(t.Context(), "u", ClientKey{Name: "."}),
		"admin": c.MakeAdmin(t.Context(), "u"),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v; want ErrInvalid", what, err)
		}
	}
}

// TestUserLife takes a user from its creation, through an invitation, into an
// organization of a server with permissions.
func TestUserLife(t *testing.T) {
	server, admin := erchef(t, chefserver.Options{}, noRetries)
	ctx := t.Context()
	as := func(user string) *Client {
		return clientOf(t, admin.URL()+"/organizations/acme", noRetries, func(o *Options) { o.User = user })
	}
	pivotal, u := as("pivotal"), as("u")
	public, err := x509.MarshalPKIXPublicKey(&testKey().PublicKey)
	must(t, err)
	n := NewUser{Name: "u", DisplayName: "d", Email: "u@x", Password: "secret", PublicKey: string(pemOf("PUBLIC KEY", public))}
	if err := admin.CreateUser(ctx, n); Classify(err) != ClassObject {
		t.Errorf("created by an admin of an organization: %v; want a 403", err)
	}
	if _, err := admin.GetUser(ctx, "u"); !IsNotFound(err) {
		t.Errorf("a user that is not there: %v", err)
	}
	must(t, pivotal.CreateUser(ctx, n))
	if err := pivotal.CreateUser(ctx, n); !IsConflict(err) {
		t.Errorf("created twice: %v", err)
	}
	names, err := pivotal.ListUsers(ctx)
	if err != nil || !slices.Contains(names, "u") {
		t.Errorf("users %v, %v", names, err)
	}
	i, err := admin.Invite(ctx, "u")
	must(t, err)
	if _, err := admin.Invite(ctx, "u"); !IsConflict(err) {
		t.Errorf("invited twice: %v", err)
	}
	if list, err := admin.ListInvitations(ctx); err != nil || !slices.Contains(list, i) {
		t.Errorf("invitations %v, %v; want %v", list, err, i)
	}
	if list, err := u.ListOwnInvitations(ctx); err != nil || !slices.Contains(list, i) {
		t.Errorf("invitations of u: %v, %v; want %v", list, err, i)
	}
	must(t, u.AcceptInvitation(ctx, i.ID))
	if err := u.AcceptInvitation(ctx, i.ID); !IsNotFound(err) {
		t.Errorf("accepted twice: %v", err)
	}
	if err := pivotal.AddMember(ctx, "u"); !IsConflict(err) {
		t.Errorf("added twice: %v", err)
	}
	if err := pivotal.AddMember(ctx, "nobody"); !IsNotFound(err) {
		t.Errorf("added somebody who is not there: %v", err)
	}
	if names, err := u.ListMembers(ctx); err != nil || !slices.Contains(names, "u") {
		t.Errorf("members %v, %v", names, err)
	}
	must(t, pivotal.CreateUserKey(ctx, "u", ClientKey{Name: "second", PublicKey: n.PublicKey, ExpirationDate: Infinity}))
	if keys, err := u.ListUserKeys(ctx, "u"); err != nil || !cmp.Equal(keys, []string{"default", "second"}) {
		t.Errorf("keys %v, %v", keys, err)
	}
	if orgs, err := pivotal.ListOrganizations(ctx); err != nil || !cmp.Equal(orgs, []string{"acme", "other"}) {
		t.Errorf("organizations %v, %v", orgs, err)
	}
	if snap, err := server.Snapshot("acme"); err != nil || slices.Contains(snap.Admins, "u") {
		t.Errorf("admins %v, %v", snap.Admins, err)
	}
}
