package sample

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/chefserver"
)

func regexpFor(path string) *regexp.Regexp { return regexp.MustCompile(path) }

const steps = 200

// A Churn goes on without an error, changes something each time, keeps the
// sample and does not let the organization grow; and it is the same for one
// seed.
func TestChurn(t *testing.T) {
	t.Parallel()
	server, c := newLoaded(t)
	_, other := newLoaded(t)
	before := snapshot(t, server)
	ch, same := NewChurn(c, 7), NewChurn(other, 7)
	last, kinds, most := before.Objects, map[string]int{}, 0
	for i := range steps {
		said, err := ch.Step(t.Context())
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if again, err := same.Step(t.Context()); err != nil || again != said {
			t.Fatalf("step %d says %q and, for the same seed, %q, %v", i, said, again, err)
		}
		now := snapshot(t, server)
		if maps.Equal(last, now.Objects) {
			t.Errorf("step %d changed nothing: %s", i, said)
		}
		for path := range before.Objects {
			if _, ok := now.Objects[path]; !ok {
				t.Fatalf("step %d: %s: %s is gone", i, said, path)
			}
		}
		for path, v := range now.Cookbooks {
			if !v.Complete() {
				t.Errorf("step %d: %s: %s is not complete", i, said, path)
			}
		}
		most = max(most, len(now.Objects)-len(before.Objects))
		kinds[kindOf(said)]++
		last = now.Objects
	}
	if most > MaxExtra || most < MaxExtra/3 {
		t.Errorf("at most %d objects beyond the sample, want up to %d", most, MaxExtra)
	}
	t.Logf("%d steps, at most %d objects beyond the sample: %v", steps, most, kinds)
	for _, want := range []string{
		"role edited", "role added", "role deleted", "environment edited", "environment added", "environment deleted",
		"data bag item edited", "data bag item added", "data bag item deleted", "data bag added", "data bag deleted",
		"cookbook uploaded", "cookbook edited", "cookbook frozen", "cookbook deleted",
	} {
		if kinds[want] == 0 {
			t.Errorf("no %s in %d steps", want, steps)
		}
	}
}

var sentence = regexp.MustCompile(`^(role|environment|data bag item|data bag|cookbook) .*: (added|deleted|uploaded|frozen|.* -> )`)

// kindOf returns "role edited" and the like.
func kindOf(said string) string {
	m := sentence.FindStringSubmatch(said)
	if m == nil {
		return said
	}
	if strings.HasSuffix(m[2], "-> ") {
		m[2] = "edited"
	}
	return m[1] + " " + m[2]
}

// An edit of an attribute leaves all else as it was, numbers included.
func TestChurnKeepsTheRest(t *testing.T) {
	t.Parallel()
	server, c := newLoaded(t)
	raw := json.RawMessage(`{"name":"web_server","description":"mine","default_attributes":{"n":12345678901234567890,"f":1.25},
		"override_attributes":{"nginx":{"worker_processes":3,"keepalive_timeout":3,"mine":"<&>"}},"run_list":["role[base]"]}`)
	if err := c.UpdateRole(t.Context(), "web_server", raw); err != nil {
		t.Fatal(err)
	}
	ch := NewChurn(c, 1)
	before := snapshot(t, server).Objects["/roles/web_server"]
	for range 400 {
		if _, err := ch.editRole(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := snapshot(t, server).Objects["/roles/web_server"]; after != before {
			number := regexp.MustCompile(`"(worker_processes|keepalive_timeout)":\d+`)
			if diff := cmp.Diff(number.ReplaceAllString(before, "$1"), number.ReplaceAllString(after, "$1")); diff != "" {
				t.Errorf("more changed than a number (-before +after):\n%s", diff)
			}
			return
		}
	}
	t.Error("the role was not edited")
}

// Somebody deletes all that can be deleted and freezes what is left.
func TestChurnAmongOthers(t *testing.T) {
	t.Parallel()
	server, c := newLoaded(t)
	ch := NewChurn(c, 3)
	for i := range steps / 2 {
		if i%25 == 0 {
			tearDown(t, server, ch)
		}
		if _, err := ch.Step(t.Context()); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
}

// tearDown deletes everything but one data bag.
func tearDown(t *testing.T, server *chefserver.Server, ch *Churn) {
	t.Helper()
	for path := range snapshot(t, server).Objects {
		parts := strings.Split(path, "/")
		var err error
		switch {
		case parts[1] == "roles":
			err = ch.client.DeleteRole(t.Context(), parts[2])
		case parts[1] == "environments" && parts[2] != "_default":
			err = ch.client.DeleteEnvironment(t.Context(), parts[2])
		case parts[1] == "cookbooks":
			err = ch.client.DeleteCookbook(t.Context(), parts[2], parts[3])
		case parts[1] == "data" && len(parts) == 3 && parts[2] != "users":
			err = ch.client.DeleteDataBag(t.Context(), parts[2])
		}
		if err != nil {
			t.Fatalf("delete %s: %v", path, err)
		}
	}
}

// Refusals and answers that get lost end a step and nothing more.
func TestChurnFaults(t *testing.T) {
	t.Parallel()
	server, c := newLoaded(t)
	before := len(snapshot(t, server).Objects)
	server.Faults().Add(chefserver.Fault{
		Method: "POST", Every: 3, Effect: chefserver.Status(400, `{"error":["no"]}`),
	})
	server.Faults().Add(chefserver.Fault{
		Method: "PUT", Path: regexpFor("/organizations/"), Every: 4, Effect: chefserver.Forbidden("update"),
	})
	server.Faults().Add(chefserver.Fault{Method: "DELETE", Every: 5, Effect: chefserver.Forbidden("delete")})
	ch := NewChurn(c, 11)
	failed := 0
	for range steps / 2 {
		said, err := ch.Step(t.Context())
		if (said == "") == (err == nil) {
			t.Errorf("Step = %q, %v", said, err)
		}
		if err != nil {
			failed++
		}
		if extra := len(snapshot(t, server).Objects) - before; extra > MaxExtra {
			t.Fatalf("%d objects beyond the sample", extra)
		}
	}
	if failed == 0 || failed > steps/4 {
		t.Errorf("%d of %d steps failed", failed, steps/2)
	}
	server.Faults().Clear()
	for i := range steps / 2 {
		if _, err := ch.Step(t.Context()); err != nil {
			t.Fatalf("step %d after the faults: %v", i, err)
		}
	}
}

// What an earlier process left behind is in nobody's way.
func TestChurnStartsAgain(t *testing.T) {
	t.Parallel()
	server, c := newLoaded(t)
	before := len(snapshot(t, server).Objects)
	for seed := range uint64(3) {
		ch := NewChurn(c, seed)
		for i := range 60 {
			if _, err := ch.Step(t.Context()); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
		}
	}
	extra := len(snapshot(t, server).Objects) - before
	if extra > MaxExtra+2*maxVersions {
		t.Errorf("%d objects beyond the sample", extra)
	}
}

func TestPool(t *testing.T) {
	ch := NewChurn(nil, 5)
	p := newPool(1, campaigns)
	var taken []string
	for {
		th, ok := p.take(ch.rng)
		if !ok {
			break
		}
		taken = append(taken, th.name)
	}
	if len(taken) != 3 || len(slices.Compact(slices.Sorted(slices.Values(taken)))) != 3 {
		t.Errorf("took %v", taken)
	}
	for _, want := range taken[:2] {
		if th, ok := p.oldest(); !ok || th.name != want {
			t.Errorf("oldest = %v, %v; want %s", th, ok, want)
		}
		p.gone(nil)
	}
	if th, ok := p.oldest(); ok {
		t.Errorf("oldest = %v below the least", th)
	}
}
