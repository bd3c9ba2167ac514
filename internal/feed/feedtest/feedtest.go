package feedtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// Harness is a feed, the fresh organization that it is about, and what the feed
// is able to do beyond what every feed does.
type Harness struct {
	Feed    feed.Feed
	Primary *harness.ChefServer

	// Numbered says that changes have rising IDs, and positions are decimal.
	Numbered bool

	// Notices says that the feed calls the cursor lost after every disaster that
	// could have cost a change: forgotten deletes, a new epoch, another
	// organization of the same name.
	Notices bool

	// Faultless says that the feed is not served by Primary, and so does not meet
	// its faults. The cases that are about doubtful answers are left out.
	Faultless bool

	// Forgetful says that the server cannot tell that it has forgotten deletes.
	// Such a feed is not asked to survive it.
	Forgetful bool
}

// key is the key of all servers and users of a test binary. It is short, because
// signing is most of what the suite's requests cost.
var key = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) }) //nolint:gosec // for tests

// Server starts an in-process Chef server with one empty organization, within
// milliseconds.
func Server(t testing.TB, o chefserver.Options) *harness.ChefServer {
	t.Helper()
	k, err := key()
	if err != nil {
		t.Fatal(err)
	}
	o.PivotalKey, o.GenerateKey = k, key
	s := harness.Chef(t, o)
	s.KeyFile = filepath.Join(t.TempDir(), user+".pem")
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
	public := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&k.PublicKey)})
	err = errors.Join(os.WriteFile(s.KeyFile, private, 0o600), s.CreateUser(user, public), s.AddMember(harness.Organization, user, true))
	if err != nil {
		t.Fatal(err)
	}
	s.Client = harness.NewClient(t, s.URL, harness.Organization, user, s.KeyFile)
	return s
}

// user signs with key.
const user = "follower"

// Run tests a feed. make is called for every case.
func Run(t *testing.T, make func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*kit)
	}{
		{"nothing new", nothingNew},
		{"every kind", everyKind},
		{"deleted and made anew", deletedAndMadeAnew},
		{"made and deleted between polls", madeAndDeleted},
		{"bag goes with its items", bagCascade},
		{"environment is renamed", environmentRenamed},
		{"cookbook versions", cookbookVersions},
		{"concurrent writes", concurrentWrites},
		{"writes between head and list", writesBetweenHeadAndList},
		{"pages", pages},
		{"writes between pages", writesBetweenPages},
		{"same cursor again", sameCursorAgain},
		{"foreign cursors", foreignCursors},
		{"side by side", sideBySide},
		{"cancelled", cancelled},
		{"doubtful answers", doubtfulAnswers},
		{"doubtful answers to one request", doubtfulAnswerToOne},
		{"no such organization", noSuchOrganization},
		{"forgotten deletes", forgottenDeletes},
		{"another numbering", anotherNumbering},
		{"another organization", anotherOrganization},
		{"before the first change", beforeTheFirstChange},
		{"ahead of the head", aheadOfTheHead},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := make(t)
			c.test(&kit{T: t, Harness: h, write: harness.Write(t, h.Primary.Client)})
		})
	}
}

// kit is what a case works with.
type kit struct {
	*testing.T
	Harness
	write *harness.Content
}

// head returns the feed's head.
func (k *kit) head() object.Cursor {
	k.Helper()
	c, err := k.Feed.Head(k.Context())
	if err != nil {
		k.Fatalf("Head: %v", err)
	}
	if c.IsZero() || c.Feed == "" || c.Position == "" {
		k.Fatalf("Head = %+v, which is no place", c)
	}
	return c
}

// next asks for a page, and has contents read if the feed does that only now and
// then.
func (k *kit) next(c object.Cursor, limit int) feed.Page {
	k.Helper()
	p, err := k.ask(c, limit)
	if err != nil {
		k.Fatalf("Next(%s): %v", c, err)
	}
	if limit > 0 && len(p.Changes) > limit {
		k.Errorf("Next(%s, limit %d): %d changes", c, limit, len(p.Changes))
	}
	return p
}

func (k *kit) ask(c object.Cursor, limit int) (feed.Page, error) {
	return k.Feed.Next(k.Context(), c, feed.NextOptions{Limit: limit, Deep: true})
}

// wantLost checks that the feed does not go on from c.
func (k *kit) wantLost(c object.Cursor) {
	k.Helper()
	p, err := k.ask(c, 0)
	if !errors.Is(err, feed.ErrCursorLost) {
		k.Errorf("Next(%s %q epoch %q) = %+v, %v; want ErrCursorLost", c.Feed, c.Position, c.Epoch, p, err)
	}
	k.wantNothing(p)
}

// wantNothing checks that what comes with an error is not to be taken for a page.
func (k *kit) wantNothing(p feed.Page) {
	k.Helper()
	if len(p.Changes) > 0 || !p.Next.IsZero() || p.More {
		k.Errorf("an error came with the page %+v", p)
	}
}

// do makes a request that [harness.Content] has no method for.
func (k *kit) do(what string, f func(context.Context) error) {
	k.Helper()
	if err := f(k.Context()); err != nil {
		k.Fatalf("%s: %v", what, err)
	}
}
