package harness

import (
	"errors"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// What a wire does to requests, and that it ends when it is mended; and the same of
// a server that goes down.
func TestWire(t *testing.T) {
	s := FastChef(t, chefserver.Options{})
	w := NewWire(t, s.URL)
	key, err := chef.ReadKey(s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	// Whoever shall get no answer is in a hurry; a busy machine is not.
	hasty, patient := 300*time.Millisecond, 20*time.Second
	clients := map[time.Duration]*chef.Client{}
	for _, limit := range []time.Duration{hasty, patient} {
		c, err := chef.New(chef.Options{
			URL: w.URL, Organization: Organization, User: FastUser, Key: key, Timeout: limit, Backoff: time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients[limit] = c
	}
	ask := func(limit time.Duration) (time.Duration, error) {
		begin := time.Now()
		_, err := clients[limit].ListRoles(t.Context())
		return time.Since(begin), err
	}
	for _, x := range []struct {
		name  string
		begin func() (end func())
		fails bool
	}{
		{"cut", func() func() { return w.Cut(t) }, true},
		{"half open", func() func() { return w.HalfOpen(t) }, true},
		{"slow", func() func() { return w.Slow(t, 100*time.Millisecond, 10) }, false},
		{"down", func() func() { s.Door.Down(); return func() { s.Door.Up(t) } }, true},
	} {
		if _, err := ask(patient); err != nil {
			t.Fatalf("before %s: %v", x.name, err)
		}
		_, _ = ask(hasty) // leaves a connection, if it had the time
		limit := patient
		if x.fails {
			limit = hasty
		}
		end := x.begin()
		took, err := ask(limit)
		if x.fails != (err != nil) || err == nil && took < 50*time.Millisecond {
			t.Errorf("%s: %v after %v", x.name, err, took)
		}
		var api *chef.APIError
		if err != nil && (!errors.As(err, &api) || api.Status != 0) {
			t.Errorf("%s: %v; want no answer", x.name, err)
		}
		end()
		var last error
		if !eventually(patience, func() bool { _, last = ask(patient); return last == nil }) {
			t.Errorf("after %s: %v", x.name, last)
		}
	}
}
