package bench

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// result is one copy of an organization.
type result struct {
	wall, cpu time.Duration
	requests  int // 0 where they are not counted
}

// bare copies with the bare loop, which starts and ends within the time.
func bare(t testing.TB, w *world, r *replica) result {
	t.Helper()
	r.begin()
	got := bareWith(t, w, r.side)
	if n := r.end(); n > 0 && n != got.requests {
		t.Errorf("bare made %d requests by its own count, %d by the servers'", got.requests, n)
	}
	r.check(t)
	return got
}

// bareWith runs the bare loop with further arguments.
func bareWith(t testing.TB, w *world, to harness.Side, more ...string) result {
	t.Helper()
	args := append(sideArgs("from", w.primary, w.api), sideArgs("to", to, w.api)...)
	args = append(args, "-parallel", strconv.Itoa(*parallel))
	cmd := exec.CommandContext(t.Context(), harness.BuildBinary(t, "./tests/bench/bare"), append(args, more...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		t.Fatalf("bare: %v\n%s", err, &errOut)
	}
	var says struct{ Requests int }
	if err := json.Unmarshal(out.Bytes(), &says); err != nil {
		t.Fatalf("bare: %v", err)
	}
	return result{wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), requests: says.Requests}
}

func sideArgs(flag string, s harness.Side, api string) []string {
	url := s.URL
	if s.Organizations {
		url += "/organizations/" + harness.Organization
	}
	return []string{"-" + flag, url, "-" + flag + "-user", s.User, "-" + flag + "-key", s.KeyFile, "-" + flag + "-api", api}
}

// ours copies with a new ec-syncd, whose start does not count.
func ours(t testing.TB, w *world, r *replica) result {
	t.Helper()
	d := newPair(t, w.primary, r.side, "")
	r.begin()
	before := d.CPU(t)
	start := time.Now()
	d.start()
	d.following(1)
	got := result{wall: time.Since(start), cpu: d.CPU(t) - before, requests: r.end()}
	r.check(t)
	return got
}

func (r *replica) begin() {
	if r.reset != nil {
		r.reset()
	}
}

func (r *replica) end() int {
	if r.requests == nil {
		return 0
	}
	return r.requests()
}

// thePair is the pair that harness's configuration has.
var thePair = object.Pair{Replica: "sync", Source: harness.Organization, Destination: harness.Organization}
