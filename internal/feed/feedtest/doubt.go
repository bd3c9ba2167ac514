package feedtest

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

func isLost(err error) bool { return errors.Is(err, feed.ErrCursorLost) }

func foreignCursors(k *kit) {
	k.write.Role("r", "1")
	real := k.head()
	k.wantLost(object.Cursor{})
	k.wantLost(object.Cursor{Feed: "nightly", Position: real.Position, Epoch: real.Epoch})
	for _, position := range []string{
		"", " ", "-1", "1.0", "1e3", "0x10", "abc", "nil", "../../roles", "/etc/passwd", ">", ">>", "a>", ">b",
		"99999999999999999999999999", "\x00", "é", string(make([]byte, 5000)),
	} {
		k.wantLost(object.Cursor{Feed: real.Feed, Position: position, Epoch: real.Epoch})
	}
	if k.Notices {
		k.wantLost(object.Cursor{Feed: real.Feed, Position: real.Position, Epoch: "another"})
		k.wantLost(object.Cursor{Feed: real.Feed, Position: real.Position})
	}
	k.next(real, 0) // it did no harm
}

func cancelled(k *kit) {
	c := k.head()
	k.write.Role("r", "1")
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	p, err := k.Feed.Next(ctx, c, feed.NextOptions{})
	if !errors.Is(err, context.Canceled) || isLost(err) {
		k.Errorf("Next with a cancelled context: %v; want context.Canceled", err)
	}
	k.wantNothing(p)
	k.wantSaid(c, map[string]string{"/roles/r": "write"})
}

// doubts are answers of which nothing may be concluded.
var doubts = map[string]func() chefserver.Effect{
	"empty":          chefserver.EmptyOK,
	"web page":       chefserver.HTMLPage,
	"half an answer": chefserver.HalfBody,
	"one byte":       func() chefserver.Effect { return chefserver.ShortBody(1) },
	"cut off":        func() chefserver.Effect { return chefserver.CutBody(1) },
	"no answer":      chefserver.CutBefore,
	"maintenance": func() chefserver.Effect {
		return chefserver.Status(http.StatusServiceUnavailable, `{"error":["maintenance"]}`)
	},
	"server error": func() chefserver.Effect {
		return chefserver.Status(http.StatusInternalServerError, `{"error":["internal service error"]}`)
	},
	"forbidden":          func() chefserver.Effect { return chefserver.Forbidden("read") },
	"licence":            chefserver.LicenceInvalid,
	"clock":              chefserver.ClockSkew,
	"null":               func() chefserver.Effect { return chefserver.Status(http.StatusOK, `null`) },
	"an error as answer": func() chefserver.Effect { return chefserver.Status(http.StatusOK, `{"error":["no"]}`) },
	"list of nulls":      func() chefserver.Effect { return chefserver.Status(http.StatusOK, `[null]`) },
	"list of nothings":   func() chefserver.Effect { return chefserver.Status(http.StatusOK, `[{}]`) },
}

// needFaults leaves out what cannot be done to the feed's server.
func (k *kit) needFaults() {
	k.Helper()
	if k.Faultless {
		k.Skip("the faults of the primary do not reach the feed")
	}
}

// inOrganization matches every request about the organization's content.
var inOrganization = regexp.MustCompile(`^/organizations/` + harness.Organization + `/`)

// doubtfulAnswers has the server answer everything wrongly for a while.
func doubtfulAnswers(k *kit) {
	k.needFaults()
	k.small()
	f := k.follow()
	k.catchUp(f, 0)
	k.write.Role("role0", "2")
	k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteRole(ctx, "role1") })
	for name, effect := range doubts {
		rule := k.Primary.Faults().Add(chefserver.Fault{Method: http.MethodGet, Path: inOrganization, Effect: effect()})
		p, err := k.ask(f.Cursor, 0)
		if err == nil {
			k.Errorf("%s: Next = %+v; want an error", name, p)
		}
		k.wantNothing(p)
		if c, err := k.Feed.Head(k.Context()); err == nil || !c.IsZero() {
			k.Errorf("%s: Head = %s, %v; want an error", name, c, err)
		}
		if rule.Hits() == 0 {
			k.Errorf("%s: no request was hit", name)
		}
		rule.Remove()
	}
	k.wantSaid(f.Cursor, map[string]string{"/roles/role0": "write", "/roles/role1": "delete"})
}

// doubtfulAnswerToOne has one request of a poll, and then another one, answered
// wrongly, its repetitions included.
func doubtfulAnswerToOne(k *kit) {
	k.needFaults()
	k.small()
	f := k.follow()
	k.catchUp(f, 0)
	for _, path := range []string{"updated_since", "roles", "environments", "data", "data/users", "cookbooks"} {
		exact := regexp.MustCompile(inOrganization.String() + path + "$")
		for _, name := range []string{"empty", "half an answer", "forbidden", "an error as answer", "maintenance"} {
			rule := k.Primary.Faults().Add(chefserver.Fault{Method: http.MethodGet, Path: exact, Effect: doubts[name]()})
			p, err := k.Feed.Next(k.Context(), f.Cursor, feed.NextOptions{})
			switch {
			case err != nil:
				k.wantNothing(p)
			case rule.Hits() > 0:
				k.Errorf("%s for %s: Next = %+v; want an error", name, path, p)
			case p.Next != f.Cursor || len(p.Changes) > 0:
				k.Errorf("%s for %s: Next = %+v; want nothing new", name, path, p)
			}
			rule.Remove()
		}
	}
	k.wantSaid(f.Cursor, map[string]string{})
}

// noSuchOrganization is no lost cursor and no missing feed: the name is wrong,
// or the organization has not been restored yet.
func noSuchOrganization(k *kit) {
	k.needFaults()
	k.write.Role("r", "1")
	c := k.head()
	rule := k.Primary.Faults().Add(chefserver.Fault{Path: inOrganization, Effect: chefserver.Status(http.StatusNotFound,
		`{"error":["organization '`+harness.Organization+`' does not exist."]}`)})
	p, err := k.ask(c, 0)
	if !errors.Is(err, chef.ErrOrgNotFound) || isLost(err) || errors.Is(err, feed.ErrUnsupported) {
		k.Errorf("Next = %v; want chef.ErrOrgNotFound", err)
	}
	k.wantNothing(p)
	if _, err := k.Feed.Head(k.Context()); !errors.Is(err, chef.ErrOrgNotFound) || errors.Is(err, feed.ErrUnsupported) {
		k.Errorf("Head = %v; want chef.ErrOrgNotFound", err)
	}
	rule.Remove()
	k.next(c, 0)
}
