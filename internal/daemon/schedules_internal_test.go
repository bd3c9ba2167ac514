package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// calendar is a Temporal that knows schedules by their IDs, or fails.
type calendar struct {
	client.ScheduleClient
	mu    sync.Mutex
	err   error
	have  map[string]*client.ScheduleListEntry
	tries int
}

func (c *calendar) List(context.Context, client.ScheduleListOptions) (client.ScheduleListIterator, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	return &entries{slices.Collect(maps.Values(c.have))}, c.err
}

func (c *calendar) Create(_ context.Context, o client.ScheduleOptions) (client.ScheduleHandle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	c.have[o.ID] = &client.ScheduleListEntry{ID: o.ID, Spec: &o.Spec, Note: o.Note}
	return nil, nil
}

// entries is a list of schedules.
type entries struct{ left []*client.ScheduleListEntry }

func (e *entries) HasNext() bool { return len(e.left) > 0 }

func (e *entries) Next() (*client.ScheduleListEntry, error) {
	one := e.left[0]
	e.left = e.left[1:]
	return one, nil
}

// TestSchedulesOfALateNamespace: a namespace that is made after ec-syncd was started gets
// the schedules, and the log hears of trouble once.
func TestSchedulesOfALateNamespace(t *testing.T) {
	cfg := parse(t, "organizations ['acme', { :source => 'uk', :destination => 'eu' }]\nverify_at '03:30'\n")
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		c := &calendar{err: errors.New("namespace chef is not found"), have: map[string]*client.ScheduleListEntry{}}
		s := newScheduler(c, cfg, slog.New(slog.NewTextHandler(&logged, nil)))
		s.put(t.Context())
		ctx, end := context.WithCancel(t.Context())
		defer end()
		ended := make(chan struct{})
		go func() { s.retry(ctx); close(ended) }()
		time.Sleep(time.Hour)
		c.mu.Lock()
		if c.tries < 5 || c.tries > 20 {
			t.Errorf("tried %d times in an hour", c.tries)
		}
		c.err = nil
		c.mu.Unlock()
		time.Sleep(2 * scheduleMost)
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("it goes on when all is done")
		}
		want := []string{
			workflows.VerifyWorkflowID(object.Pair{Replica: "sync", Destination: "acme"}),
			workflows.VerifyWorkflowID(object.Pair{Replica: "sync", Destination: "eu"}),
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(c.have))); diff != "" {
			t.Errorf("schedules (-want +got):\n%s", diff)
		}
		for text, n := range map[string]int{"are not scheduled": 1, "namespace chef is not found": 1, "are scheduled now": 1, "eu: ": 1} {
			if strings.Count(logged.String(), text) < n || text == "are not scheduled" && strings.Count(logged.String(), text) != 1 {
				t.Errorf("%q is not %d times in\n%s", text, n, &logged)
			}
		}
	})
}

// TestSchedulesEnd: an ec-syncd that ends does not try again.
func TestSchedulesEnd(t *testing.T) {
	cfg := parse(t, "organizations ['acme']\nverify_at '03:30'\n")
	synctest.Test(t, func(t *testing.T) {
		c := &calendar{err: errors.New("denied"), have: map[string]*client.ScheduleListEntry{}}
		ctx, end := context.WithCancel(t.Context())
		s := newScheduler(c, cfg, slog.New(slog.DiscardHandler))
		go s.retry(ctx)
		end()
		synctest.Wait()
		time.Sleep(time.Hour)
		if c.tries > 0 {
			t.Errorf("%d tries after the end", c.tries)
		}
	})
}

// parse is a configuration of a replica.
func parse(t *testing.T, more string) *config.Config {
	t.Helper()
	cfg, err := config.Parse(filepath.Join(t.TempDir(), "chef-sync.rb"), []byte("master 'https://chef-1.example.com'\nreplica 'https://chef-2.example.com'\n"+more))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
