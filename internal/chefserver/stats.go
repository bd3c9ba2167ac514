package chefserver

import (
	"maps"
	"net/http"
	"sync"
)

// Stats is what a server has been asked so far, or since ResetStats.
type Stats struct {
	// Requests counts by method and route, such as
	// "GET /organizations/ORG/roles/NAME". Files count under
	// "PUT /bookshelf/FILE" and "GET /bookshelf/FILE", unknown routes under
	// "GET unknown". A request that a fault answered counts under "GET fault".
	Requests map[string]int
	// Statuses counts the answers by status, as they were before a fault
	// changed or withheld them. Connections cut before serving count as 0.
	Statuses map[int]int
	// Writes counts the accepted POST, PUT and DELETE of objects by
	// organization and path, such as "acme/roles/web", whether or not they
	// changed anything.
	Writes map[string]int
	// Uploads counts the accepted uploads by organization and MD5, such as
	// "acme/d41d8cd98f00b204e9800998ecf8427e".
	Uploads map[string]int
	// Downloads counts the files sent, in the same way.
	Downloads map[string]int
	// Total is the number of requests.
	Total int
	// MaxInFlight is the highest number of requests served at one time.
	MaxInFlight int
	// MaxSameUpload is the highest number of uploads of one MD5 to one
	// organization at one time.
	MaxSameUpload int
}

// WriteTotal is the sum of Writes.
func (s Stats) WriteTotal() int {
	n := 0
	for _, c := range s.Writes {
		n += c
	}
	return n
}

// counters is the live form of Stats.
type counters struct {
	mu       sync.Mutex
	stats    Stats
	inFlight int
}

func newCounters() *counters {
	c := &counters{}
	c.reset()
	return c
}

func (c *counters) reset() {
	c.stats = Stats{
		Requests: map[string]int{}, Statuses: map[int]int{}, Writes: map[string]int{},
		Uploads: map[string]int{}, Downloads: map[string]int{}, MaxInFlight: c.inFlight,
	}
}

func (c *counters) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight++
	c.stats.Total++
	c.stats.MaxInFlight = max(c.stats.MaxInFlight, c.inFlight)
}

func (c *counters) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight--
}

func (c *counters) uploads(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.MaxSameUpload = max(c.stats.MaxSameUpload, n)
}

// count notes an answer. It is called before the answer is sent, so that a test
// that has read an answer finds it counted.
func (c *counters) count(r *request, route string, p *reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Requests[r.http.Method+" "+route]++
	c.stats.Statuses[p.status]++
	if r.org == nil {
		return
	}
	if p.wrote != "" {
		c.stats.Writes[r.org.name+p.wrote]++
	}
	if route == "/"+fileStorePrefix+"/FILE" {
		switch {
		case p.status == http.StatusNoContent:
			c.stats.Uploads[r.org.name+"/"+r.args[0]]++
		case p.status == http.StatusOK && r.http.Method == http.MethodGet:
			c.stats.Downloads[r.org.name+"/"+r.args[0]]++
		}
	}
}

// Stats returns a copy of the counters.
func (s *Server) Stats() Stats {
	c := s.stats
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.stats
	out.Requests, out.Statuses = maps.Clone(out.Requests), maps.Clone(out.Statuses)
	out.Writes, out.Uploads, out.Downloads = maps.Clone(out.Writes), maps.Clone(out.Uploads), maps.Clone(out.Downloads)
	return out
}

// ResetStats sets the counters to zero. Requests in flight stay in flight.
func (s *Server) ResetStats() {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	s.stats.reset()
}
