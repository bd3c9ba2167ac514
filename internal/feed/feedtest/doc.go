// Package feedtest is the conformance suite of feeds: what every [feed.Feed]
// must do, whatever it is made of. A feed that passes can be followed without
// losing a change. Call [Run] from the tests of a feed:
//
//	feedtest.Run(t, func(t *testing.T) feedtest.Harness {
//		primary := feedtest.Server(t, chefserver.Options{Feed: true})
//		return feedtest.Harness{Primary: primary, Feed: &feed.UpdatedSince{Primary: primary.Client}, Numbered: true, Notices: true}
//	})
//
// # What a feed must do
//
// Nothing is missed. A follower asks for the head, lists the organization, and
// then takes page after page: for a create or an update it reads the object, for
// a delete it drops it. Whatever is written meanwhile, by however many, it ends
// up with exactly what the organization holds. That follower is the suite's
// oracle, see [Follower]; it knows the organization only through the feed and
// one early list.
//
// Pages. A page has at most as many changes as were asked for; More is set while
// there is more; the cursor of a page leads on from there. The same cursor may be
// used again, and brings the same changes. Where nothing is new, the cursor stays
// as it is.
//
// Cursors. A cursor of another feed, or one that is garbage, or whose place no
// longer exists, is [feed.ErrCursorLost]: never an empty page, never a page from
// another place, and never an error that would be tried again for ever.
//
// Doubt. An answer that is no complete answer (an error, an empty body, a web
// page, half a list) is an error. It brings no delete and moves no cursor, and
// when it is over the feed goes on as if it had not been.
//
// Disasters. When a server forgets deletes, is restored, numbers anew or gets
// another organization of the same name, the feed either says that the cursor is
// lost or goes on without missing anything.
//
// The suite does not test how soon a feed sees a change, nor what it costs.
package feedtest
