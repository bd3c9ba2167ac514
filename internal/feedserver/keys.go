package feedserver

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/chef-sync/chef-sync/internal/chef"
)

const (
	// keysAge is how long what the database said of a name is believed: a key
	// that is deleted is good for so long.
	keysAge = 5 * time.Second

	// maxNames bounds how many names are remembered.
	maxNames = 1000

	// maxQueries bounds how many connections strangers can keep busy.
	maxQueries = 2

	// askTime bounds how long the database may take to say whose key it is.
	askTime = 10 * time.Second

	// superuser needs no membership.
	superuser = "pivotal"
)

// Querier is a connection or a pool.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Keys verifies signatures with the keys in the Chef server's database, as erchef
// does: all keys of the user and of the organization's client of that name that
// have not expired. Make one with [NewKeys].
type Keys struct {
	db    Querier
	skew  time.Duration
	now   func() time.Time
	dummy *rsa.PublicKey // what the signatures of unknown names are verified with
	turns chan struct{}

	askTime time.Duration

	mu    sync.Mutex
	names map[[2]string]*holder
}

// holder is what the database said of a name in an organization.
type holder struct {
	at            time.Time
	org, member   bool
	users, client []*rsa.PublicKey // keys
}

// NewKeys returns an authenticator with the keys in db. Signatures may be skew old,
// or that far in the future.
func NewKeys(db Querier, skew time.Duration) (*Keys, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return &Keys{
		db: db, skew: skew, now: time.Now, dummy: &key.PublicKey,
		turns: make(chan struct{}, maxQueries), askTime: askTime, names: map[[2]string]*holder{},
	}, nil
}

// Authenticate verifies. See [Authenticator]. A name that is unknown takes as
// long as one that is known, but for the number of its keys.
func (k *Keys) Authenticate(ctx context.Context, r *Request) (Requestor, error) {
	if d := k.now().Sub(r.Signature.Time); d >= k.skew || d <= -k.skew {
		return Requestor{}, ErrClock
	}
	user := r.Signature.User
	if !storable(user) || !storable(r.Org) {
		return Requestor{}, ErrDenied
	}
	h, err := k.holder(ctx, r.Org, user)
	if err != nil {
		return Requestor{}, err
	}
	signed := chef.SignedRequest{Method: "GET", Path: r.Path, Body: r.Body}
	users, client := h.users, h.client
	if len(users)+len(client) == 0 {
		users = []*rsa.PublicKey{k.dummy}
	}
	isUser, isClient := r.Signature.Verify(signed, users...), r.Signature.Verify(signed, client...)
	switch {
	case isUser:
		return Requestor{
			Name: user, NoOrganization: !h.org, NotMember: !h.member && user != superuser,
		}, nil
	case isClient:
		return Requestor{Name: user, Client: true}, nil
	}
	return Requestor{}, ErrDenied
}

// storable reports whether PostgreSQL can have a name at all; asked for another it
// fails.
func storable(name string) bool { return utf8.ValidString(name) && !strings.Contains(name, "\x00") }

// holder returns what the database says of a name, or said a moment ago.
func (k *Keys) holder(ctx context.Context, org, name string) (*holder, error) {
	id := [2]string{org, name}
	k.mu.Lock()
	h := k.names[id]
	k.mu.Unlock()
	now := k.now()
	if h != nil && now.Sub(h.at) < keysAge && !now.Before(h.at) {
		return h, nil
	}
	h, err := k.ask(ctx, org, name)
	if err != nil {
		return nil, err
	}
	h.at = now
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.names) >= maxNames { // strangers' names first, so that they do not drive out the others
		maps.DeleteFunc(k.names, func(_ [2]string, h *holder) bool {
			return len(h.users)+len(h.client) == 0 || now.Sub(h.at) >= keysAge
		})
	}
	if len(k.names) >= maxNames {
		clear(k.names)
	}
	k.names[id] = h
	return h, nil
}

// keysOf is the SQL for the keys that have not expired of the ids in a query.
// Times without zone are UTC, as erchef writes them.
const keysOf = `ARRAY(SELECT k.public_key FROM public.keys k JOIN (%s) x ON k.id = x.id::bpchar
	WHERE k.expires_at > now() AT TIME ZONE 'UTC' ORDER BY k.key_name LIMIT 50)`

var keysSQL = fmt.Sprintf(`SELECT
	EXISTS (SELECT FROM public.orgs WHERE name = $1),
	EXISTS (SELECT FROM public.orgs o JOIN public.org_user_associations a ON a.org_id = o.id
		JOIN public.users u ON u.id::text = a.user_id::text WHERE o.name = $1 AND u.username = $2),
	`+keysOf+`,
	`+keysOf,
	// Newer Chef servers can disable users. Where the column is missing, the name
	// means the one beside it.
	`SELECT u.id FROM (VALUES (false)) older (disabled), LATERAL (SELECT id, disabled FROM public.users WHERE username = $2) u WHERE NOT u.disabled`,
	`SELECT c.id FROM public.clients c JOIN public.orgs o ON o.id = c.org_id WHERE o.name = $1 AND c.name = $2`)

// ask asks the database. The time that there is for it begins with the wait for a
// turn: a database that says nothing keeps nobody in a long row.
func (k *Keys) ask(ctx context.Context, org, name string) (*holder, error) {
	ctx, cancel := context.WithTimeout(ctx, k.askTime)
	defer cancel()
	select {
	case k.turns <- struct{}{}:
		defer func() { <-k.turns }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to read keys from the Chef server's database: %w", ctx.Err())
	}
	var h holder
	var users, client []string
	if err := k.db.QueryRow(ctx, keysSQL, org, name).Scan(&h.org, &h.member, &users, &client); err != nil {
		return nil, fmt.Errorf("read keys from the Chef server's database: %w", err)
	}
	h.users, h.client = publicKeys(users), publicKeys(client)
	return &h, nil
}

// publicKeys parses what are RSA keys; others cannot have signed.
func publicKeys(texts []string) []*rsa.PublicKey {
	var out []*rsa.PublicKey
	for _, text := range texts {
		if key, err := chef.ParsePublicKey(text); err == nil {
			out = append(out, key)
		}
	}
	return out
}

// Check reports whether the database has what keys are read from, and may be
// read.
func (k *Keys) Check(ctx context.Context) error {
	_, err := k.ask(ctx, "", "")
	return err
}
