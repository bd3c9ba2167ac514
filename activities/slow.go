package activities

import (
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// Slow says that a server of a pair is asked for less than it could be, and why. It
// is the second part of a heartbeat, which has none if nothing is slowed.
type Slow struct {
	Side    string   `json:"side"`    // primary or replica
	Reasons []string `json:"reasons"` // phrases; at least one

	Parallel int `json:"parallel"` // requests at a time, of Most
	Most     int `json:"most"`

	// AloneUntil is until when the server asked to be left alone; nil if it did not.
	AloneUntil *time.Time `json:"alone_until,omitempty"`
}

// slowed says which servers of a connection are slowed; c may be nil.
func slowed(c *Connection) []Slow {
	if c == nil || c.Engine == nil {
		return nil
	}
	var out []Slow
	for _, s := range []struct {
		side   string
		client *chef.Client
	}{{"primary", c.Engine.Primary}, {"replica", c.Engine.Replica}} {
		st := s.client.Pace().Stats()
		why := st.Slowed()
		if len(why) == 0 {
			continue
		}
		slow := Slow{Side: s.side, Reasons: why, Parallel: st.Parallel, Most: st.Limits.Parallel}
		if !st.AloneUntil.IsZero() {
			until := st.AloneUntil.UTC()
			slow.AloneUntil = &until
		}
		out = append(out, slow)
	}
	return out
}

// beatOf is a heartbeat: what an activity says, and what slows it.
func beatOf(say any, c *Connection) []any {
	if slow := slowed(c); slow != nil {
		return []any{say, slow}
	}
	return []any{say}
}
