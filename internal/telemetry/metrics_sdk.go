package telemetry

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// SDK returns the handler through which Temporal's SDK, activities and workflows
// report. It takes the SDK's own metrics (temporal_*) and those of the table of
// families; anything else is dropped. A counter gets the suffix _total, a timer the
// suffix _seconds. A nil *Metrics returns one that drops all.
func (m *Metrics) SDK() client.MetricsHandler {
	if m == nil {
		return client.MetricsNopHandler
	}
	return &sdkHandler{m: m}
}

// sdkLabels are the tags of the SDK that become labels: those whose values are few.
var sdkLabels = []string{
	"namespace", "task_queue", "worker_type", "workflow_type", "activity_type", "operation", "poller_type",
	"failure_reason", "status_code", "cause",
}

const (
	// sdkMostNames and sdkMostSeries bound what an SDK of tomorrow can make of the
	// metrics: names, and label sets of one name.
	sdkMostNames  = 200
	sdkMostSeries = 500
)

// sdkHandler implements [client.MetricsHandler].
type sdkHandler struct {
	m    *Metrics
	tags map[string]string
}

// WithTags implements [client.MetricsHandler].
func (h *sdkHandler) WithTags(tags map[string]string) client.MetricsHandler {
	all := make(map[string]string, len(h.tags)+len(tags))
	maps.Copy(all, h.tags)
	maps.Copy(all, tags)
	return &sdkHandler{m: h.m, tags: all}
}

// Counter implements [client.MetricsHandler].
func (h *sdkHandler) Counter(name string) client.MetricsCounter {
	name += "_total"
	if v := h.m.counters[name]; v != nil {
		return adder{v.With(h.labels(name))}
	}
	if c, ok := h.m.sdk.get(name, TypeCounter, h.tags).(prometheus.Counter); ok {
		return adder{c}
	}
	return client.MetricsNopHandler.Counter(name)
}

// Gauge implements [client.MetricsHandler].
func (h *sdkHandler) Gauge(name string) client.MetricsGauge {
	if g, ok := h.m.sdk.get(name, TypeGauge, h.tags).(prometheus.Gauge); ok {
		return setter{g}
	}
	return client.MetricsNopHandler.Gauge(name)
}

// Timer implements [client.MetricsHandler].
func (h *sdkHandler) Timer(name string) client.MetricsTimer {
	name += "_seconds"
	if v := h.m.histograms[name]; v != nil {
		return timer{v.With(h.labels(name))}
	}
	if o, ok := h.m.sdk.get(name, TypeHistogram, h.tags).(prometheus.Observer); ok {
		return timer{o}
	}
	return client.MetricsNopHandler.Timer(name)
}

// labels are the labels of one of our families, from the tags of the same names.
func (h *sdkHandler) labels(family string) prometheus.Labels {
	out := prometheus.Labels{}
	i := slices.IndexFunc(families, func(f Family) bool { return f.Name == family })
	for _, l := range families[i].Labels {
		out[l] = h.tags[l]
	}
	return out
}

type adder struct{ to prometheus.Counter }

// Inc implements [client.MetricsCounter].
func (a adder) Inc(n int64) { a.to.Add(float64(max(n, 0))) }

type setter struct{ to prometheus.Gauge }

// Update implements [client.MetricsGauge].
func (s setter) Update(v float64) { s.to.Set(v) }

type timer struct{ to prometheus.Observer }

// Record implements [client.MetricsTimer].
func (t timer) Record(d time.Duration) { t.to.Observe(d.Seconds()) }

// sdkFamilies are the SDK's own metrics, by name, as it comes up with them.
type sdkFamilies struct {
	mu   sync.Mutex
	all  map[string]sdkFamily
	most int // label sets of one name
}

// sdkFamily is one of them.
type sdkFamily struct {
	kind   string
	vector prometheus.Collector
	series map[string]any // what get returns, by label values
}

func newSDKFamilies() *sdkFamilies {
	return &sdkFamilies{all: map[string]sdkFamily{}, most: sdkMostSeries}
}

// get returns the counter, gauge or histogram of a name and tags; nil if it is none
// of the SDK's, of another type, or one too many.
func (s *sdkFamilies) get(name, kind string, tags map[string]string) any {
	if !strings.HasPrefix(name, "temporal_") {
		return nil
	}
	values := make([]string, len(sdkLabels))
	for i, l := range sdkLabels {
		if v := tags[l]; v != "none" {
			values[i] = v
		}
	}
	key := strings.Join(values, "\xff")
	s.mu.Lock()
	defer s.mu.Unlock()
	f, known := s.all[name]
	if !known {
		if len(s.all) >= sdkMostNames {
			return nil
		}
		f = sdkFamily{kind: kind, vector: sdkVector(name, kind), series: map[string]any{}}
		s.all[name] = f
	}
	if have := f.series[key]; have != nil || f.kind != kind || len(f.series) >= s.most {
		return have
	}
	switch v := f.vector.(type) {
	case *prometheus.CounterVec:
		f.series[key] = v.WithLabelValues(values...)
	case *prometheus.GaugeVec:
		f.series[key] = v.WithLabelValues(values...)
	case *prometheus.HistogramVec:
		f.series[key] = v.WithLabelValues(values...)
	}
	return f.series[key]
}

func sdkVector(name, kind string) prometheus.Collector {
	const help = "A metric of Temporal's SDK; see https://docs.temporal.io/references/sdk-metrics."
	switch kind {
	case TypeCounter:
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, sdkLabels)
	case TypeHistogram:
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: []float64{.005, .01, .05, .1, .5, 1, 5, 30, 300},
		}, sdkLabels)
	default:
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, sdkLabels)
	}
}

// Describe implements [prometheus.Collector]: nothing is known beforehand.
func (s *sdkFamilies) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (s *sdkFamilies) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	vectors := make([]prometheus.Collector, 0, len(s.all))
	for _, f := range s.all {
		vectors = append(vectors, f.vector)
	}
	s.mu.Unlock()
	for _, v := range vectors {
		v.Collect(out)
	}
}
