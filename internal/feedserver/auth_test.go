package feedserver_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feedserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// callers are those who ask in the tests of authentication.
type callers struct {
	replica, member, outsider, pivotal, host person
	twin                                     person // the key of a client that has the name of an allowed user
	expired                                  person // an expired key of replica
	spare                                    person // another key of replica
	foreign                                  person // the key of a client of another organization
}

func newCallers(t *testing.T) callers {
	c := callers{
		replica: newPerson(t, "replica"), member: newPerson(t, "joe"), outsider: newPerson(t, "jim"),
		pivotal: newPerson(t, "pivotal"), host: newPerson(t, "host1"),
		twin: newPerson(t, "replica"), expired: newPerson(t, "replica"), spare: newPerson(t, "replica"),
		foreign: newPerson(t, "host2"),
	}
	return c
}

// expect is what each of the callers gets, from either way to authenticate.
func (c callers) expect(t *testing.T, auth feedserver.Authenticator, spareKeys bool) {
	log := newFakeLog()
	server := httptest.NewServer(feedserver.New(feedserver.Options{
		Log: log, Auth: auth, Allow: []string{"replica", "pivotal", "jim"},
	}))
	t.Cleanup(server.Close)
	ask := func(h http.Header, target string) reply {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = h
		return send(t, req)
	}
	stranger := newPerson(t, "replica")
	nobody := newPerson(t, "nobody")
	for _, v := range []string{chef.Sign10, chef.Sign11, chef.Sign13} {
		for _, x := range []struct {
			name string
			who  person
			org  string
			want int
			says string
		}{
			{"replica", c.replica, "acme", 200, ""},
			{"pivotal, who is no member", c.pivotal, "acme", 200, ""},
			{"a member who is not allowed", c.member, "acme", 403, "missing read permission"},
			{"a client", c.host, "acme", 403, "missing read permission"},
			{"a client with the name of a user", c.twin, "acme", 403, "missing read permission"},
			{"allowed and no member", c.outsider, "acme", 403, "not associated with organization"},
			{"another's name", stranger, "acme", 401, "Failed to authenticate as 'replica'."},
			{"an unknown name", nobody, "acme", 401, "Failed to authenticate as 'nobody'."},
			{"no such organization", c.replica, "none", 404, "organization 'none' does not exist."},
		} {
			got := ask(x.who.sign(t, x.org, v), "/organizations/"+x.org+"/updated_since?seq=0")
			if got.status != x.want || !strings.Contains(got.body, x.says) {
				t.Errorf("%s, version %s: %d %s; want %d %s", x.name, v, got.status, got.body, x.want, x.says)
			}
		}
	}
	if spareKeys {
		if got := ask(c.spare.sign(t, "acme", ""), feedPath+"?seq=0"); got.status != 200 {
			t.Errorf("a second key: %d %s", got.status, got.body)
		}
		if got := ask(c.expired.sign(t, "acme", ""), feedPath+"?seq=0"); got.status != 401 {
			t.Errorf("an expired key: %d %s", got.status, got.body)
		}
		if got := ask(c.foreign.sign(t, "acme", ""), feedPath+"?seq=0"); got.status != 401 {
			t.Errorf("a client of another organization: %d %s", got.status, got.body)
		}
	}
	// A signature is for one path, one time, and one key.
	h := c.replica.sign(t, "acme", "")
	if got := ask(h, "/organizations/acme/objects_since?seq=0"); got.status != 401 {
		t.Errorf("a signature for another path: %d %s", got.status, got.body)
	}
	if got := ask(h, "//organizations/acme/updated_since/?seq=0"); got.status != 200 {
		t.Errorf("the same path, written otherwise: %d %s", got.status, got.body)
	}
	old := h.Clone()
	old.Set("X-Ops-Timestamp", time.Now().Add(-20*time.Minute).UTC().Format("2006-01-02T15:04:05Z"))
	if got := ask(old, feedPath+"?seq=0"); got.status != 401 || !strings.Contains(got.body, "Synchronize the clock") {
		t.Errorf("an old signature: %d %s", got.status, got.body)
	}
	web := h.Clone()
	web.Set("X-Ops-Request-Source", "web")
	web.Set("X-Ops-Userid", "pivotal")
	if got := ask(web, feedPath+"?seq=0"); got.status != 401 {
		t.Errorf("as the web interface: %d %s", got.status, got.body)
	}
}

// database has Chef's tables with the callers in them.
func database(t *testing.T, c callers) (string, *pgxpool.Pool) {
	t.Helper()
	dsn := harness.ChefDatabase(t)
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	id := func(n string) string { return strings.Repeat("0", 32-len(n)) + n }
	do := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for i, org := range []string{"acme", "other"} {
		do(`INSERT INTO orgs (id, authz_id, name, full_name, assigned_at, last_updated_by, created_at, updated_at)
			VALUES ($1, $1, $2, $2, now(), $1, now(), now())`, id("1"+string(rune('0'+i))), org)
	}
	key := func(holder, name string, p person, expires string) {
		do(`INSERT INTO keys (id, key_name, public_key, key_version, created_at, expires_at) VALUES ($1, $2, $3, 0, now(), $4::text::timestamp)`,
			holder, name, p.public, expires)
	}
	user := func(n string, p person, member bool) {
		do(`INSERT INTO users (id, authz_id, username, pubkey_version, last_updated_by, created_at, updated_at)
			VALUES ($1, $1, $2, 0, $1, now(), now())`, id(n), p.name)
		do(`DELETE FROM keys WHERE id = $1`, id(n)) // of a trigger
		key(id(n), "default", p, "infinity")
		if member {
			do(`INSERT INTO org_user_associations (org_id, user_id, last_updated_by, created_at, updated_at) VALUES ($1, $2, $1, now(), now())`, id("10"), id(n))
		}
	}
	user("21", c.replica, true)
	user("22", c.member, true)
	user("23", c.outsider, false)
	user("24", c.pivotal, false)
	key(id("21"), "spare", c.spare, "2999-01-01")
	key(id("21"), "expired", c.expired, "2020-01-01")
	client := func(n, org string, p person) {
		do(`INSERT INTO clients (id, org_id, authz_id, name, validator, last_updated_by, created_at, updated_at, pubkey_version)
			VALUES ($1, $2, $4, $3, false, $2, now(), now(), 0)`, id(n), org, p.name, id(n))
		do(`DELETE FROM keys WHERE id = $1`, id(n))
		key(id(n), "default", p, "infinity")
	}
	client("31", id("10"), c.host)
	client("32", id("10"), c.twin)
	client("33", id("11"), newPerson(t, "replica"))
	client("34", id("11"), c.foreign)
	return dsn, pool
}

func TestKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a PostgreSQL")
	}
	t.Parallel()
	c := newCallers(t)
	_, pool := database(t, c)
	keys, err := feedserver.NewKeys(pool, 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	c.expect(t, keys, true)
	disabled(t, pool, c)
	_, err = pool.Exec(t.Context(), `ALTER TABLE keys RENAME TO locks`)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Check(t.Context()); err == nil {
		t.Error("Check finds nothing wrong without keys")
	}
}

// disabled checks that a user whom a newer Chef server has disabled is denied.
func disabled(t *testing.T, pool *pgxpool.Pool, c callers) {
	t.Helper()
	for i, sql := range []string{`ALTER TABLE users ADD COLUMN disabled boolean NOT NULL DEFAULT false`, `UPDATE users SET disabled = true WHERE username = 'replica'`} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		keys, err := feedserver.NewKeys(pool, 15*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := chef.ReadSignature(c.spare.sign(t, "acme", "")) // a trigger of Chef's takes the default key away
		if err != nil {
			t.Fatal(err)
		}
		_, err = keys.Authenticate(t.Context(), &feedserver.Request{Org: "acme", Path: feedPath, Signature: sig})
		if (i == 0 && err != nil) || (i == 1 && !errors.Is(err, feedserver.ErrDenied)) {
			t.Errorf("after %s: %v", sql, err)
		}
	}
}

// TestValidator: the Chef server says the same as its keys.
func TestValidator(t *testing.T) {
	if testing.Short() {
		t.Skip("makes RSA keys")
	}
	t.Parallel()
	c := newCallers(t)
	s := chefserver.New(chefserver.Options{PivotalKey: c.pivotal.key})
	if _, err := s.CreateOrganization("acme", "Acme"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []person{c.replica, c.member, c.outsider} {
		if err := s.CreateUser(p.name, []byte(p.public)); err != nil {
			t.Fatal(err)
		}
		if p.name != c.outsider.name {
			if err := s.AddMember("acme", p.name, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	up := httptest.NewServer(s)
	t.Cleanup(up.Close)
	admin := harness.NewClient(t, up.URL, "acme", c.pivotal.name, c.pivotal.file)
	for _, p := range []person{c.host, c.twin} {
		if err := admin.CreateClient(t.Context(), chef.NewClient{Name: p.name, PublicKey: p.public}); err != nil {
			t.Fatal(err)
		}
	}
	v, err := feedserver.NewValidator(up.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	c.expect(t, v, false)
}

// TestValidatorDoubts: an answer that is not the Chef server's lets nobody in.
func TestValidatorDoubts(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name   string
		status int
		body   string
		want   int
	}{
		{"a user", 200, `{"requestor_name":"replica","requestor_type":"user"}`, 200},
		{"a client", 200, `{"requestor_name":"replica","requestor_type":"client"}`, 403},
		{"somebody else", 200, `{"requestor_name":"pivotal","requestor_type":"user"}`, 503},
		{"something else", 200, `{"requestor_name":"replica","requestor_type":"superuser"}`, 503},
		{"no name", 200, `{}`, 503},
		{"a web page", 200, `<html></html>`, 503},
		{"half an answer", 200, `{"requestor_name":"replica","requestor_type":"user"`, 503},
		{"nothing", 200, ``, 503},
		{"a redirect", 302, `{"requestor_name":"replica","requestor_type":"user"}`, 503},
		{"an error", 500, `{"error":["internal service error"]}`, 503},
		{"no such page", 404, `<html></html>`, 503},
		{"no organization", 404, `{"error":["organization 'acme' does not exist."]}`, 404},
		{"forbidden by nginx", 403, `<html></html>`, 503},
		{"not a member", 403, `{"error":["'replica' not associated with organization 'acme'"]}`, 403},
		{"denied", 401, `{"error":["Invalid signature for user or client 'replica'"]}`, 401},
		{"denied by nginx", 401, ``, 401},
		{"malformed", 400, `{"error":["missing required authentication header(s) 'X-Ops-Sign'"]}`, 401},
	} {
		t.Run(x.name, func(t *testing.T) {
			var asked *http.Request
			up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(x.status)
				_, _ = w.Write([]byte(x.body))
			}))
			defer up.Close()
			v, err := feedserver.NewValidator(up.URL)
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t)
			r.http.Config.Handler = feedserver.New(feedserver.Options{Log: r.log, Auth: v, Allow: []string{"replica"}})
			got := r.get(feedPath+"?seq=0", func(q *http.Request) {
				q.Header.Set("X-Ops-Request-Source", "web")
				q.Header.Set("Cookie", "hush")
				q.Header.Add("X-Ops-Userid", "pivotal") // a second value, which nobody may take for the first
			})
			if got.status != x.want {
				t.Errorf("%d %s; want %d", got.status, got.body, x.want)
			}
			if asked.URL.Path != "/organizations/acme/validate/organizations/acme/updated_since" || asked.URL.RawQuery != "" {
				t.Errorf("asked %s", asked.URL)
			}
			if asked.Header.Get("X-Ops-Request-Source") != "" || asked.Header.Get("Cookie") != "" || len(asked.Header.Values("X-Ops-Userid")) != 1 {
				t.Errorf("headers went along that should not: %v", asked.Header)
			}
		})
	}
	v, err := feedserver.NewValidator("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	r.http.Config.Handler = feedserver.New(feedserver.Options{Log: r.log, Auth: v, Allow: []string{"replica"}})
	if got := r.get(feedPath+"?seq=0", nil); got.status != 503 {
		t.Errorf("without a Chef server: %d", got.status)
	}
}

// TestKeysAreRemembered, for seconds, and not for ever.
func TestKeysAreRemembered(t *testing.T) {
	t.Parallel()
	db := &countingDB{}
	keys, err := feedserver.NewKeys(db, 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	keys.SetClock(func() time.Time { return now })
	p := newPerson(t, "replica")
	ask := func(want int) {
		t.Helper()
		sig, err := chef.ReadSignature(p.sign(t, "acme", ""))
		if err != nil {
			t.Fatal(err)
		}
		_, err = keys.Authenticate(t.Context(), &feedserver.Request{Org: "acme", Path: feedPath, Signature: sig})
		if err == nil || db.asked != want { // the database never answers
			t.Errorf("err %v, asked %d times; want %d", err, db.asked, want)
		}
	}
	db.answers = true
	ask(1)
	ask(1)
	now = now.Add(6 * time.Second)
	ask(2)
	now = now.Add(-time.Minute) // the clock was put back
	ask(3)
	db.answers = false
	now = now.Add(time.Hour / 6)
	ask(4)
	ask(5) // an error is not remembered
}

type countingDB struct {
	asked   int
	answers bool

	key   string         // of the user replica
	names map[string]int // how often it was asked for each; nil: nobody wants to know
	name  string         // asked for last
}

func (db *countingDB) QueryRow(_ context.Context, _ string, args ...any) pgx.Row {
	db.asked++
	db.name = args[1].(string)
	if db.names != nil {
		db.names[db.name]++
	}
	return db
}

func (db *countingDB) Scan(to ...any) error {
	if db.answers {
		if db.name == "replica" && db.key != "" {
			*to[2].(*[]string) = []string{db.key}
		}
		return nil
	}
	return pgx.ErrNoRows
}
