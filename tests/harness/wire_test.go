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
	c, err := chef.New(chef.Options{
		URL: w.URL, Organization: Organization, User: FastUser, Key: key, Timeout: 300 * time.Millisecond, Backoff: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func() (time.Duration, error) {
		begin := time.Now()
		_, err := c.ListRoles(t.Context())
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
		if _, err := ask(); err != nil {
			t.Fatalf("before %s: %v", x.name, err)
		}
		end := x.begin()
		took, err := ask()
		if x.fails != (err != nil) || err == nil && took < 50*time.Millisecond {
			t.Errorf("%s: %v after %v", x.name, err, took)
		}
		var api *chef.APIError
		if err != nil && (!errors.As(err, &api) || api.Status != 0) {
			t.Errorf("%s: %v; want no answer", x.name, err)
		}
		end()
		var last error
		if !eventually(10*time.Second, func() bool { _, last = ask(); return last == nil }) {
			t.Errorf("after %s: %v", x.name, last)
		}
	}
}
