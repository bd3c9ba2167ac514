package telemetry

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Pair is what the metrics show of a pair.
type Pair struct {
	Organization string // the destination
	Running      bool   // its workflow is open

	// Known says that the workflow has told how it is; the fields below say
	// nothing otherwise.
	Known bool

	Source, Feed string
	Mode         string
	Trouble      string    // why it waits, one of a small fixed set; "" if it does not
	Success      time.Time // see FamilySuccess; zero means never
	CaughtUp     bool      // the replica holds all that the feed told at the last look
	Behind       int64     // changes that follow; -1 = not known
	Unsynced     int
	Kinds        map[string]int // of Unsynced, by kind
	Extras       int
}

// isOfPairs reports whether the family is served by the pairCollector.
func isOfPairs(name string) bool { return strings.HasPrefix(name, "chef_sync_pair_") }

// pairCollector shows the pairs as they were last set. A scrape waits for nobody.
type pairCollector struct {
	mu  sync.Mutex
	all []Pair
}

func (c *pairCollector) set(all []Pair) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = slices.Clone(all)
}

func describe(f Family) *prometheus.Desc { return prometheus.NewDesc(f.Name, f.Help, f.Labels, nil) }

// Describe implements [prometheus.Collector].
func (c *pairCollector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range families {
		if isOfPairs(f.Name) {
			out <- describe(f)
		}
	}
}

// Collect implements [prometheus.Collector].
func (c *pairCollector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	all := c.all
	c.mu.Unlock()
	descs := map[string]*prometheus.Desc{}
	for _, f := range families {
		if isOfPairs(f.Name) {
			descs[f.Name] = describe(f)
		}
	}
	now := time.Now()
	for _, p := range all {
		p.collect(now, func(family string, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(descs[family], prometheus.GaugeValue, v, append([]string{p.Organization}, labels...)...)
		})
	}
}

// collect shows one pair.
func (p Pair) collect(now time.Time, gauge func(family string, v float64, labels ...string)) {
	running := 0.0
	if p.Running {
		running = 1
	}
	gauge(FamilyRunning, running)
	if !p.Running || !p.Known {
		return
	}
	gauge(FamilyMode, 1, p.Mode)
	gauge(FamilyInfo, 1, p.Source, p.Feed)
	gauge(FamilyUnsynced, float64(p.Unsynced))
	for kind, n := range p.Kinds {
		gauge(FamilyUnsyncedKinds, float64(n), kind)
	}
	gauge(FamilyExtras, float64(p.Extras))
	if p.Trouble != "" {
		gauge(FamilyTrouble, 1, p.Trouble)
	}
	if !p.Success.IsZero() {
		gauge(FamilySuccess, float64(p.Success.UnixMilli())/1000)
	}
	switch {
	case p.CaughtUp:
		gauge(FamilyLagSeconds, 0)
		gauge(FamilyLagChanges, 0)
		return
	case !p.Success.IsZero():
		gauge(FamilyLagSeconds, max(now.Sub(p.Success).Seconds(), 0))
	}
	if p.Behind >= 0 {
		gauge(FamilyLagChanges, float64(p.Behind))
	}
}
