package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Pace is how a server is treated at one moment, by all pairs together.
type Pace struct {
	Server       string // primary or replica
	Parallel     int    // requests at a time that it is given now
	InFlight     int
	Waiting      int     // for one of these to end
	Cuts         int64   // how often Parallel was halved
	AloneSeconds float64 // that it asked still to be left alone
}

// isOfPaces reports whether the family is served by the paceCollector.
func isOfPaces(name string) bool { return strings.HasPrefix(name, "chef_sync_server_") }

// Paces has the metrics ask now how the servers are treated, at each scrape. It is
// to be called once.
func (m *Metrics) Paces(now func() []Pace) {
	if m != nil {
		m.own.MustRegister(paceCollector(now))
	}
}

// paceCollector shows what it returns.
type paceCollector func() []Pace

// Describe implements [prometheus.Collector].
func (c paceCollector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range families {
		if isOfPaces(f.Name) {
			out <- describe(f)
		}
	}
}

// Collect implements [prometheus.Collector].
func (c paceCollector) Collect(out chan<- prometheus.Metric) {
	for _, p := range c() {
		values := map[string]float64{
			FamilyParallel: float64(p.Parallel), FamilyInFlight: float64(p.InFlight), FamilyQueued: float64(p.Waiting),
			FamilyAlone: p.AloneSeconds, FamilyCuts: float64(p.Cuts),
		}
		for _, f := range families {
			if !isOfPaces(f.Name) {
				continue
			}
			kind := prometheus.GaugeValue
			if f.Type == TypeCounter {
				kind = prometheus.CounterValue
			}
			out <- prometheus.MustNewConstMetric(describe(f), kind, values[f.Name], p.Server)
		}
	}
}
