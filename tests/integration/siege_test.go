package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// siege is a duo of which every part can be taken away: ec-syncd reaches both
// servers and a Temporal in a process of its own through wires, and stages on a disk
// of its own.
type siege struct {
	*duo
	primaryDoor *harness.Door // where the primary listens
	toPrimary   *harness.Wire
	toReplica   *harness.Wire
	toTemporal  *harness.Wire
	temporal    *harness.Syncd
	client      client.Client // straight to Temporal

	// Of a primary with a database and a feed server; else nil.
	mirror *harness.Mirror
	feedd  *harness.Feedd
}

// stagingBytes is the size of the disk that a siege stages on.
const stagingBytes = 8 << 20

// newSiege starts everything but the pair. With fed, the primary has a feed server.
func newSiege(t *testing.T, fed bool, settings string) *siege {
	t.Helper()
	if testing.Short() {
		t.Skip("starts two ec-syncd with a Temporal server")
	}
	s := &siege{duo: &duo{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{ConcurrentUploadFails: true})}}
	s.write = harness.Write(t, s.primary.Client)
	s.primaryDoor = s.primary.Door
	if fed {
		s.mirror = harness.NewMirror(t, s.primary)
		s.feedd = harness.NewFeedd(t, s.mirror, "ec_sync_server['interval'] = 0.2\n")
		s.primaryDoor = harness.NewDoor(t, harness.AsNginx(s.feedd.URL)(s.primary.Server))
	}
	s.toPrimary, s.toReplica = harness.NewWire(t, s.primaryDoor.URL), harness.NewWire(t, s.replica.URL)
	s.temporal = harness.NewTemporal(t, s.primary.Side())
	s.toTemporal = harness.NewWire(t, s.temporal.Address())
	here, there := s.primary.Side(), s.replica.Side()
	here.URL, there.URL = s.toPrimary.URL, s.toReplica.URL
	s.syncd = harness.PrepareWorker(t, s.temporal, s.toTemporal, here, there, "")
	s.syncd.OwnDisk, s.syncd.OwnDiskBytes = filepath.Join(s.syncd.Dir, "staging"), stagingBytes
	s.syncd.Configure(t, here, there, "staging 'file://"+s.syncd.OwnDisk+"'\npoll_interval 1\nfeed :updated_since\n"+settings)
	s.syncd.Start(t)
	s.client = s.temporal.Temporal(t)
	return s
}

// status asks the pair's workflow past the worker's wire; the zero Status if nobody
// answers.
func (s *siege) status() (out workflows.Status) {
	s.t.Helper()
	v, err := s.client.QueryWorkflow(s.t.Context(), workflowID, "", workflows.QueryStatus)
	if err == nil {
		_ = v.Get(&out)
	}
	return out
}

// says waits until the pair waits and says why.
func (s *siege) says(reason string) {
	s.t.Helper()
	var got harness.PairStatus
	harness.Until(s.t, "status says "+reason, func() bool {
		got = s.syncd.Status(s.t)
		text, _ := got["reason"].(string)
		return got["state"] == "waiting" && strings.Contains(text, reason)
	}, func() string { return fmt.Sprint(got) })
}

// history returns what sync-log tells of the pair, all of it.
func (s *siege) history() string {
	s.t.Helper()
	return s.syncd.MustCtl(s.t, "sync-log", harness.Organization, "--history", "--runs", "1000", "-n", "1000000")
}

// remembers fails the test unless the history tells of each.
func (s *siege) remembers(whats ...string) {
	s.t.Helper()
	got := s.history()
	for _, what := range whats {
		if !strings.Contains(got, what) {
			s.t.Errorf("the history does not tell of %q:\n%s", what, got)
		}
	}
}

// pause waits for a moment in which nothing should happen.
func (s *siege) pause(d time.Duration) { nap(s.t.Context(), d) }
