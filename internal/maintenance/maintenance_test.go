package maintenance

import (
	"strings"
	"testing"
	"time"
)

func windows(t *testing.T, texts ...string) Windows {
	t.Helper()
	var out Windows
	for _, text := range texts {
		w, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, w)
	}
	return out
}

const layout = "2006-01-02 15:04 MST"

func TestUntil(t *testing.T) {
	for _, tt := range []struct {
		windows   string // separated by ;
		now, want string // in UTC; want "" is closed
	}{
		{"", "2026-03-02 12:00", ""},
		{"22:00-23:30", "2026-03-02 21:59", ""},
		{"22:00-23:30", "2026-03-02 22:00", "2026-03-02 23:30 UTC"},
		{"22:00-23:30", "2026-03-02 23:29", "2026-03-02 23:30 UTC"},
		{"22:00-23:30", "2026-03-02 23:30", ""},
		// Over midnight; the day is that on which it opens. 2026-03-02 is a Monday.
		{"22:00-02:00", "2026-03-02 01:59", "2026-03-02 02:00 UTC"},
		{"22:00-02:00", "2026-03-02 23:00", "2026-03-03 02:00 UTC"},
		{"Mon 22:00-02:00", "2026-03-02 01:00", ""},
		{"Mon 22:00-02:00", "2026-03-03 01:00", "2026-03-03 02:00 UTC"},
		{"Mon 22:00-02:00", "2026-03-03 22:00", ""},
		{"Sun 22:00-02:00", "2026-03-02 01:00", "2026-03-02 02:00 UTC"},
		{"Mon 00:00-24:00", "2026-03-02 05:30", "2026-03-03 00:00 UTC"},
		{"Fri-Mon 01:00-02:00", "2026-03-01 01:30", "2026-03-01 02:00 UTC"}, // a Sunday
		{"Fri-Mon 01:00-02:00", "2026-03-03 01:30", ""},
		{"sat,Sunday 01:00-05:00", "2026-03-01 04:59", "2026-03-01 05:00 UTC"},
		{"Mon-Fri,Sun 01:00-05:00", "2026-02-28 02:00", ""},
		// Windows that touch or overlap.
		{"22:00-23:00;23:00-23:30;23:15-00:15", "2026-03-02 22:30", "2026-03-03 00:15 UTC"},
		// A zone, in winter and in summer.
		{"22:00-23:30 Europe/Berlin", "2026-01-10 21:00", "2026-01-10 23:30 CET"},
		{"22:00-23:30 Europe/Berlin", "2026-01-10 20:59", ""},
		{"22:00-23:30 Europe/Berlin", "2026-07-10 20:00", "2026-07-10 23:30 CEST"},
		{"Sat 23:00-01:00 America/New_York", "2026-07-12 04:30", "2026-07-12 01:00 EDT"}, // Sunday there, 00:30
		{"12:00-13:00 Asia/Kathmandu", "2026-07-10 06:15", "2026-07-10 13:00 +0545"},
		// The clock is put forward in Berlin on 2026-03-29, from 02:00 to 03:00 (01:00 UTC).
		{"02:30-04:00 Europe/Berlin", "2026-03-29 00:59", ""},
		{"02:30-04:00 Europe/Berlin", "2026-03-29 01:00", "2026-03-29 04:00 CEST"},
		{"01:00-05:00 Europe/Berlin", "2026-03-29 00:00", "2026-03-29 05:00 CEST"},
		{"01:00-02:30 Europe/Berlin", "2026-03-29 00:30", "2026-03-29 03:00 CEST"}, // 02:30 is left out
		{"02:10-02:50 Europe/Berlin", "2026-03-29 01:15", ""},
		// It is put back on 2026-10-25, from 03:00 to 02:00 (01:00 UTC).
		{"02:10-02:50 Europe/Berlin", "2026-10-25 00:15", "2026-10-25 02:50 CEST"},
		{"02:10-02:50 Europe/Berlin", "2026-10-25 01:00", ""},
		{"02:10-02:50 Europe/Berlin", "2026-10-25 01:15", "2026-10-25 02:50 CET"},
		{"01:00-04:00 Europe/Berlin", "2026-10-25 00:30", "2026-10-25 04:00 CET"},
	} {
		var ws Windows
		if tt.windows != "" {
			ws = windows(t, strings.Split(tt.windows, ";")...)
		}
		now, err := time.Parse("2006-01-02 15:04", tt.now)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if until := ws.Until(now.Add(17 * time.Second)); !until.IsZero() {
			got = until.Format(layout)
			if until.Second() != 0 {
				t.Errorf("%s at %s: until %s, not a whole minute", tt.windows, tt.now, until)
			}
		}
		if got != tt.want {
			t.Errorf("%s at %s: until %q, want %q", tt.windows, tt.now, got, tt.want)
		}
	}
}

func TestAlways(t *testing.T) {
	now := time.Date(2026, 3, 2, 5, 30, 0, 0, time.UTC)
	for texts, want := range map[string]bool{
		"":                        false,
		"00:00-24:00":             true,
		"00:00-12:00;12:00-24:00": true,
		"00:00-12:00;12:01-24:00": false,
		"Mon-Sat 00:00-24:00":     false,
		"Mon-Sat 00:00-24:00;Sun 00:00-23:00;Sun 22:00-00:00": true,
	} {
		var ws Windows
		if texts != "" {
			ws = windows(t, strings.Split(texts, ";")...)
		}
		if got := ws.Always(now); got != want {
			t.Errorf("%q: always %t", texts, got)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "no window",
		"22:00":                    "no window",
		"22-23":                    "no window",
		"22:00-23:30 Europe/Narva": "time zone",
		"22:00-23:30 Local":        "time zone",
		"22:00-23:30 ../etc":       "time zone",
		"22:00-23:30 UTC UTC":      "no window",
		"22:00-22:00":              "no length",
		"24:00-01:00":              "time of day",
		"25:00-01:00":              "time of day",
		"22:60-23:00":              "time of day",
		"22:00-24:01":              "time of day",
		"Sat, Sun 01:00-05:00":     "no window",
		"Sut 01:00-05:00":          `"Sut" is not a day`,
		"Mon- 01:00-05:00":         "is not a day",
		"Mon-Fri-Sun 01:00-05:00":  "is not a day",
		"täglich 01:00-05:00":      "no window",
	} {
		if w, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", text, w, err, want)
		}
	}
}

func TestStamp(t *testing.T) {
	berlin := windows(t, "22:00-02:00 Europe/Berlin")
	now := time.Date(2026, 3, 2, 21, 30, 0, 0, time.UTC)
	if got := Stamp(berlin.Until(now), now); got != "Tue 02:00 CET" {
		t.Errorf("%q", got)
	}
	if now = now.Add(2 * time.Hour); Stamp(berlin.Until(now), now) != "02:00 CET" {
		t.Errorf("%q", Stamp(berlin.Until(now), now))
	}
}

func TestEqual(t *testing.T) {
	a, b := windows(t, "22:00-23:30")[0], windows(t, "22:00-23:31")[0]
	if !a.Equal(a) || a.Equal(b) || a.String() != "22:00-23:30" {
		t.Errorf("%v %v", a, b)
	}
}
