package feedserver

import "time"

// SetClock makes now the clock of k.
func (k *Keys) SetClock(now func() time.Time) { k.now = now }
