package bench

import (
	"fmt"
	"time"
)

// figures are what one ec-syncd with many pairs has shown.
type figures struct {
	pairs   int
	started started
	idle    idle
	bursts  []burst
	bare    burst
}

// started is a start of all pairs: the command alone, and until all follow.
type started struct{ command, wall, cpu time.Duration }

// idle is a time in which nothing changed.
type idle struct {
	took, cpu time.Duration
	requests  int   // to both servers
	memory    int64 // bytes, at its end
	events    int64 // of history, of all pairs
}

// burst is a change of some pairs at once.
type burst struct {
	pairs     int
	wall      time.Duration // until the replica had everything
	over, cpu time.Duration // until all pairs waited again, and processor time by then
	events    int64
}

// scaleTable has a column for each number of pairs.
type scaleTable struct {
	s       scale
	figures []figures
}

func (s scale) table() *scaleTable { return &scaleTable{s: s} }

func (t *scaleTable) add(f figures) { t.figures = append(t.figures, f) }

func (t *scaleTable) print() {
	out := &table{}
	row := func(name string, cell func(figures) any) {
		cells := []any{name}
		for _, f := range t.figures {
			cells = append(cells, cell(f))
		}
		out.row(cells...)
	}
	row("pairs", func(f figures) any { return f.pairs })
	row("sync-start --all", func(f figures) any { return f.started.command })
	row("until all follow", func(f figures) any { return f.started.wall })
	row("client CPU of that, ms a pair", func(f figures) any { return per(f.started.cpu, f.pairs) })
	row("idle: client CPU, s a minute", func(f figures) any { return f.idle.cpu.Seconds() * minutes(f.idle) })
	row("idle: the same, of one core", func(f figures) any { return fmt.Sprintf("%.0f %%", 100*f.idle.cpu.Seconds()/f.idle.took.Seconds()) })
	row("idle: memory, MB", func(f figures) any { return f.idle.memory >> 20 })
	row("idle: requests a second", func(f figures) any { return float64(f.idle.requests) / f.idle.took.Seconds() })
	row("idle: history events, a pair and hour", func(f figures) any {
		return float64(f.idle.events) / float64(f.pairs) * time.Hour.Seconds() / f.idle.took.Seconds()
	})
	for i, n := range t.s.bursts {
		of := fmt.Sprintf("%d pairs, or all, change: ", n)
		row(of+"all equal after", func(f figures) any { return f.bursts[i].wall })
		row(of+"client CPU beyond idling, ms a pair", func(f figures) any { return f.beyond(f.bursts[i]) })
		row(of+"history events, a pair", func(f figures) any { return float64(f.bursts[i].events) / float64(f.bursts[i].pairs) })
	}
	last := len(t.s.bursts) - 1
	row("a bare loop over as many", func(f figures) any { return f.bare.wall })
	row("client CPU a pair, the larger burst against the smaller", func(f figures) any {
		return f.beyond(f.bursts[last]) / f.beyond(f.bursts[0])
	})
	out.print(fmt.Sprintf("one ec-syncd with its Temporal server, poll_interval 5, poll_hold :auto, feed updated_since, watched for %v", t.s.idle))
}

// beyond is the processor time that a burst took more than idling, in ms a pair.
func (f figures) beyond(b burst) float64 {
	idling := time.Duration(float64(f.idle.cpu) * b.over.Seconds() / f.idle.took.Seconds())
	return per(b.cpu-idling, b.pairs)
}

// per is a time for each of n, in ms.
func per(d time.Duration, n int) float64 { return d.Seconds() * 1000 / float64(n) }

// minutes is how many times a minute an idle time is.
func minutes(i idle) float64 { return time.Minute.Seconds() / i.took.Seconds() }
