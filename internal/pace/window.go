package pace

import "time"

const (
	// growAfter is how many answers in a row allow one more request at a time.
	growAfter = 20

	// enough is how many reads tell whether a server has become slow.
	enough = 8

	// floorFor is how long the best time of a kind of read is believed, at least: a
	// server that is slow for good has become another one.
	floorFor = 5 * time.Minute

	// slack is what a read may always take beyond twice its best time. Servers that
	// answer in milliseconds are never slow by their answers' noise.
	slack = 500 * time.Millisecond
)

// window is how many requests may be under way, and what that is decided by.
type window struct {
	size, most int
	answers    int       // in a row, since size last changed
	lastCut    time.Time // when size was last halved
	why        string    // and why
	cuts       int64
	reads      map[string]*latency
}

func newWindow(most int) window {
	return window{size: most, most: most, reads: map[string]*latency{}}
}

// cut halves the window, unless the request began before the last cut: it then
// tells of the same trouble.
func (w *window) cut(began, now time.Time, why string) {
	w.answers = 0
	if began.Before(w.lastCut) {
		return
	}
	w.lastCut, w.why = now, why
	if w.size > 1 {
		w.size, w.cuts = w.size/2, w.cuts+1
	}
	for _, l := range w.reads {
		l.count = 0
	}
}

// answered takes an answer of a server that is well.
func (w *window) answered() {
	if w.size == w.most {
		return
	}
	if w.answers++; w.answers >= growAfter {
		w.size, w.answers = w.size+1, 0
	}
}

// slow takes the time of a small read, and reports whether such reads have become
// slow, and fewer at a time may help.
func (w *window) slow(kind string, took time.Duration, now time.Time) bool {
	l := w.reads[kind]
	if l == nil {
		l = &latency{}
		w.reads[kind] = l
	}
	l.add(took, now)
	return w.size > 1 && l.count >= enough && l.mean > tooSlow(l.floor())
}

// tooSlow is the mean time above which reads are slow whose best time is floor.
func tooSlow(floor time.Duration) time.Duration { return 2*floor + slack }

// latency is how long the reads of one kind take.
type latency struct {
	count     int           // of mean
	mean      time.Duration // weighted, of the latest
	now, last time.Duration // the best time of this period, and of the one before; 0 = none
	began     time.Time     // this period
}

func (l *latency) add(took time.Duration, now time.Time) {
	took = max(took, 1)
	if now.Sub(l.began) >= floorFor {
		l.last, l.now, l.began = l.now, 0, now
	}
	if l.now == 0 || took < l.now {
		l.now = took
	}
	if l.count++; l.count == 1 {
		l.mean = took
		return
	}
	l.mean += (took - l.mean) / enough
}

// floor is the best time of late.
func (l *latency) floor() time.Duration {
	if l.last == 0 {
		return l.now
	}
	return min(l.now, l.last)
}
