package maintenance

import (
	"testing"
	"time"
)

// FuzzParse: what is taken is read again as the same window, which opens within a
// week, and ends when it is said to, or never.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"22:00-23:30", "Sat,Sun 01:00-05:00", "Mon-Fri 00:00-24:00 Europe/Berlin", "fri-mon 23:59-0:00 UTC", "02:30-02:31 America/New_York", "1:00-1:00",
	} {
		f.Add(text, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		w, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(w.String())
		if err != nil || again.days != w.days || again.from != w.from || again.to != w.to || again.zone.String() != w.zone.String() {
			t.Fatalf("%q is read as %+v, and then as %+v (%v)", text, w, again, err)
		}
		now := time.Unix(unix%4_000_000_000, 0)
		until := Windows{w}.Until(now)
		switch {
		case w.open(now) == until.IsZero():
			t.Errorf("%q at %s: open %t, until %s", text, now, w.open(now), until)
		case until.IsZero():
		case !until.After(now):
			t.Errorf("%q at %s ends at %s", text, now, until)
		case until.Sub(now) < longest-time.Minute && w.open(until):
			t.Errorf("%q at %s is open at its end %s", text, now, until)
		}
	})
}
