package chef

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// erchef starts an in-process Chef server, which shares no code with the client,
// with organization acme, and returns a client for a member of it.
func erchef(t *testing.T, o chefserver.Options, change ...func(*Options)) (*chefserver.Server, *Client) {
	t.Helper()
	o.PivotalKey = testKey()
	o.GenerateKey = func() (*rsa.PrivateKey, error) { return testKey(), nil }
	server := chefserver.New(o)
	if _, err := server.CreateOrganization("acme", "Acme"); err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&testKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.CreateUser("ec_sync_user", pemOf("PUBLIC KEY", public)); err != nil {
		t.Fatal(err)
	}
	if err := server.AddMember("acme", "ec_sync_user", true); err != nil {
		t.Fatal(err)
	}
	if _, err := server.CreateOrganization("other", "Other"); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	return server, clientOf(t, h.URL+"/organizations/acme", change...)
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLifeOfObjects(t *testing.T) {
	for _, version := range []string{Sign10, Sign11, Sign13} {
		t.Run(version, func(t *testing.T) {
			_, c := erchef(t, chefserver.Options{}, func(o *Options) { o.SignVersion = version })
			ctx := t.Context()
			type kind struct {
				name, path string
				list       func(context.Context) ([]string, error)
				get        func(context.Context, string) (json.RawMessage, error)
				create     func(context.Context, json.RawMessage) error
				update     func(context.Context, string, json.RawMessage) error
				remove     func(context.Context, string) error
			}
			must(t, c.CreateDataBag(ctx, "users"))
			for _, k := range []kind{
				{"name", "roles", c.ListRoles, c.GetRole, c.CreateRole, c.UpdateRole, c.DeleteRole},
				{"name", "environments", c.ListEnvironments, c.GetEnvironment, c.CreateEnvironment, c.UpdateEnvironment, c.DeleteEnvironment},
				{
					"id", "items",
					func(ctx context.Context) ([]string, error) { return c.ListDataBagItems(ctx, "users") },
					func(ctx context.Context, id string) (json.RawMessage, error) {
						return c.GetDataBagItem(ctx, "users", id)
					},
					func(ctx context.Context, b json.RawMessage) error {
						return c.CreateDataBagItem(ctx, "users", "a:b.c_1", b)
					},
					func(ctx context.Context, id string, b json.RawMessage) error {
						return c.UpdateDataBagItem(ctx, "users", id, b)
					},
					func(ctx context.Context, id string) error { return c.DeleteDataBagItem(ctx, "users", id) },
				},
			} {
				name := "a:b.c_1"
				if k.path == "environments" {
					name = "a.b_c-1"
				}
				body := json.RawMessage(fmt.Sprintf(`{"%s":"%s","default_attributes":{"n":12345678901234567890}}`, k.name, name))
				if _, err := k.get(ctx, name); !IsNotFound(err) {
					t.Errorf("%s: get before create: %v", k.path, err)
				}
				if err := k.update(ctx, name, body); !IsNotFound(err) {
					t.Errorf("%s: update before create: %v", k.path, err)
				}
				must(t, k.create(ctx, body))
				if err := k.create(ctx, body); !IsConflict(err) {
					t.Errorf("%s: create twice: %v", k.path, err)
				}
				must(t, k.update(ctx, name, body))
				got, err := k.get(ctx, name)
				if err != nil || !strings.Contains(string(got), "12345678901234567890") {
					t.Errorf("%s: got %s, %v", k.path, got, err)
				}
				names, err := k.list(ctx)
				if diff := cmp.Diff([]string{name}, names); diff != "" || err != nil {
					t.Errorf("%s: list: %v (-want +got):\n%s", k.path, err, diff)
				}
				must(t, k.remove(ctx, name))
				if err := k.remove(ctx, name); !IsNotFound(err) {
					t.Errorf("%s: delete twice: %v", k.path, err)
				}
			}
			must(t, c.DeleteDataBag(ctx, "users"))
		})
	}
}

// bring uploads files and a cookbook that has them.
func bring(t *testing.T, c *Client, m *Manifest, files ...string) {
	t.Helper()
	var sums []string
	content := map[string][]byte{}
	for _, f := range files {
		sums = append(sums, sumOf([]byte(f)))
		content[sumOf([]byte(f))] = []byte(f)
	}
	ctx := t.Context()
	box, err := c.CreateSandbox(ctx, sums)
	must(t, err)
	for sum, url := range box.Uploads {
		must(t, c.UploadFile(ctx, url, sum, int64(len(content[sum])), opener(content[sum])))
	}
	must(t, c.CommitSandbox(ctx, box.ID))
	must(t, c.PutCookbook(ctx, m, PutCookbookOptions{}))
}

func TestLifeOfACookbook(t *testing.T) {
	_, c := erchef(t, chefserver.Options{})
	ctx := t.Context()
	files := []string{"puts 1\n", "", "control 1\n"}
	m := manifest(t, fmt.Sprintf(`{"name":"nginx-1.0","cookbook_name":"nginx","version":"1.0","json_class":"Chef::CookbookVersion",
		"chef_type":"cookbook_version","frozen?":true,"metadata":{"name":"nginx","version":"1.0","n":12345678901234567890},"all_files":[
		{"name":"recipes/default.rb","path":"recipes/default.rb","checksum":"%s","specificity":"default"},
		{"name":"root_files/empty","path":"empty","checksum":"%s","specificity":"default"},
		{"name":"compliance/a.rb","path":"compliance/a.rb","checksum":"%s","specificity":"default"}]}`,
		sumOf([]byte(files[0])), sumOf([]byte(files[1])), sumOf([]byte(files[2]))))
	if err := c.PutCookbook(ctx, m, PutCookbookOptions{}); !errors.Is(err, ErrMissingFiles) {
		t.Errorf("put before the files: %v", err)
	}
	// The failed create has left a frozen version without files behind.
	if err := c.PutCookbook(ctx, m, PutCookbookOptions{}); !errors.Is(err, ErrFrozen) {
		t.Errorf("put over what the failed create left: %v", err)
	}
	must(t, c.DeleteCookbook(ctx, "nginx", "1.0.0"))
	bring(t, c, m, files...)
	if err := c.PutCookbook(ctx, m, PutCookbookOptions{}); !errors.Is(err, ErrFrozen) {
		t.Errorf("put a frozen version: %v", err)
	}
	must(t, c.PutCookbook(ctx, m, PutCookbookOptions{Force: true}))

	got, err := c.GetCookbook(ctx, "nginx", "1.0.0")
	must(t, err)
	checkSameManifest(t, m, got)
	for i, f := range got.Files() {
		var out bytes.Buffer
		if _, err := c.DownloadFile(ctx, f.URL, f.Checksum, &out); err != nil || out.String() != files[i] {
			t.Errorf("file %s: got %q, %v", f.Path, out.String(), err)
		}
	}
	list, err := c.ListCookbooks(ctx)
	if diff := cmp.Diff([]CookbookVersion{{"nginx", "1.0.0"}}, list); diff != "" || err != nil {
		t.Errorf("list: %v (-want +got):\n%s", err, diff)
	}
	must(t, c.DeleteCookbook(ctx, "nginx", "1.0.0"))
}

func TestSandboxIsCommittedTwice(t *testing.T) {
	_, c := erchef(t, chefserver.Options{})
	box, err := c.CreateSandbox(t.Context(), []string{sumOf([]byte("a"))})
	must(t, err)
	if err := c.CommitSandbox(t.Context(), box.ID); !errors.Is(err, ErrMissingFiles) || Classify(err) != ClassRetry {
		t.Errorf("commit without files: %v", err)
	}
	must(t, c.UploadFile(t.Context(), box.Uploads[sumOf([]byte("a"))], sumOf([]byte("a")), 1, opener([]byte("a"))))
	must(t, c.CommitSandbox(t.Context(), box.ID))
	if err := c.CommitSandbox(t.Context(), box.ID); !IsNotFound(err) {
		t.Errorf("commit twice: %v", err)
	}
}

func TestErrorsOfAServer(t *testing.T) {
	server, c := erchef(t, chefserver.Options{}, noRetries)
	ctx := t.Context()
	for name, tt := range map[string]struct {
		client *Client
		is     error
	}{
		"no such organization": {c.WithOrganization("absent"), ErrOrgNotFound},
		"not a member":         {c.WithOrganization("other"), ErrNotMember},
		"no organization":      {c.WithOrganization(""), ErrNoRoute},
		"unknown user":         {clientOf(t, c.URL()+"/organizations/acme", func(o *Options) { o.User = "mallory" }), ErrCredentials},
	} {
		if _, err := tt.client.ListRoles(ctx); !errors.Is(err, tt.is) || Classify(err) != ClassPair {
			t.Errorf("%s: got %v, want %v", name, err, tt.is)
		}
	}
	if _, err := c.UpdatedSince(ctx, 0, UpdatedSinceOptions{}); !errors.Is(err, ErrNoFeed) {
		t.Errorf("updated_since of a stock server: %v", err)
	}
	if v, err := c.APIVersion(ctx); v != 2 || err != nil {
		t.Errorf("APIVersion: got %d, %v", v, err)
	}
	server.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
	if _, err := c.ListRoles(ctx); !errors.Is(err, ErrClock) {
		t.Errorf("clock an hour off: %v", err)
	}
	server.SetClock(time.Now)

	for _, tt := range []struct {
		name   string
		effect chefserver.Effect
		class  Class
		is     error
	}{
		{"welcome page", chefserver.HTMLPage(), ClassPair, ErrNotChef},
		{"empty", chefserver.EmptyOK(), ClassPair, ErrNotChef},
		{"license", chefserver.LicenceInvalid(), ClassPair, ErrLicense},
		{"permission", chefserver.Forbidden("read"), ClassObject, nil},
		{"clock", chefserver.ClockSkew(), ClassPair, ErrClock},
		{"cut off", chefserver.CutBefore(), ClassRetry, nil},
		{"cut in the middle", chefserver.CutBody(1), ClassRetry, nil},
		{"short", chefserver.ShortBody(1), ClassPair, ErrNotChef},
		{"busy", chefserver.RetryAfter(503, 9), ClassRetry, nil},
	} {
		rule := server.Faults().Add(chefserver.Fault{Effect: tt.effect})
		_, err := c.ListRoles(ctx)
		if Classify(err) != tt.class || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: got %v of class %s, want %v of class %s", tt.name, err, Classify(err), tt.is, tt.class)
		}
		rule.Remove()
	}
}

// A commit whose answer is lost succeeds on the next try.
func TestLostAnswers(t *testing.T) {
	server, c := erchef(t, chefserver.Options{})
	ctx := t.Context()
	box, err := c.CreateSandbox(ctx, []string{sumOf([]byte("a"))})
	must(t, err)
	server.Faults().Add(chefserver.Fault{Method: "PUT", Count: 2, Every: 2, Effect: chefserver.CutAfter()})
	must(t, c.UploadFile(ctx, box.Uploads[sumOf([]byte("a"))], sumOf([]byte("a")), 1, opener([]byte("a"))))
	must(t, c.CommitSandbox(ctx, box.ID))

	rule := server.Faults().Add(chefserver.Fault{Path: regexp.MustCompile(`/roles$`), Count: 1, Effect: chefserver.CutAfter()})
	err = c.CreateRole(ctx, json.RawMessage(`{"name":"web"}`))
	var e *APIError
	if !errors.As(err, &e) || !IsConflict(err) || !e.Uncertain || rule.Hits() != 1 {
		t.Errorf("create whose answer was lost: got %v, want an uncertain conflict", err)
	}
}

func TestFeedOfAServer(t *testing.T) {
	_, c := erchef(t, chefserver.Options{Feed: true})
	ctx := t.Context()
	must(t, c.CreateRole(ctx, json.RawMessage(`{"name":"web"}`)))
	page, err := c.UpdatedSince(ctx, 0, UpdatedSinceOptions{})
	must(t, err)
	org, err := c.GetOrganization(ctx)
	must(t, err)
	if len(page.Changes) == 0 || page.Changes[len(page.Changes)-1].Path != "/roles/web" || page.Epoch == "" || !page.HasHead || page.OrgGUID != org.GUID {
		t.Errorf("got %+v for organization %+v", page, org)
	}
	done := make(chan error, 1)
	go func() {
		next, err := c.UpdatedSince(ctx, page.Head, UpdatedSinceOptions{Limit: 1, Wait: 20 * time.Second})
		if err == nil && (len(next.Changes) != 1 || next.Changes[0].Path != "/data/b") {
			err = fmt.Errorf("got %+v, want the new bag", next)
		}
		done <- err
	}()
	must(t, c.CreateDataBag(ctx, "b"))
	must(t, <-done)
	if _, err := c.UpdatedSince(ctx, 1<<40, UpdatedSinceOptions{}); !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "ahead of the newest change") {
		t.Errorf("a cursor from the future: got %v, want ErrGone with the reason", err)
	}
}
