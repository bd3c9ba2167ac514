package config

import (
	"strings"
	"testing"
)

// TestVIP: nginx is sent to where the feed server listens, unless the file says
// otherwise.
func TestVIP(t *testing.T) {
	for _, c := range []struct {
		lines, want string
		from        string // what --explain says of it
	}{
		{"", "127.0.0.1", "from default"},
		{"ec_sync_server['listen'] = '10.1.2.3'", "10.1.2.3", "from setting ec_sync_server['listen'], changed"},
		{"ec_sync_server['listen'] = '::1'", "::1", "from setting ec_sync_server['listen'], changed"},
		{"ec_sync_server['listen'] = '0.0.0.0'", "127.0.0.1", "from default"},
		{"ec_sync_server['listen'] = '::'", "127.0.0.1", "from default"},
		{"ec_sync_server['listen'] = '127.0.0.1'", "127.0.0.1", "from default"},
		{"ec_sync_server['listen'] = '10.1.2.3'\nec_sync_server['vip'] = '192.0.2.1'", "192.0.2.1", "from line 3, changed"},
		{"ec_sync_server['listen'] = '10.1.2.3'\nec_sync_server['vip'] = '127.0.0.1'", "127.0.0.1", "from line 3"},
	} {
		cfg, err := Parse("chef-sync.rb", []byte("role :master\n"+c.lines+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		shown := shownAs(cfg.Effective())["ec_sync_server['vip']"]
		if cfg.Server.VIP != c.want || !strings.HasSuffix(shown, c.from) {
			t.Errorf("%q: vip %s, shown as %s; want %s %s", c.lines, cfg.Server.VIP, shown, c.want, c.from)
		}
	}
}
