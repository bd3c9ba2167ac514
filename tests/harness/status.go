package harness

import (
	"encoding/json"
	"testing"
)

// PairStatus is what the tests look at in sync-status --output json.
type PairStatus map[string]any

// Status runs sync-status and returns the one pair's status; nil if it has none.
func (d *Syncd) Status(t testing.TB) PairStatus {
	t.Helper()
	stdout, _, _ := d.Ctl(t, "--output", "json", "sync-status")
	var rows []PairStatus
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || len(rows) == 0 {
		return nil
	}
	return rows[0]
}
