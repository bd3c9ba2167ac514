// Package maintenance knows the windows of time in which a pair rests: nothing is
// asked of its servers and nothing is written to them.
//
// A window is written as days, a span of hours and a time zone, of which only the
// span has to be there:
//
//	22:00-23:30                      every day, UTC
//	22:00-02:00                      over midnight
//	Sat,Sun 01:00-05:00              the days on which it opens
//	Mon-Fri 00:00-24:00 Europe/Berlin
//
// The clock of the zone counts, as it hangs on the wall: in the night in which it
// is put forward from 02:00 to 03:00 a window from 02:30 to 04:00 opens at 03:00,
// and one within the hour that is left out does not open; in that in which it is
// put back, one within the hour that comes twice opens twice. The zones are those
// of the IANA database, which is part of the program.
package maintenance

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	_ "time/tzdata" // a container may have no database of time zones
)

// Wanted says how a window is written.
const Wanted = "'22:00-23:30', 'Sat,Sun 01:00-05:00' or 'Mon-Fri 22:00-02:00 Europe/Berlin'; without a time zone it is in UTC"

// A Window is a span of hours on some days of the week. Make one with [Parse].
type Window struct {
	text     string
	days     [7]bool // on which it opens, by [time.Weekday]
	from, to int     // minutes of the day; to is not in it, and may be of the next day
	zone     *time.Location
}

// String is the window as it was written.
func (w Window) String() string { return w.text }

// MarshalText returns the window as it was written.
func (w Window) MarshalText() ([]byte, error) { return []byte(w.text), nil }

// Equal reports whether two windows are written alike.
func (w Window) Equal(o Window) bool { return w.text == o.text }

// Windows are those of one pair; none is open at any time if there are none.
type Windows []Window

// Texts are the windows as they were written.
func (ws Windows) Texts() []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = w.text
	}
	return out
}

var (
	windowPattern = regexp.MustCompile(`^(?:([A-Za-z][A-Za-z,\-]*)\s+)?(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)(?:\s+(\S+))?$`)
	dayNames      = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// day is the length of a day in minutes, on most days.
const day = 24 * 60

// Parse reads a window. The error says what is wrong with it, and not how one is
// written; see [Wanted].
func Parse(text string) (Window, error) {
	m := windowPattern.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return Window{}, fmt.Errorf("%q is no window of maintenance", text)
	}
	w := Window{text: text, from: minutes(m[2], m[3]), to: minutes(m[4], m[5])}
	switch {
	case w.from < 0 || w.from >= day || w.to < 0:
		return Window{}, fmt.Errorf("%q holds what is no time of day", text)
	case w.from == w.to:
		return Window{}, fmt.Errorf("%q has no length", text)
	case w.to < w.from:
		w.to += day
	}
	var err error
	if w.days, err = days(m[1]); err != nil {
		return Window{}, err
	}
	if strings.EqualFold(m[6], "local") { // the zone of a host is nobody's that reads the file
		return Window{}, fmt.Errorf("%q is not the name of a time zone", m[6])
	}
	if w.zone, err = time.LoadLocation(m[6]); err != nil {
		return Window{}, fmt.Errorf("%q is not the name of a time zone", m[6])
	}
	return w, nil
}

// minutes is a time of day in minutes; -1 if it is none. 24:00 is one.
func minutes(hour, minute string) int {
	h, _ := strconv.Atoi(hour) // digits, as the pattern wants
	m, _ := strconv.Atoi(minute)
	if m > 59 || h*60+m > day {
		return -1
	}
	return h*60 + m
}

// days reads "Sat,Sun" or "Mon-Fri"; "" is every day.
func days(text string) (out [7]bool, err error) {
	if text == "" {
		return [7]bool{true, true, true, true, true, true, true}, nil
	}
	for _, part := range strings.Split(text, ",") {
		first, last, span := strings.Cut(part, "-")
		from, to := weekday(first), weekday(first)
		if span {
			to = weekday(last)
		}
		if from < 0 || to < 0 {
			return out, fmt.Errorf("%q is not a day of the week: Mon, Tue, Wed, Thu, Fri, Sat, Sun", part)
		}
		for d := from; ; d = (d + 1) % 7 {
			out[d] = true
			if d == to {
				break
			}
		}
	}
	return out, nil
}

// weekday finds a day by its name or the first three letters of it; -1 if there is
// none.
func weekday(name string) int {
	name = strings.ToLower(name)
	for d, short := range dayNames {
		if name == short || name == strings.ToLower(time.Weekday(d).String()) {
			return d
		}
	}
	return -1
}

// open reports whether t lies in the window.
func (w Window) open(t time.Time) bool {
	t = t.In(w.zone)
	at, today := t.Hour()*60+t.Minute(), t.Weekday()
	yesterday := (today + 6) % 7
	return w.days[today] && at >= w.from && at < w.to ||
		w.days[yesterday] && at+day < w.to
}

// longest is how far [Windows.Until] looks ahead: what is open for longer is open
// for ever, since windows repeat each week.
const longest = 8 * 24 * time.Hour

// Until returns when the maintenance that is under way at now ends, windows that
// follow each other taken together, in the time zone of the window that is open;
// the zero time if none is. If there is no end within eight days, it returns the
// time in eight days.
func (ws Windows) Until(now time.Time) time.Time {
	first, ok := ws.open(now)
	if !ok {
		return time.Time{}
	}
	at := now.Truncate(time.Minute)
	for last := now.Add(longest); at.Before(last); {
		at = at.Add(time.Minute)
		if _, ok := ws.open(at); !ok {
			break
		}
	}
	return at.In(first.zone)
}

// open returns a window that is open at t.
func (ws Windows) open(t time.Time) (Window, bool) {
	for _, w := range ws {
		if w.open(t) {
			return w, true
		}
	}
	return Window{}, false
}

// Always reports whether the windows leave no time at all.
func (ws Windows) Always(now time.Time) bool {
	until := ws.Until(now)
	return !until.IsZero() && until.Sub(now) >= longest-time.Minute
}

// Stamp is the end of a maintenance for people: the time, with the day if it is
// another one than that of now, and the zone.
func Stamp(until, now time.Time) string {
	if now = now.In(until.Location()); now.YearDay() != until.YearDay() || now.Year() != until.Year() {
		return until.Format("Mon 15:04 MST")
	}
	return until.Format("15:04 MST")
}
