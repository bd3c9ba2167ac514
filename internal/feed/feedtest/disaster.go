package feedtest

import (
	"context"
	"strconv"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// forget makes the server's feed forget its deletes.
func (k *kit) forget() {
	k.Helper()
	if k.Forgetful {
		k.Skip("nobody could notice")
	}
	if _, err := k.Primary.PruneFeed(harness.Organization); err != nil {
		k.Fatal(err)
	}
}

func forgottenDeletes(k *kit) {
	k.small()
	f := k.follow()
	k.catchUp(f, 0)
	k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteRole(ctx, "role0") })
	behind := *f
	k.write.Role("role1", "2")
	k.catchUp(f, 0)
	k.forget()
	k.catchUp(f, 0) // it has seen the delete and misses nothing
	k.completeOrLost(&behind, k.Notices)
}

// beforeTheFirstChange is an organization that was empty when it was followed:
// numbers begin after 0, which means "everything" in other places.
func beforeTheFirstChange(k *kit) {
	f := &Follower{Feed: k.Feed, Primary: k.Primary.Client, Cursor: k.head()}
	k.write.Role("short", "1")
	k.write.Role("stays", "1")
	k.do("copy", f.Copy)
	k.do("delete", func(ctx context.Context) error { return k.Primary.Client.DeleteRole(ctx, "short") })
	k.write.Role("stays", "2")
	k.forget()
	k.completeOrLost(f, k.Notices)
}

func anotherNumbering(k *kit) {
	k.small()
	f := k.follow()
	k.catchUp(f, 0)
	if err := k.Primary.RenewFeedEpoch(harness.Organization); err != nil {
		k.Fatal(err)
	}
	k.write.Role("role0", "2")
	k.completeOrLost(f, k.Notices)
}

func anotherOrganization(k *kit) {
	k.small()
	f := k.follow()
	k.catchUp(f, 0)
	if _, err := k.Primary.RecreateOrganization(harness.Organization); err != nil {
		k.Fatal(err)
	}
	// Numbers begin anew and have not caught up.
	k.completeOrLost(f, k.Numbered)
}

// aheadOfTheHead is a primary that was restored from a backup.
func aheadOfTheHead(k *kit) {
	if !k.Numbered {
		k.Skip("it has no numbers")
	}
	k.small()
	c := k.head()
	n, err := strconv.ParseInt(c.Position, 10, 64)
	if err != nil {
		k.Fatal(err)
	}
	for _, d := range []int64{2, 1000, 1 << 40} {
		c.Position = strconv.FormatInt(n+d, 10)
		k.wantLost(c)
	}
}
