package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// Whatever part is taken away, the pair says so, changes nothing on the replica
// meanwhile, and goes on where it was when the part is back.
func TestOutagesAreSaidAndPass(t *testing.T) {
	t.Parallel()
	s := newSiege(t, false, "")
	s.write.Small()
	s.start()
	s.equal("bootstrap")
	s.is("state", "following")
	for _, c := range []struct {
		name   string
		begin  func() (end func())
		reason string // what status says meanwhile; "" = nobody can tell
		hint   string
	}{
		{"the way to the primary is cut", func() func() { return s.toPrimary.Cut(t) }, "connection refused", "nothing listens there"},
		{"the replica is killed", func() func() { s.replica.Door.Down(); return func() { s.replica.Door.Up(t) } }, s.toReplica.URL, "broke the connection off"},
		{"the replica's clock is wrong", func() func() {
			s.replica.SetClock(func() time.Time { return time.Now().Add(-time.Hour) })
			return func() { s.replica.SetClock(time.Now) }
		}, "clock", "this host is 1h0m"},
		{"the staging disk is full", func() func() { return s.syncd.FillDisk(t) }, "no space left on device", "make room"},
		{"the way to Temporal is cut", func() func() { return s.toTemporal.Cut(t) }, "", ""},
		{"Temporal is killed", func() func() { s.temporal.Kill(); return func() { s.temporal.Start(t) } }, "", ""},
		{"ec-syncd is killed", func() func() { s.syncd.Kill(); return func() { s.syncd.Start(t) } }, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			end := c.begin()
			s.write = harness.Write(t, s.primary.Client)
			s.write.Role("role0", c.name)
			s.write.Cookbook("late", "1.0.0", false, map[string]string{"recipes/default.rb": c.name})
			if c.reason != "" {
				s.says(c.reason)
				if got := s.status(); !strings.Contains(got.Hint, c.hint) {
					t.Errorf("the hint is %q; want it to say %q", got.Hint, c.hint)
				}
			} else {
				s.pause(3 * time.Second)
			}
			if diff := harness.Diff(t, s.primary, s.replica); len(diff) != 2 {
				t.Errorf("%d differences meanwhile; want the two changes that were made: %v", len(diff), diff)
			}
			began := time.Now()
			end()
			if c.reason != "" {
				s.syncd.MustCtl(t, "sync-now", harness.Organization) // or wait for the next try
			}
			s.equal("when it is over")
			s.is("state", "following")
			t.Logf("equal after %v", time.Since(began).Round(time.Millisecond))
		})
	}
	s.t = t
	s.remembers("connection refused", "clock", "no space left on device")
	if !s.syncd.Alive() {
		t.Errorf("ec-syncd ended:\n%s", s.syncd.Log(t))
	}
}

// A disk that holds all that ec-syncd writes, its Temporal server's database among
// it, fills up: nothing is lost, and it goes on when there is room.
func TestDiskOfTheDatabaseIsFull(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	t.Parallel()
	d := &duo{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{})}
	d.write = harness.Write(t, d.primary.Client)
	d.syncd = harness.PrepareSyncd(t)
	d.syncd.OwnDisk, d.syncd.OwnDiskBytes = filepath.Join(d.syncd.Dir, "data"), 64<<20
	d.syncd.Configure(t, d.primary.Side(), d.replica.Side(), "poll_interval 1\n")
	d.syncd.Start(t)
	d.write.Small()
	d.start()
	d.equal("bootstrap")
	free := d.syncd.FillDisk(t)
	d.write.Role("role0", "written while the disk was full")
	d.write.Cookbook("late", "1.0.0", false, map[string]string{"recipes/default.rb": "1"})
	nap(t.Context(), 5*time.Second)
	if diff := harness.Diff(t, d.primary, d.replica); len(diff) > 2 {
		t.Errorf("the replica lost something: %v", diff)
	}
	free()
	d.equal("when there is room")
	d.is("state", "following")
	d.write.Role("role0", "written afterwards")
	d.equal("afterwards")
	if !d.syncd.Alive() {
		t.Errorf("ec-syncd ended:\n%s", d.syncd.Log(t))
	}
}

// A primary that is put back to an old backup leads to a full comparison, whatever
// numbers its feed gives out by then: what changed since is put back, and what the
// backup does not know is kept and said.
func TestRestoredPrimary(t *testing.T) {
	for _, fed := range []bool{false, true} {
		t.Run(map[bool]string{false: "native feed", true: "feed server"}[fed], func(t *testing.T) {
			t.Parallel()
			s := newSiege(t, fed, "")
			follow := func() func() { return func() {} }
			if fed {
				follow = func() func() { return mirror(t, s.mirror, false) }
			}
			stop := follow()
			s.write.Small()
			s.start()
			s.equal("bootstrap")
			s.is("state", "following")
			stop()
			restore := s.backup()
			stop = follow()
			s.write.Role("role0", "written after the backup")
			s.write.Role("late", "1")
			s.equal("before the disaster")
			stop()

			s.syncd.MustCtl(t, "sync-stop", harness.Organization)
			s.is("state", "stopped")
			restore()
			defer follow()()
			for i := range 8 { // numbers that were given out already
				s.write.Role("again", fmt.Sprint(i))
			}
			s.start()
			only := "/roles/late: only on the replica"
			var diff []string
			harness.Until(t, "the replica has what the primary was put back to", func() bool {
				diff = harness.Diff(t, s.primary, s.replica)
				return len(diff) == 1 && diff[0] == only
			}, func() string { return strings.Join(diff, "\n") + fmt.Sprint(s.syncd.Status(t)) })
			s.is("state", "following")
			s.is("extras", 1)
			s.remembers("full comparison")
			if n := s.status().Counters.Deleted; n != 0 {
				t.Errorf("%d objects were deleted; want none", n)
			}
		})
	}
}

// backup backs the primary up, its database too where it has one, while nobody
// writes it. What it returns restores it.
func (s *siege) backup() (restore func()) {
	s.t.Helper()
	b, err := s.primary.Backup(harness.Organization)
	if err != nil {
		s.t.Fatal(err)
	}
	restoreRows := func(testing.TB) {}
	if s.mirror != nil {
		restoreRows = s.mirror.Backup(s.t)
	}
	return func() {
		s.t.Helper()
		if err := s.primary.RestoreBackup(harness.Organization, b); err != nil {
			s.t.Fatal(err)
		}
		restoreRows(s.t)
	}
}
