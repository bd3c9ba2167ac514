package feedserver

import "time"

// SetClock makes now the clock of k.
func (k *Keys) SetClock(now func() time.Time) { k.now = now }

// SetMaxHeld sets how many requests may wait at a time.
func (s *Server) SetMaxHeld(n int) { s.held = make(chan struct{}, n) }

// Remembered is how many names are remembered.
func (k *Keys) Remembered() int { return len(k.names) }

// SetReadTime sets how long the log may take to be read.
func (s *Server) SetReadTime(d time.Duration) { s.readTime = d }

// SetAskTime sets how long the database may take to be asked for keys.
func (k *Keys) SetAskTime(d time.Duration) { k.askTime = d }
