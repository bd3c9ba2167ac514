package feedtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// said returns the last word of a page about each object: "delete" or "write",
// since create and update are hints.
func said(p feed.Page) map[string]string {
	out := map[string]string{}
	for _, c := range p.Changes {
		word := "write"
		if c.Action == object.ActionDelete {
			word = "delete"
		}
		out[c.Ref.Path()] = word
	}
	return out
}

// wantSaid takes the page after c and compares its last words.
func (k *kit) wantSaid(c object.Cursor, want map[string]string) object.Cursor {
	k.Helper()
	p := k.next(c, 0)
	if diff := cmp.Diff(want, said(p)); diff != "" {
		k.Errorf("the page after %s (-want +got):\n%s", c, diff)
	}
	if p.More {
		k.Errorf("a page without limit says that there is more: %+v", p)
	}
	k.wantOrder(p, 0)
	return p.Next
}

// wantOrder checks what an order can be checked by: rising IDs after the cursor.
func (k *kit) wantOrder(p feed.Page, after int64) {
	k.Helper()
	for _, c := range p.Changes {
		if !k.Numbered {
			continue
		}
		if c.ID <= after {
			k.Errorf("%s has ID %d after %d", c.Ref, c.ID, after)
		}
		after = c.ID
	}
}

// small fills the organization with one or two objects of every kind.
func (k *kit) small() {
	k.Helper()
	k.write.Role("role0", "1")
	k.write.Role("role1", "1")
	k.write.Item("users", "user0", "1")
	k.write.Environment("prod", "1")
	k.write.Cookbook("app", "1.0.0", true, map[string]string{"recipes/default.rb": "a"})
}

func nothingNew(k *kit) {
	for _, fill := range []func(){func() {}, k.small} {
		fill()
		c := k.head()
		for range 2 {
			p := k.next(c, 0)
			if p.Next != c || len(p.Changes) > 0 && k.Numbered || p.More || p.Behind > 0 {
				if !k.Numbered && p.Next != c { // contents were read for the first time
					c = k.next(p.Next, 0).Next
					continue
				}
				k.Errorf("Next(%s) = %+v; want nothing new", c, p)
			}
		}
		if p := k.next(c, 0); p.Next != c || len(p.Changes) > 0 || p.More || p.Behind > 0 {
			k.Errorf("Next(%s) = %+v; want nothing new", c, p)
		}
	}
}

func everyKind(k *kit) {
	c := k.head()
	k.write.Role("r", "1")
	k.write.Environment("e", "1")
	k.write.Item("b", "i", "1")
	k.write.Cookbook("c", "1.2.3", false, map[string]string{"recipes/default.rb": "1"})
	c = k.wantSaid(c, map[string]string{
		"/roles/r": "write", "/environments/e": "write", "/data/b": "write", "/data/b/i": "write", "/cookbooks/c/1.2.3": "write",
	})
	k.write.Role("r", "2")
	k.write.Environment("e", "2")
	k.write.Item("b", "i", "2")
	k.write.Cookbook("c", "1.2.3", false, map[string]string{"recipes/default.rb": "2"})
	c = k.wantSaid(c, map[string]string{
		"/roles/r": "write", "/environments/e": "write", "/data/b/i": "write", "/cookbooks/c/1.2.3": "write",
	})
	client := k.Primary.Client
	k.do("delete", func(ctx context.Context) error { return client.DeleteRole(ctx, "r") })
	k.do("delete", func(ctx context.Context) error { return client.DeleteEnvironment(ctx, "e") })
	k.do("delete", func(ctx context.Context) error { return client.DeleteDataBagItem(ctx, "b", "i") })
	k.do("delete", func(ctx context.Context) error { return client.DeleteCookbook(ctx, "c", "1.2.3") })
	c = k.wantSaid(c, map[string]string{
		"/roles/r": "delete", "/environments/e": "delete", "/data/b/i": "delete", "/cookbooks/c/1.2.3": "delete",
	})
	k.wantSaid(c, map[string]string{})
}

func deletedAndMadeAnew(k *kit) {
	k.write.Role("r", "1")
	f := k.follow()
	k.catchUp(f, 0)
	k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteRole(ctx, "r") })
	k.write.Role("r", "2")
	f.Cursor = k.wantSaid(f.Cursor, map[string]string{"/roles/r": "write"})
}

func madeAndDeleted(k *kit) {
	c := k.head()
	k.write.Role("r", "1")
	k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteRole(ctx, "r") })
	if word := said(k.next(c, 0))["/roles/r"]; word == "write" {
		k.Error("the last word about an object that is gone is not delete")
	}
}

func bagCascade(k *kit) {
	for i := range 3 {
		k.write.Item("b", fmt.Sprintf("i%d", i), "1")
		k.write.Item("stays", fmt.Sprintf("i%d", i), "1")
	}
	f := k.follow()
	k.catchUp(f, 0)
	k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteDataBag(ctx, "b") })
	k.wantSaid(f.Cursor, map[string]string{
		"/data/b": "delete", "/data/b/i0": "delete", "/data/b/i1": "delete", "/data/b/i2": "delete",
	})
}

func environmentRenamed(k *kit) {
	k.write.Environment("old", "1")
	f := k.follow()
	k.catchUp(f, 0)
	k.do("rename", func(ctx context.Context) error {
		_, err := k.Primary.Client.Do(ctx, http.MethodPut, "/environments/old", nil, json.RawMessage(
			`{"name":"new","description":"1","json_class":"Chef::Environment","chef_type":"environment",`+
				`"default_attributes":{},"override_attributes":{},"cookbook_versions":{}}`))
		return err
	})
	k.wantSaid(f.Cursor, map[string]string{"/environments/old": "delete", "/environments/new": "write"})
}

func cookbookVersions(k *kit) {
	c := k.head()
	k.write.Cookbook("c", "1.0", false, nil)
	k.write.Cookbook("c", "1.10.0", true, nil)
	k.write.Cookbook("c", "1.9.0", false, nil)
	c = k.wantSaid(c, map[string]string{
		"/cookbooks/c/1.0.0": "write", "/cookbooks/c/1.10.0": "write", "/cookbooks/c/1.9.0": "write",
	})
	k.write.Cookbook("c", "1.9.0", true, nil)
	k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteCookbook(ctx, "c", "1.0") })
	k.wantSaid(c, map[string]string{"/cookbooks/c/1.9.0": "write", "/cookbooks/c/1.0.0": "delete"})
}

// concurrentWrites follows while three writers are at work, on the same few
// objects.
func concurrentWrites(k *kit) {
	for _, bag := range []string{"n0", "n1", "n2"} {
		k.write.Item(bag, "i", "1")
	}
	const writers, writes = 3, 20
	f := k.follow()
	g, ctx := errgroup.WithContext(k.Context())
	for w := range writers {
		random := rand.New(rand.NewPCG(uint64(w), 1)) //nolint:gosec // repeatable on purpose
		g.Go(func() error {
			for i := range writes {
				if err := k.disturb(ctx, random, w*writes+i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	written := make(chan error, 1)
	go func() { written <- g.Wait() }()
	for done := false; !done; {
		select {
		case err := <-written:
			if err != nil {
				k.Fatalf("write: %v", err)
			}
			done = true
		default:
		}
		if _, err := f.Step(k.Context(), 3); err != nil {
			k.Fatalf("follow: %v", err)
		}
	}
	k.catchUp(f, 3)
}

// disturb makes one random write. What another writer was faster with is no
// error.
func (k *kit) disturb(ctx context.Context, random *rand.Rand, value int) error {
	c, name := k.Primary.Client, fmt.Sprintf("n%d", random.IntN(3))
	bag := name
	if !k.Numbered { // a bag has no content, and comes back as if it had not gone
		bag = fmt.Sprintf("b%d", value)
	}
	role := json.RawMessage(fmt.Sprintf(`{"name":%q,"description":"%d"}`, name, value))
	item := json.RawMessage(fmt.Sprintf(`{"id":"i","value":%d}`, value))
	var err error
	switch random.IntN(8) {
	case 0, 1:
		err = c.CreateRole(ctx, role)
	case 2:
		err = c.UpdateRole(ctx, name, role)
	case 3:
		err = c.DeleteRole(ctx, name)
	case 4:
		err = c.CreateDataBag(ctx, bag)
	case 5:
		err = c.CreateDataBagItem(ctx, name, "i", item)
	case 6:
		err = c.UpdateDataBagItem(ctx, name, "i", item)
	case 7:
		err = c.DeleteDataBag(ctx, name)
	}
	if chef.IsConflict(err) || chef.IsNotFound(err) {
		return nil
	}
	return err
}

// writesBetweenHeadAndList is the moment that a follower could miss.
func writesBetweenHeadAndList(k *kit) {
	k.small()
	f := &Follower{Feed: k.Feed, Primary: k.Primary.Client, Cursor: k.head()}
	k.write.Role("role0", "2")
	k.write.Role("new", "1")
	k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteRole(ctx, "role1") })
	k.do("copy", f.Copy)
	k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteRole(ctx, "new") })
	k.write.Role("role2", "2")
	k.catchUp(f, 0)
}

func pages(k *kit) {
	c := k.head()
	want := map[string]string{}
	for i := range 7 {
		k.write.Role(fmt.Sprintf("r%d", i), "1")
		want[fmt.Sprintf("/roles/r%d", i)] = "write"
	}
	var all []object.Change
	for n := 0; ; n++ {
		p := k.next(c, 3)
		all = append(all, p.Changes...)
		left := 7 - len(all)
		if p.More != (left > 0) {
			k.Errorf("page %d: More = %v with %d changes left", n, p.More, left)
		}
		if p.Behind != -1 && p.Behind != int64(left) {
			k.Errorf("page %d: Behind = %d with %d changes left", n, p.Behind, left)
		}
		if p.Next == c || n > 3 {
			k.Fatalf("page %d does not lead on from %s", n, c)
		}
		c = p.Next
		if !p.More {
			break
		}
	}
	if got := said(feed.Page{Changes: all}); len(all) != 7 || !cmp.Equal(want, got) {
		k.Errorf("all pages together: %v; want %v, each once", all, want)
	}
	k.wantOrder(feed.Page{Changes: all}, 0)
	k.wantSaid(c, map[string]string{})
}

func writesBetweenPages(k *kit) {
	k.small()
	f := k.follow()
	k.catchUp(f, 0)
	for i := range 5 {
		k.write.Role(fmt.Sprintf("role%d", i), "2")
	}
	for i := range 3 {
		if _, err := f.Step(k.Context(), 2); err != nil {
			k.Fatal(err)
		}
		k.write.Role(fmt.Sprintf("role%d", i), "3")
		k.write.Item("users", fmt.Sprintf("user%d", i), "2")
		if i%2 == 0 {
			k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteRole(ctx, fmt.Sprintf("role%d", i)) })
		}
	}
	k.catchUp(f, 2)
}

// sameCursorAgain is a follower that died before it could note where it stood.
func sameCursorAgain(k *kit) {
	k.small()
	f := k.follow()
	k.catchUp(f, 0)
	k.write.Role("role0", "2")
	k.write.Item("users", "user9", "1")
	k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteRole(ctx, "role1") })
	for _, limit := range []int{0, 2} {
		// Not even the second time is it asked to read contents.
		first := k.next(f.Cursor, limit)
		again, err := k.Feed.Next(k.Context(), f.Cursor, feed.NextOptions{Limit: limit})
		if err != nil {
			k.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			k.Errorf("limit %d: the same cursor again (-first +second):\n%s", limit, diff)
		}
	}
	// Later changes of the same objects may be told instead, but none less.
	before := plan.Coalesce(k.next(f.Cursor, 0).Changes)
	k.write.Role("role0", "3")
	after := k.next(f.Cursor, 0)
	for _, c := range before {
		if !slices.ContainsFunc(after.Changes, func(o object.Change) bool { return o.Ref == c.Ref }) {
			k.Errorf("the same cursor again does not tell of %s", c.Ref)
		}
	}
	k.catchUp(f, 0)
}

// sideBySide is for the race detector, and for two followers of one pair.
func sideBySide(k *kit) {
	c := k.head()
	harness.Write(k.T, k.Primary.Client).Role("r", "1")
	g, ctx := errgroup.WithContext(k.Context())
	for range 4 {
		g.Go(func() error {
			f := &Follower{Feed: k.Feed, Primary: k.Primary.Client, Cursor: c, Held: map[object.Ref]object.Digest{}}
			err := f.CatchUp(ctx, 0)
			if isLost(err) {
				return nil
			}
			if err == nil && len(f.Held) != 1 {
				return fmt.Errorf("one of several callers was told of %v", f.Held)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		k.Error(err)
	}
}
