package config

import (
	"strings"
	"testing"
)

// original are the settings of the original's documentation, with its defaults.
const original = `
bootstrap true
chef_base_path '/opt/opscode'
ec_sync_client['dir'] '/var/opt/chef-sync/ec_sync_client'
ec_sync_client['enable'] true
ec_sync_client['ha'] false
ec_sync_client['log_directory'] '/var/log/opscode/chef-sync/client'
ec_sync_client['log_rotation']['file_maxbytes'] 104857600
ec_sync_client['log_rotation']['num_to_keep'] 10
ec_sync_client['master'] 'https://127.0.0.1'
ec_sync_client['organizations'] []
ec_sync_client['replica'] 'https://127.0.0.1'
ec_sync_client['socket_path'] '/var/opt/chef-sync/ec_sync_client/ec_sync.sock'
ec_sync_client['sync_key'] '/etc/chef-sync/ec_sync_user.pem'
ec_sync_client['sync_user'] 'ec_sync_user'
ec_sync_server['auth_skew'] '900'
ec_sync_server['db_pool_size'] 10
ec_sync_server['dir'] '/var/opt/chef-sync/ec_sync_server'
ec_sync_server['enable'] true
ec_sync_server['ha'] false
ec_sync_server['listen'] '127.0.0.1'
ec_sync_server['log_directory'] '/var/log/opscode/chef-sync/server'
ec_sync_server['log_rotation']['file_maxbytes'] 104857600
ec_sync_server['log_rotation']['num_to_keep'] 10
ec_sync_server['port'] 9996
ec_sync_server['vip'] '127.0.0.1'
install_path '/opt/chef-sync'
master 'https://127.0.0.1'
name 'sync'
organization []
organizations []
replica 'https://127.0.0.1'
role :replica
user['home'] '/opt/opscode/embedded'
user['shell'] '/bin/sh'
user['username'] 'opscode'
`

// TestOriginal checks that each of them is there with its default, and has an
// effect or says in one sentence why it has none.
func TestOriginal(t *testing.T) {
	have := map[string]Setting{}
	for _, s := range Settings() {
		have[s.Name] = s
	}
	for line := range strings.Lines(strings.TrimSpace(original)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		s, ok := have[name]
		switch {
		case !ok:
			t.Errorf("there is no setting %s", name)
		case s.Default != value:
			t.Errorf("%s is %s unless set, want %s", name, s.Default, value)
		case s.Effective == (s.Why != "") || strings.HasSuffix(s.Why, ".") || strings.Contains(s.Why, ". "):
			t.Errorf("%s: effective %t, why not: %q", name, s.Effective, s.Why)
		}
	}
}

// The whole of it may stand in a file, as a hash or setting by setting. That both
// servers are this host is then the one problem.
func TestOriginalIsAccepted(t *testing.T) {
	src := strings.NewReplacer("'] ", "'] = ", "organization []\n", "", ":replica", ":master_and_replica").Replace(original)
	_, err := Parse("x.rb", []byte(src+"organizations ['acme']\nec_sync_client['organizations'] = ['acme']\n"))
	if err == nil || !strings.Contains(err.Error(), "'acme' would be copied to itself") || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("Parse: %v; want one problem, that acme would be copied to itself", err)
	}
	if _, err := Parse("x.rb", []byte("role :master\nuser 'home' => '/x', 'shell' => '/bin/bash', 'username' => 'chef'\n"+
		"ec_sync_server({ :log_rotation => { 'num_to_keep' => 3 }, 'ha' => true })\n")); err != nil {
		t.Error(err)
	}
}
