package doctor_test

import (
	"maps"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/doctor"
	"github.com/chef-sync/chef-sync/workflows"
)

// TestSetup: an empty cluster, the same again, and another retention.
func TestSetup(t *testing.T) {
	const day = 24 * time.Hour
	h := newHost(t, chefserver.Options{})
	h.only, h.setup = []string{"temporal", "attributes"}, &doctor.Setup{}
	h.temporal = &namespace{missing: true, attributes: map[string]enums.IndexedValueType{"Other": enums.INDEXED_VALUE_TYPE_BOOL}}
	want := map[string]enums.IndexedValueType{"Other": enums.INDEXED_VALUE_TYPE_BOOL}
	maps.Copy(want, workflows.SearchAttributes())

	got := h.examine()
	got.want(t, "setup", doctor.Host, doctor.OK, "the namespace ours was registered, and keeps closed workflows for 30 days", "")
	got.want(t, "setup", doctor.Host, doctor.OK, "search attributes added", "")
	got.want(t, "temporal", doctor.Host, doctor.OK, "", "")
	got.want(t, "attributes", doctor.Host, doctor.OK, "all", "")
	if n := h.temporal; !n.registered || n.keep != 30*day || !maps.Equal(n.attributes, want) {
		t.Errorf("the namespace became %+v", n)
	}

	h.temporal.registered, h.temporal.keep = false, 7*day
	got = h.examine()
	got.want(t, "setup", doctor.Host, doctor.OK, "is there and keeps closed workflows for 7 days", "")
	got.want(t, "setup", doctor.Host, doctor.OK, "has all search attributes", "")
	if n := h.temporal; n.registered || n.keep != 7*day {
		t.Errorf("a second time the namespace became %+v", n)
	}
	h.setup.Retention = 90 * day
	h.examine().want(t, "setup", doctor.Host, doctor.OK, "keeps closed workflows for 90 days now, before for 7 days", "")
	if h.temporal.keep != 90*day {
		t.Errorf("closed workflows are kept for %s", h.temporal.keep)
	}
}

// TestSetupWithoutRights: everything that is missing is named with the command that
// somebody else can give, and only a missing namespace is a failure.
func TestSetupWithoutRights(t *testing.T) {
	denied := serviceerror.NewPermissionDenied("Request unauthorized.", "")
	h := newHost(t, chefserver.Options{})
	h.only, h.setup = []string{"temporal", "attributes"}, &doctor.Setup{Retention: time.Hour}

	h.temporal.look, h.temporal.list = denied, denied
	got := h.examine()
	got.want(t, "setup", doctor.Host, doctor.Warning, "the namespace ours was not looked at", "")
	got.want(t, "setup", doctor.Host, doctor.Warning, "search attributes could not be looked at", "--name ChefSyncMode --type Keyword")
	got.want(t, "attributes", doctor.Host, doctor.Skipped, "all else works", "")
	got.only(t)

	delete(h.temporal.attributes, "ChefSyncMode")
	h.temporal.attributes["ChefSyncUnsynced"] = enums.INDEXED_VALUE_TYPE_BOOL
	h.temporal.look, h.temporal.list, h.temporal.add, h.temporal.change, h.temporal.keep = nil, nil, denied, denied, 24*time.Hour
	got = h.examine()
	got.want(t, "setup", doctor.Host, doctor.Warning, "still keeps closed workflows for 1 day, and not for 1h", "namespace update --namespace ours --retention 1h    # as somebody who may")
	got.want(t, "setup", doctor.Host, doctor.Warning, "ChefSyncUnsynced is of type Bool, and should be Int", "search-attribute remove --namespace ours --name ChefSyncUnsynced")
	got.want(t, "setup", doctor.Host, doctor.Warning, "search attributes could not be added", "search-attribute create --namespace ours --name ChefSyncMode --type Keyword    # as")
	got.want(t, "attributes", doctor.Host, doctor.Warning, "missing", "doctor --setup")
	got.only(t)

	h.temporal.missing = true
	got = h.examine()
	got.want(t, "setup", doctor.Host, doctor.Failed, "ours is missing, and could not be registered", "namespace create --namespace ours --retention 1h    # as somebody who may")
	got.want(t, "temporal", doctor.Host, doctor.Failed, "there is no namespace ours", "doctor --setup")
	got.only(t, "setup", "temporal")

	h.temporal.down = denied
	h.examine().want(t, "setup", doctor.Host, doctor.Failed, "nothing was set up", "cluster health")
	h.run("role :master").want(t, "setup", doctor.Host, doctor.Failed, "this host replicates nothing", "EDITOR")
}
