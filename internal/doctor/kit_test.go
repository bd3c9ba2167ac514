package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/doctor"
	"github.com/chef-sync/chef-sync/internal/version"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// host is a replica's host with its two servers. Fields are changed before
// examine.
type host struct {
	t                *testing.T
	primary, replica *harness.ChefServer
	primaryURL       string
	user, key, dir   string
	temporal         *namespace
	only             []string
	limit            time.Duration
	setup            *doctor.Setup
}

func newHost(t *testing.T, o chefserver.Options) *host {
	t.Helper()
	h := &host{
		t: t, primary: harness.FastChef(t, o), replica: harness.FastChef(t, chefserver.Options{}),
		user: harness.FastUser, dir: t.TempDir(),
		temporal: &namespace{attributes: workflows.SearchAttributes(), pollers: []doctor.Poller{
			{Identity: "ec-syncd/1.2.3 7@host", Seen: time.Now()},
			{Identity: "ec-syncd/0.9 6@host", Seen: time.Now().Add(-time.Hour)},
		}},
	}
	h.primaryURL, h.key = h.primary.URL, h.primary.KeyFile
	return h
}

// behind puts something between the host and its primary.
func (h *host) behind(wrap func(w http.ResponseWriter, r *http.Request)) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wrap(w, r)
		h.primary.ServeHTTP(w, r)
	}))
	h.t.Cleanup(s.Close)
	h.primaryURL = s.URL
}

// examine runs the doctor with more settings.
func (h *host) examine(settings ...string) results {
	h.t.Helper()
	text := fmt.Sprintf(`role :replica
master '%s'
replica '%s'
organizations ['acme']
ec_sync_client['sync_user'] = '%s'
ec_sync_client['sync_key'] = '%s'
ec_sync_client['dir'] = '%s'
ec_sync_client['log_directory'] = '%s'
%s`, h.primaryURL, h.replica.URL, h.user, h.key, h.dir, filepath.Join(h.dir, "log"), strings.Join(settings, "\n"))
	return h.run(text)
}

func (h *host) run(text string) results {
	h.t.Helper()
	cfg, err := config.Parse(filepath.Join(h.dir, "chef-sync.rb"), []byte(text))
	if err != nil {
		h.t.Fatal(err)
	}
	return doctor.Run(h.t.Context(), doctor.Options{
		Config: cfg, File: cfg.File, Replica: cfg.Name, At: "here", Version: version.Info{Version: "1.2.3"},
		Temporal: func(context.Context) (doctor.Temporal, error) { return h.temporal, h.temporal.down },
		Only:     h.only, Limit: h.limit, Setup: h.setup, Namespace: "ours",
	})
}

// results are those of one examination.
type results []doctor.Result

// want fails the test unless the check ended so on that side, with the words in
// its text and the fix in its fix.
func (r results) want(t *testing.T, check string, side doctor.Side, state doctor.State, words, fix string) {
	t.Helper()
	for _, one := range r {
		if one.Check == check && one.Side == side && one.State == state && strings.Contains(one.Text, words) && strings.Contains(one.Fix, fix) {
			return
		}
	}
	t.Errorf("%s of %s: want %s with %q and the fix %q\n%s", check, side, state, words, fix, r)
}

// only fails the test if another check than those failed.
func (r results) only(t *testing.T, checks ...string) {
	t.Helper()
	for _, one := range r {
		known := false
		for _, c := range checks {
			known = known || c == one.Check
		}
		if one.State == doctor.Failed && !known {
			t.Errorf("%s failed too: %s", one.Check, one.Text)
		}
		if (one.State == doctor.Failed) && one.Fix == "" {
			t.Errorf("%s failed without a word on what helps: %s", one.Check, one.Text)
		}
	}
}

func (r results) String() string {
	var b strings.Builder
	for _, one := range r {
		fmt.Fprintf(&b, "%-8s %-13s %-8s %s -> %s\n", one.State, one.Check, one.Side, one.Text, one.Fix)
	}
	return b.String()
}

// namespace is a Temporal namespace.
type namespace struct {
	down       error
	pollers    []doctor.Poller
	attributes map[string]enums.IndexedValueType

	missing, registered bool
	keep                time.Duration

	// The errors of what its names say.
	look, change, list, add error
}

func (n *namespace) Pollers(_ context.Context, queue string) ([]doctor.Poller, error) {
	if queue != "chef-sync/sync" {
		return nil, errors.New("who is " + queue)
	}
	if n.missing {
		return nil, serviceerror.NewNamespaceNotFound("ours")
	}
	return n.pollers, nil
}

func (n *namespace) Retention(context.Context) (time.Duration, error) {
	if n.missing && n.look == nil {
		return 0, serviceerror.NewNamespaceNotFound("ours")
	}
	return n.keep, n.look
}

func (n *namespace) SetRetention(_ context.Context, keep time.Duration) error {
	if n.change == nil {
		n.keep = keep
	}
	return n.change
}

func (n *namespace) Register(ctx context.Context, keep time.Duration) error {
	err := n.SetRetention(ctx, keep)
	n.missing, n.registered = err != nil, err == nil
	return err
}

func (n *namespace) AddSearchAttributes(_ context.Context, add map[string]enums.IndexedValueType) error {
	if n.add == nil {
		maps.Copy(n.attributes, add)
	}
	return n.add
}

func (n *namespace) SearchAttributes(context.Context) (map[string]enums.IndexedValueType, error) {
	return maps.Clone(n.attributes), n.list
}

func (n *namespace) Close() {}
