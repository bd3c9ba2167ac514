package connect_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/pace"
)

// TestLimits: all pairs share the limits of a server, and go on sharing them when
// its client is made anew.
func TestLimits(t *testing.T) {
	s := newSetup(t, `parallel 3
organizations ['acme', 'other']
master_limit['requests_per_second'] = 20
replica_limit['bytes_per_second'] = 5_000_000
maintenance '22:00-23:30'`)
	acmes := s.connect()
	pair, _ := s.cfg.Pair("other")
	others, err := s.conn.Connect(t.Context(), pair)
	if err != nil {
		t.Fatal(err)
	}
	if acmes.Engine.Primary.Pace() != others.Engine.Primary.Pace() || acmes.Engine.Primary.Pace() == acmes.Engine.Replica.Pace() {
		t.Error("a pace is not that of a server")
	}
	primary, replica := s.conn.Pace()
	if want := (pace.Limits{Parallel: 3, RequestsPerSecond: 20}); primary.Limits != want || primary != acmes.Engine.Primary.Pace().Stats() {
		t.Errorf("primary %+v", primary)
	}
	if want := (pace.Limits{Parallel: 3, BytesPerSecond: 5_000_000}); replica.Limits != want {
		t.Errorf("replica %+v", replica)
	}
	if got := strings.Join(acmes.Maintenance.Texts(), " "); got != "22:00-23:30" {
		t.Errorf("maintenance %q", got)
	}
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(s.key, later, later); err != nil {
		t.Fatal(err)
	}
	if again := s.connect(); again == acmes || again.Engine.Primary.Pace() != acmes.Engine.Primary.Pace() {
		t.Error("a new client has another pace, or is not new")
	}
}

// TestOneServer: two organizations of one server are asked for together, however its
// URL is written.
func TestOneServer(t *testing.T) {
	s := newSetup(t, "")
	s.load(fmt.Sprintf(`role :replica
master '%[1]s/'
replica '%[1]s'
organizations [{ :source => 'acme', :destination => 'other' }]
master_limit['requests_per_second'] = 20
replica_limit({ :requests_per_second => 10, :bytes_per_second => 1000 })
ec_sync_client['sync_user'] = 'x'
ec_sync_client['sync_key'] = '%[2]s'`, s.primary.URL, s.key))
	c, err := s.conn.Connect(t.Context(), s.cfg.Pairs[0])
	if err != nil {
		t.Fatal(err)
	}
	want := pace.Limits{Parallel: 4, RequestsPerSecond: 10, BytesPerSecond: 1000}
	if c.Engine.Primary.Pace() != c.Engine.Replica.Pace() || c.Engine.Primary.Pace().Stats().Limits != want {
		t.Errorf("limits %+v and %+v", c.Engine.Primary.Pace().Stats().Limits, c.Engine.Replica.Pace().Stats().Limits)
	}
	for _, tt := range []struct {
		master, replica string
		one             bool
	}{
		{"https://chef.example.com", "https://chef.example.com:443", true},
		{"https://Chef.example.com", "https://chef.example.com./", true},
		{"http://chef.example.com:80", "http://chef.example.com", true},
		{"https://chef.example.com", "https://chef.example.com:8443", false},
		{"https://chef.example.com", "https://chef2.example.com", false},
	} {
		s.load(fmt.Sprintf(`role :replica
master '%s'
replica '%s'
organizations [{ :source => 'acme', :destination => 'other' }]
master_limit['requests_per_second'] = 20
ec_sync_client['sync_user'] = 'x'
ec_sync_client['sync_key'] = '%s'`, tt.master, tt.replica, s.key))
		c, err := s.conn.Connect(t.Context(), s.cfg.Pairs[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Engine.Primary.Pace() == c.Engine.Replica.Pace(); got != tt.one {
			t.Errorf("%s and %s: one pace %t, want %t", tt.master, tt.replica, got, tt.one)
		}
	}
}
