package integration

import (
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// Row 19 of what other tools lose: diff and verify end with 0 if everything is
// equal, with 1 if something is not, be it what other tools do not see, and with 2
// if it cannot be told.
func TestLoss19ExitCodes(t *testing.T) {
	d := newDuo(t, "")
	d.write.Small()
	d.write.Policies()
	d.start()
	d.equal("bootstrap")
	d.syncd.MustCtl(t, "sync-stop", harness.Organization)
	d.is("state", "stopped")
	for _, command := range []string{"diff", "verify"} {
		if stdout, stderr, code := d.syncd.Ctl(t, command, harness.Organization); code != 0 {
			t.Fatalf("%s of equal servers ends with %d; want 0\n%s%s", command, code, stdout, stderr)
		}
	}

	there := harness.Write(t, d.replica.Client)
	readme := map[string]string{"recipes/default.rb": "b", "README.md": "readme"}
	spoilt := map[string]func(){
		"/cookbooks/app/1.1.0": func() { there.Cookbook("app", "1.1.0", true, readme) }, // the frozen flag alone
		"/cookbooks/bare/0.1.0": func() { // the metadata alone
			there.Do("PUT", "cookbooks/bare/0.1.0", `{"name":"bare-0.1.0","cookbook_name":"bare","version":"0.1.0","json_class":"Chef::CookbookVersion",
				"chef_type":"cookbook_version","frozen?":false,"metadata":{"name":"bare","version":"0.1.0","description":"other","dependencies":{}},"all_files":[]}`)
		},
		"/policy_groups/retired":            func() { there.Do("DELETE", "policy_groups/retired", "") },
		"/policy_groups/test/policies/web":  func() { there.Pointer("test", "web", "1111") },
		"/data/users/user0":                 func() { there.Item("users", "user0", "2") },
		"/roles/role0":                      func() { there.Do("DELETE", "roles/role0", "") },
		"/roles/extra":                      func() { there.Role("extra", "1") },
		"/cookbook_artifacts/app/bbbb":      func() { there.Do("DELETE", "cookbook_artifacts/app/bbbb", "") },
		"/policies/web/revisions/2222":      func() { there.Do("DELETE", "policies/web/revisions/2222", "") },
		"/environments/only-on-the-replica": func() { there.Environment("only-on-the-replica", "1") },
	}
	for _, spoil := range spoilt {
		spoil()
	}
	for _, args := range [][]string{{"diff", "--names-only"}, {"verify"}} {
		stdout, stderr, code := d.syncd.Ctl(t, append(args, harness.Organization)...)
		if code != 1 {
			t.Errorf("%s ends with %d; want 1\n%s", args[0], code, stderr)
		}
		for path := range spoilt {
			if !strings.Contains(stdout+stderr, path) {
				t.Errorf("%s does not name %s:\n%s%s", args[0], path, stdout, stderr)
			}
		}
	}

	d.primary.Faults().Add(chefserver.Fault{Path: harness.Path("^/organizations/"), Effect: chefserver.HTMLPage()})
	for _, command := range []string{"diff", "verify"} {
		if stdout, stderr, code := d.syncd.Ctl(t, command, harness.Organization); code != 2 {
			t.Errorf("%s of a server that is none ends with %d; want 2\n%s%s", command, code, stdout, stderr)
		}
	}
}
