package pace

import (
	"fmt"
	"strconv"
	"time"
)

// lately is how long after a wait for a limit a server still counts as limited.
const lately = 30 * time.Second

// Stats is how a server is treated at one moment.
type Stats struct {
	Limits Limits

	Parallel int   // how many requests at a time it is given now
	InFlight int   // how many are under way, without those that it is asked to hold
	Waiting  int   // how many wait for one of these to end
	Cuts     int64 // how often Parallel was halved

	// Why is the reason of the last cut, while Parallel is below its limit.
	Why string

	// AloneUntil is until when the server asked to be left alone, with AloneWhy,
	// such as "503"; zero if it is not left alone.
	AloneUntil time.Time
	AloneWhy   string

	// RateLimited and BytesLimited say that something waited for the limit within
	// the last half minute.
	RateLimited  bool
	BytesLimited bool
}

// Stats returns how the server is treated now.
func (s *Server) Stats() Stats {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Stats{
		Limits: s.limits, Parallel: s.window.size, InFlight: s.inFlight, Waiting: s.queue.Len(), Cuts: s.window.cuts,
		RateLimited:  now.Before(s.waitedRate.Add(lately)),
		BytesLimited: now.Before(s.waitedByte.Add(lately)),
	}
	if out.Parallel < out.Limits.Parallel {
		out.Why = s.window.why
	}
	if s.alone.After(now) {
		out.AloneUntil, out.AloneWhy = s.alone, s.aloneWhy
	}
	return out
}

// Slowed says what slows requests down now, a phrase each; nil if nothing does.
func (s Stats) Slowed() []string {
	var out []string
	if !s.AloneUntil.IsZero() {
		out = append(out, fmt.Sprintf("left alone until %s, as it asked (%s, Retry-After)", stamp(s.AloneUntil), s.AloneWhy))
	}
	if s.Parallel < s.Limits.Parallel {
		out = append(out, fmt.Sprintf("%d of %d requests at a time (%s)", s.Parallel, s.Limits.Parallel, s.Why))
	}
	if s.RateLimited {
		out = append(out, fmt.Sprintf("limited to %d requests/s", s.Limits.RequestsPerSecond))
	}
	if s.BytesLimited {
		out = append(out, "files limited to "+bytesText(s.Limits.BytesPerSecond)+"/s")
	}
	return out
}

// bytesText is a number of bytes, in the largest unit that divides it.
func bytesText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1e9, "GB"}, {1 << 20, "MiB"}, {1e6, "MB"}, {1 << 10, "KiB"}, {1e3, "kB"}} {
		if n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}
