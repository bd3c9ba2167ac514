package feedserver

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxPollers bounds how many pollers, and organizations, have a metric of their
// own.
const maxPollers = 500

// statusTime bounds how long the log may take to say how it is.
const statusTime = 5 * time.Second

// metrics are what /metrics shows.
type metrics struct {
	handler  http.Handler
	requests *prometheus.CounterVec
	held     prometheus.Gauge
	cursor   *prometheus.GaugeVec
	polledAt *prometheus.GaugeVec

	mu      sync.Mutex
	pollers map[[2]string]bool
}

func newMetrics(log Log) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chef_sync_feed_requests_total", Help: "Requests for changes, by the status of the answer; 410 sends a follower to compare everything.",
		}, []string{"code"}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "chef_sync_feed_held_requests", Help: "Requests that wait for a change.",
		}),
		cursor: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chef_sync_feed_poller_cursor", Help: "The change number after which a poller last asked.",
		}, []string{"org", "user"}),
		polledAt: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chef_sync_feed_poller_timestamp_seconds", Help: "When a poller last asked.",
		}, []string{"org", "user"}),
		pollers: map[[2]string]bool{},
	}
	r := prometheus.NewRegistry()
	r.MustRegister(m.requests, m.held, m.cursor, m.polledAt, newLogCollector(log))
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{})
	return m
}

// answered counts an answer.
func (m *metrics) answered(status int) { m.requests.WithLabelValues(strconv.Itoa(status)).Inc() }

// polled notes where a poller is. Who gets here is a user that is allowed, of an
// organization that there is.
func (m *metrics) polled(org, user string, seq int64) {
	id := [2]string{org, user}
	m.mu.Lock()
	known := m.pollers[id]
	if !known && len(m.pollers) < maxPollers {
		m.pollers[id], known = true, true
	}
	m.mu.Unlock()
	if known {
		m.cursor.WithLabelValues(org, user).Set(float64(seq))
		m.polledAt.WithLabelValues(org, user).SetToCurrentTime()
	}
}

// logCollector asks the log how it is when somebody wants to know.
type logCollector struct {
	log                                            Log
	up, head, lag, pass, capture, outbox, problems *prometheus.Desc
}

func newLogCollector(log Log) *logCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("chef_sync_feed_"+name, help, labels, nil)
	}
	return &logCollector{
		log:      log,
		up:       desc("log_up", "1 if the change log can be read."),
		head:     desc("log_head", "The highest change number of an organization.", "org"),
		lag:      desc("log_lag_seconds", "How old a change may be and not be in the log yet."),
		pass:     desc("log_pass_seconds", "How long the last look at the database took."),
		capture:  desc("log_capture", "1 for the way in which changes are noticed.", "capture"),
		outbox:   desc("log_outbox", "Changes that triggers have seen and that have no number yet."),
		problems: desc("log_problems", "How many problems /_status tells of."),
	}
}

// Describe implements [prometheus.Collector].
func (c *logCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.head, c.lag, c.pass, c.capture, c.outbox, c.problems} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *logCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), statusTime)
	defer cancel()
	s, err := c.log.Status(ctx)
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if err != nil {
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	for _, o := range s.Organizations[:min(len(s.Organizations), maxPollers)] {
		gauge(c.head, float64(o.Head), o.Name)
	}
	if s.Writes {
		gauge(c.lag, s.Lag.Seconds())
		gauge(c.pass, s.PassTook.Seconds())
	}
	gauge(c.capture, 1, string(s.Capture))
	gauge(c.outbox, float64(s.Outbox))
	gauge(c.problems, float64(len(s.Problems)))
}
