package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/demo/sample"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// survivedFor is how long TestSurvive takes parts away; CHEF_SYNC_SOAK is another
// duration.
const survivedFor = 20 * time.Second

// TestSurvive takes away one part after the other of a pair that is busy, at random:
// processes, servers, the network, the disk, the clocks, and the primary's memory. It
// measures how long it takes after each until a change arrives again; in the end both
// servers are equal, as their insides say, and the history tells why. "make soak"
// does that for long, and prints the figures.
func TestSurvive(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	last, seed := soaking(t, survivedFor)
	rng := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // nothing is secret here
	s := newSiege(t, true, "poll_hold '5s'\nextras 'delete'\nthaw true\n")
	if err := sample.Load(t.Context(), s.primary.Client, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	w := &siegeworks{siege: s, figures: &figures{}}
	stop := mirror(t, s.mirror, true)
	s.start()
	s.is("state", "following")
	w.restore = w.backedUp()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.approve(ctx)
	changes := make(chan int, 1)
	go func() { changes <- w.busy(ctx, seed) }()
	began := time.Now()
	for deck := []fault{}; time.Since(began) < last; deck = deck[1:] {
		if len(deck) == 0 {
			deck = w.deck()
			rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		w.suffer(deck[0], rng)
	}
	lasted := time.Since(began).Round(time.Second)
	calm := time.Now()
	cancel()
	n := <-changes
	going, quiet := context.WithCancel(t.Context())
	defer quiet()
	go s.approve(going)
	s.settled(func(string) bool { return true })
	stop()
	history := s.history()
	if resets := strings.Count(history, "full comparison"); resets < w.figures.times("the primary is put back to a backup") {
		t.Errorf("the history tells of %d full comparisons:\n%s", resets, history)
	}
	t.Logf("seed %d: %d changes in %v, equal %v after the last; %d lost\n%s", seed, n, lasted,
		time.Since(calm).Round(100*time.Millisecond), len(harness.Diff(t, s.primary, s.replica)), w.figures)
}

// siegeworks are what besets a siege.
type siegeworks struct {
	*siege
	figures *figures
	marks   int

	write   sync.Mutex // of whoever writes the primary
	restore func()     // puts the primary back
}

// A fault is something that goes wrong: begin returns what ends it.
type fault struct {
	name  string
	begin func(rng *rand.Rand) (end func())
}

// deck are all faults, each once.
func (w *siegeworks) deck() []fault {
	t := w.t
	wires := []*harness.Wire{w.toPrimary, w.toReplica, w.toTemporal}
	servers := []*harness.ChefServer{w.primary, w.replica}
	return []fault{
		{"kill -9 of ec-syncd", func(*rand.Rand) func() { w.syncd.Kill(); return func() { w.syncd.Start(t) } }},
		{"kill -9 of Temporal", func(*rand.Rand) func() { w.temporal.Kill(); return func() { w.temporal.Start(t) } }},
		{"kill -9 of the feed server", func(*rand.Rand) func() { w.feedd.Kill(); return func() { w.feedd.Start(t) } }},
		{"the primary is gone", func(*rand.Rand) func() { w.primaryDoor.Down(); return func() { w.primaryDoor.Up(t) } }},
		{"the replica is gone", func(*rand.Rand) func() { w.replica.Door.Down(); return func() { w.replica.Door.Up(t) } }},
		{"a network is cut", func(rng *rand.Rand) func() { return wires[rng.IntN(3)].Cut(t) }},
		{"a network is half open", func(rng *rand.Rand) func() { return wires[rng.IntN(3)].HalfOpen(t) }},
		{"a network is slow", func(rng *rand.Rand) func() { return wires[rng.IntN(3)].Slow(t, 200*time.Millisecond, 50) }},
		{"the staging disk is full", func(*rand.Rand) func() { return w.syncd.FillDisk(t) }},
		{"the clock of a server is an hour off", func(rng *rand.Rand) func() {
			server, off := servers[rng.IntN(2)], time.Duration(2*rng.IntN(2)-1)*time.Hour
			server.SetClock(func() time.Time { return time.Now().Add(off) })
			return func() { server.SetClock(time.Now) }
		}},
		{"both servers answer wrongly", func(rng *rand.Rand) func() {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan int, 1)
			go func(seed uint64) { done <- w.fail(ctx, seed) }(rng.Uint64())
			return func() { cancel(); <-done }
		}},
		{"the primary is put back to a backup", func(*rand.Rand) func() {
			w.write.Lock()
			w.restore()
			w.write.Unlock()
			w.restore = w.backedUp()
			return func() {}
		}},
	}
}

// suffer lets a fault last for some seconds and waits until changes arrive again.
func (w *siegeworks) suffer(f fault, rng *rand.Rand) {
	w.t.Helper()
	end := f.begin(rng)
	nap(w.t.Context(), time.Duration(300+rng.IntN(3000))*time.Millisecond)
	end()
	took := w.arrives(f.name)
	w.t.Logf("%s: a change arrived %v after the end", f.name, took.Round(100*time.Millisecond))
	w.figures.add(f.name, took)
}

// arrives changes the primary and returns how long it took until the replica had it.
func (w *siegeworks) arrives(after string) time.Duration {
	w.t.Helper()
	began := time.Now()
	w.marks++
	mark := fmt.Sprintf("mark %d", w.marks)
	body := func(c func() (json.RawMessage, error)) string { text, _ := c(); return string(text) }
	w.write.Lock()
	harness.Write(w.t, w.primary.Client).Role("mark", mark)
	w.write.Unlock()
	for {
		got := body(func() (json.RawMessage, error) { return w.replica.Client.GetRole(w.t.Context(), "mark") })
		if strings.Contains(got, mark) {
			return time.Since(began)
		}
		if time.Since(began) > 3*time.Minute {
			w.t.Fatalf("%s: no change arrived for %v: %+v\n%s", after, time.Since(began), w.status(), w.history())
		}
		nap(w.t.Context(), 50*time.Millisecond)
	}
}

// busy changes the primary until ctx ends, but while somebody backs it up or puts it
// back, and returns how often.
func (w *siegeworks) busy(ctx context.Context, seed uint64) (n int) {
	for step := w.crowd(seed, true); ctx.Err() == nil; n++ {
		w.write.Lock()
		rest := step(ctx)
		w.write.Unlock()
		nap(ctx, rest)
	}
	return n
}

// backedUp is backup while nobody writes.
func (w *siegeworks) backedUp() (restore func()) {
	w.t.Helper()
	w.write.Lock()
	defer w.write.Unlock()
	return w.backup()
}

// approve is an operator who lets the pair delete whatever it asks about, until ctx
// ends.
func (s *siege) approve(ctx context.Context) {
	for ctx.Err() == nil {
		_ = s.client.SignalWorkflow(ctx, workflowID, "", workflows.SignalApproveDeletes, nil)
		nap(ctx, 2*time.Second)
	}
}
