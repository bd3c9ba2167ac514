package chef

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// TestAccessAnswers: an error text, nothing, or JSON of another shape never passes
// for a list, a group or an ACL; what a server does answer is read.
func TestAccessAnswers(t *testing.T) {
	const ace = `{"actors":[],"users":["u"],"clients":["c"],"groups":["g"]}`
	const acl = `{"create":` + ace + `,"read":` + ace + `,"update":` + ace + `,"delete":` + ace + `,"grant":` + ace + `}`
	const plain = `{"actors":[],"groups":[]}`
	wrong := []string{``, `null`, `[]`, `{}`, `"no"`, `["no"]`, `{"error":["no"]}`, `[null]`, `[{}]`, `[{"user":{}}]`, `<html></html>`}
	not := func(right ...string) []string {
		out := []string{}
		for _, w := range wrong {
			if len(right) == 0 || w != right[0] {
				out = append(out, w)
			}
		}
		return out
	}
	for name, tt := range map[string]struct {
		ask   func(context.Context, *Client) (any, error)
		right map[string]any
		wrong []string
	}{
		"clients": {
			func(ctx context.Context, c *Client) (any, error) { return c.ListClients(ctx) },
			map[string]any{`{"b":"https://x/b","a":"https://x/a"}`: []string{"a", "b"}, `{}`: []string(nil)},
			not(`{}`),
		},
		"keys": {
			func(ctx context.Context, c *Client) (any, error) { return c.ListClientKeys(ctx, "web") },
			map[string]any{`[{"name":"b","uri":"x"},{"name":"a","uri":"x","expired":true}]`: []string{"a", "b"}, `[]`: []string{}},
			append(not(`[]`), `{"name":"web","public_key":"x"}`, `[{"name":"a"}]`),
		},
		"key": {
			func(ctx context.Context, c *Client) (any, error) { return c.GetClientKey(ctx, "web", "a") },
			map[string]any{`{"name":"a","public_key":"x","expiration_date":"infinity"}`: ClientKey{Name: "a", PublicKey: "x", ExpirationDate: Infinity}},
			append(not(), `{"name":"web","public_key":"x"}`, `{"name":"a","expiration_date":"infinity"}`),
		},
		"group": {
			func(ctx context.Context, c *Client) (any, error) { return c.GetGroup(ctx, "ops") },
			map[string]any{`{"name":"ops","groupname":"ops","orgname":"acme","actors":["c","u"],"users":["u"],"clients":["c"],"groups":[]}`: Group{
				Name: "ops", Users: []string{"u"}, Clients: []string{"c"}, Groups: []string{},
			}},
			append(not(), `{"name":"ops"}`, `{"name":"other","users":[],"clients":[],"groups":[]}`,
				`{"name":"ops","users":null,"clients":[],"groups":[]}`, `{"name":"ops","users":{},"clients":[],"groups":[]}`),
		},
		"ACL": {
			func(ctx context.Context, c *Client) (any, error) {
				got, err := c.GetACL(ctx, "roles", "web")
				return got["grant"], err
			},
			map[string]any{acl: Allowed{Users: []string{"u"}, Clients: []string{"c"}, Groups: []string{"g"}}},
			append(not(), `{"grant":`+ace+`}`, `{"create":`+plain+`,"read":`+plain+`,"update":`+plain+`,"delete":`+plain+`,"grant":`+plain+`}`),
		},
		"members": {
			func(ctx context.Context, c *Client) (any, error) { return c.ListMembers(ctx) },
			map[string]any{`[{"user":{"username":"b"}},{"user":{"username":"a"}}]`: []string{"a", "b"}, `[]`: []string{}},
			append(not(`[]`), `{"a":"https://x/users/a"}`),
		},
		"names": {
			func(ctx context.Context, c *Client) (any, error) { return c.ListACLs(ctx, "policies") },
			map[string]any{`{"b":{"uri":"https://x/b","revisions":{}},"a":{"url":"https://x/a"},"c":"https://x/c"}`: []string{"a", "b", "c"}, `{}`: []string(nil)},
			append(not(`{}`), `{"a":{}}`, `{"a":1}`, `{"a":null}`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			for body, want := range tt.right {
				got, err := tt.ask(t.Context(), testClient(t, says(http.StatusOK, body)))
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%s: %v (-want +got):\n%s", body, err, diff)
				}
			}
			for _, body := range tt.wrong {
				_, err := tt.ask(t.Context(), testClient(t, says(http.StatusOK, body)))
				if !errors.Is(err, ErrNotChef) && !errors.Is(err, ErrWrongObject) && !errors.Is(err, ErrPlainACL) {
					t.Errorf("%q passes: %v", body, err)
				}
			}
		})
	}
}

// TestAccessRequests: what is sent, where the API is particular about it.
func TestAccessRequests(t *testing.T) {
	for want, do := range map[string]func(context.Context, *Client) error{
		`POST /organizations/acme/clients {"name":"web","validator":false}`: func(ctx context.Context, c *Client) error {
			return c.CreateClient(ctx, NewClient{Name: "web"})
		},
		`PUT /organizations/acme/groups/ops {"actors":{"clients":[],"groups":[],"users":["u"]},"groupname":"ops"}`: func(ctx context.Context, c *Client) error {
			return c.UpdateGroup(ctx, Group{Name: "ops", Users: []string{"u"}})
		},
		`PUT /organizations/acme/roles/web/_acl/read {"read":{"actors":[],"clients":[],"groups":["g"],"users":[]}}`: func(ctx context.Context, c *Client) error {
			return c.PutACL(ctx, "roles", "web", "read", Allowed{Groups: []string{"g"}})
		},
		`PUT /organizations/acme/organizations/_acl/grant {"grant":{"actors":[],"clients":[],"groups":[],"users":[]}}`: func(ctx context.Context, c *Client) error {
			return c.PutACL(ctx, "organizations", "", Grant, Allowed{})
		},
		`GET /organizations/acme/organizations/_acl?detail=granular `: func(ctx context.Context, c *Client) error {
			_, _ = c.GetACL(ctx, "organizations", "")
			return nil
		},
		`PUT /organizations/acme {"full_name":"Acme","name":"acme"}`: func(ctx context.Context, c *Client) error {
			return c.UpdateOrganization(ctx, "Acme")
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
}

func TestNamesThatLeadElsewhere(t *testing.T) {
	c, ctx := testClient(t, says(http.StatusOK, `{}`)), t.Context()
	for what, err := range map[string]error{
		"client":       c.CreateClient(ctx, NewClient{Name: ".."}),
		"group":        c.CreateGroup(ctx, ""),
		"container":    c.CreateContainer(ctx, "."),
		"key":          c.CreateClientKey(ctx, "web", ClientKey{Name: ".."}),
		"organization": c.WithOrganization("").UpdateOrganization(ctx, "x"),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v; want ErrInvalid", what, err)
		}
	}
}

// TestRefusedACL: erchef refuses an ACL with 403 and nothing else. That is about
// one object; anywhere else an empty 403 is no answer of the Chef API.
func TestRefusedACL(t *testing.T) {
	for path, want := range map[string]Class{
		"/roles/web/_acl": ClassObject, "/roles/web/_acl/grant": ClassObject, "/organizations/_acl": ClassObject, "/roles/web": ClassPair,
	} {
		_, err := testClient(t, says(http.StatusForbidden, "")).Do(t.Context(), http.MethodGet, path, nil, nil)
		if got := Classify(err); got != want || IsNotFound(err) {
			t.Errorf("%s: %v, class %s; want %s", path, err, got, want)
		}
	}
}

// TestAccessLife takes a client and a group through their lives on a server with
// permissions.
func TestAccessLife(t *testing.T) {
	_, c := erchef(t, chefserver.Options{})
	ctx := t.Context()
	if ok, err := c.HasClientKeys(ctx); !ok || err != nil {
		t.Errorf("HasClientKeys = %v, %v; want true", ok, err)
	}
	must(t, c.CreateClient(ctx, NewClient{Name: "web"}))
	if err := c.CreateClient(ctx, NewClient{Name: "web"}); !IsConflict(err) {
		t.Errorf("create again: %v", err)
	}
	must(t, c.UpdateClient(ctx, "web", ClientUpdate{Validator: true}))
	if keys, err := c.ListClientKeys(ctx, "web"); err != nil || len(keys) != 0 {
		t.Errorf("keys of a client without: %v, %v", keys, err)
	}
	must(t, c.CreateGroup(ctx, "ops"))
	must(t, c.UpdateGroup(ctx, Group{Name: "ops", Clients: []string{"web", "nobody"}}))
	if g, err := c.GetGroup(ctx, "ops"); err != nil || !cmp.Equal(g.Clients, []string{"web"}) {
		t.Errorf("group %+v, %v", g, err)
	}
	must(t, c.DeleteClient(ctx, "web"))
	must(t, c.DeleteGroup(ctx, "ops"))
	for what, err := range map[string]error{
		"client": c.DeleteClient(ctx, "web"), "group": c.DeleteGroup(ctx, "ops"), "container": c.DeleteContainer(ctx, "x"),
		"key": c.DeleteClientKey(ctx, "acme-validator", "x"), "ACL": func() error { _, err := c.GetACL(ctx, "groups", "ops"); return err }(),
		"update": c.UpdateGroup(ctx, Group{Name: "ops"}),
	} {
		if !IsNotFound(err) {
			t.Errorf("%s that is gone: %v; want IsNotFound", what, err)
		}
	}
}
