package feed

import "time"

// SetClock makes now the clock of f.
func (f *Auto) SetClock(now func() time.Time) { f.now = now }

// Reprobe is how long Auto lists before it asks for updated_since again.
const Reprobe = reprobe

func (f *Listing) SetListAge(age time.Duration) { f.age = age }
