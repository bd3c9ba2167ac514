package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are what a replicator counts and measures. Its methods are safe for
// concurrent use, and do nothing on a nil *Metrics, so that whoever counts need
// not ask whether anybody reads.
type Metrics struct {
	registry   *prometheus.Registry
	own        prometheus.Registerer // with the label replica
	counters   map[string]*prometheus.CounterVec
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec
	pairs      *pairCollector
	sdk        *sdkFamilies
}

// MetricsOptions are the arguments of [NewMetrics].
type MetricsOptions struct {
	Replica string // the name of the replica; a label of all families
	Version string // of ec-syncd

	// Organizations are those of the configuration. Their rare events are counted
	// from 0, so that the first one is seen as an increase.
	Organizations []string
}

// NewMetrics returns metrics with nothing counted yet.
func NewMetrics(o MetricsOptions) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), counters: map[string]*prometheus.CounterVec{},
		gauges: map[string]*prometheus.GaugeVec{}, histograms: map[string]*prometheus.HistogramVec{},
		pairs: &pairCollector{}, sdk: newSDKFamilies(),
	}
	m.own = prometheus.WrapRegistererWith(prometheus.Labels{"replica": o.Replica}, m.registry)
	for _, f := range families {
		if isOfPairs(f.Name) || isOfPaces(f.Name) {
			continue
		}
		m.own.MustRegister(m.vector(f))
	}
	m.own.MustRegister(m.pairs)
	m.registry.MustRegister(m.sdk, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.gauges[FamilyBuild].WithLabelValues(o.Version).Set(1)
	for _, name := range o.Organizations {
		m.counters[FamilyHalts].WithLabelValues(name)
		m.counters[FamilyLost].WithLabelValues(name)
	}
	for _, event := range []string{"halted", "trouble", "stale", "recovered"} {
		m.counters[FamilyPosts].WithLabelValues(event, "failed")
	}
	m.Temporal(false)
	return m
}

// vector makes the collector of a family.
func (m *Metrics) vector(f Family) prometheus.Collector {
	switch f.Type {
	case TypeCounter:
		m.counters[f.Name] = prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help}, f.Labels)
		return m.counters[f.Name]
	case TypeHistogram:
		m.histograms[f.Name] = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.Name, Help: f.Help, Buckets: f.buckets}, f.Labels)
		return m.histograms[f.Name]
	default:
		m.gauges[f.Name] = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.Name, Help: f.Help}, f.Labels)
		return m.gauges[f.Name]
	}
}

// Request counts an HTTP exchange with the primary or the replica. Route and
// result are each from a small fixed set.
func (m *Metrics) Request(server, route, result string, took time.Duration) {
	if m == nil {
		return
	}
	m.counters[FamilyRequests].WithLabelValues(server, route, result).Inc()
	m.histograms[FamilyRequest].WithLabelValues(server, route).Observe(took.Seconds())
}

// Object counts an object of a pair: created, updated, deleted, equal or failed.
func (m *Metrics) Object(organization, kind, action string) {
	if m == nil {
		return
	}
	m.counters[FamilyObjects].WithLabelValues(organization, kind, action).Inc()
}

// File counts a cookbook file that was downloaded or uploaded.
func (m *Metrics) File(organization, kind, direction string, bytes int64) {
	if m == nil {
		return
	}
	m.counters[FamilyFiles].WithLabelValues(organization, kind, direction).Inc()
	m.counters[FamilyFileBytes].WithLabelValues(organization, kind, direction).Add(float64(bytes))
}

// Temporal notes whether Temporal answered.
func (m *Metrics) Temporal(up bool) {
	if m == nil {
		return
	}
	value := 0.0
	if up {
		value = 1
	}
	m.gauges[FamilyTemporal].WithLabelValues().Set(value)
}

// Pairs replaces what is known of the pairs.
func (m *Metrics) Pairs(all []Pair) {
	if m == nil {
		return
	}
	m.pairs.set(all)
}
