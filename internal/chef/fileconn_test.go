package chef

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/tests/certs"
)

// An answer without a body frees its connection at once. Whoever has it by the time
// the refusal was read must not lose it, nor need another try.
func TestARefusedFileBreaksOffNoOther(t *testing.T) {
	var mu sync.Mutex
	took := map[string]int{}
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasPrefix(r.URL.Path, "/bad") {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		mu.Lock()
		took[r.URL.Path]++
		mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}, noRetries, func(o *Options) { o.Parallel = 8 })
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 100 {
				kind := "good"
				if (i+n)%2 == 0 {
					kind = "bad"
				}
				err := c.UploadFile(t.Context(), fmt.Sprintf("/%s-%d-%d", kind, i, n), sumOf([]byte("a")), 1, opener([]byte("a")))
				if (err == nil) != (kind == "good") {
					t.Errorf("%s: got %v", kind, err)
				}
			}
		})
	}
	all.Wait()
	for path, n := range took {
		if n != 1 {
			t.Errorf("%s arrived %d times", path, n)
		}
	}
	if s := c.Pace().Stats(); s.Cuts > 0 {
		t.Errorf("the server counts as overloaded: %s", s.Why)
	}
}

// endedConns are connections that can be ended at the moment in which somebody begins
// to write.
type endedConns struct {
	mu  sync.Mutex
	all []*endedConn
}

type endedConn struct {
	net.Conn
	ends atomic.Bool
}

func (c *endedConns) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, &endedConn{Conn: conn})
	return c.all[len(c.all)-1], nil
}

// end is about those that there are now.
func (c *endedConns) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.all {
		conn.ends.Store(true)
	}
}

func (c *endedConn) Write(p []byte) (int, error) {
	if c.ends.Load() {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// A connection that was ended between two transfers costs the second one no try.
func TestUploadOverAConnectionThatWasJustEnded(t *testing.T) {
	cert := certs.SelfSigned(t, time.Hour, "127.0.0.1")
	data, gone := bytes.Repeat([]byte("x"), 100_000), errors.New("disk on fire")
	for name, start := range map[string]func(*httptest.Server){"http": (*httptest.Server).Start, "https": (*httptest.Server).StartTLS} {
		var arrived atomic.Int32
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err == nil && bytes.Equal(body, data) {
				arrived.Add(1)
			}
			w.WriteHeader(http.StatusNoContent)
		}))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert.Certificate}}
		start(server)
		defer server.Close()
		c := clientOf(t, server.URL, noRetries, func(o *Options) { o.TLS.CAFile = cert.File })
		var conns endedConns
		c.files.DialContext = dialsFileConns(conns.dial)
		for i := range int32(3) {
			conns.end()
			if err := c.UploadFile(t.Context(), "/f", sumOf(data), int64(len(data)), opener(data)); err != nil || arrived.Load() != i+1 {
				t.Errorf("%s: upload %d: %v; %d arrived", name, i+1, err, arrived.Load())
			}
		}
		conns.end()
		opened := 0
		err := c.UploadFile(t.Context(), "/f", sumOf(data), int64(len(data)), func() (io.ReadCloser, error) {
			if opened++; opened > 1 {
				return nil, gone
			}
			return opener(data)()
		})
		if opened > 1 && !errors.Is(err, gone) || opened == 1 && err != nil {
			t.Errorf("%s: a file that was opened %d times and can be once: got %v", name, opened, err)
		}
	}
}

// A connection that waits for its next use does not keep the file in memory that went
// over it.
func TestKeptConnectionHoldsNoFile(t *testing.T) {
	c := testClient(t, says(http.StatusNoContent, ""))
	freed := make(chan struct{})
	func() {
		data := bytes.Repeat([]byte("x"), 100_000)
		runtime.AddCleanup(&data[0], func(freed chan struct{}) { close(freed) }, freed)
		if err := c.UploadFile(t.Context(), "/f", sumOf(data), int64(len(data)), opener(data)); err != nil {
			t.Fatal(err)
		}
	}()
	for late := time.After(time.Minute); ; {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-late:
			t.Fatal("the file is in memory")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
