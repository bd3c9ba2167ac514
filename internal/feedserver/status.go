package feedserver

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// statusAnswer is the answer of /_status. Who asks from elsewhere gets Status
// alone.
type statusAnswer struct {
	Status        string   `json:"status"` // pong or fail
	Capture       string   `json:"capture,omitempty"`
	Epoch         string   `json:"epoch,omitempty"`
	Organizations int      `json:"organizations"`
	Writes        bool     `json:"writes"` // this process looks at the database, not another one
	LagSeconds    float64  `json:"lag_seconds"`
	Problems      []string `json:"problems"`
}

// status answers anybody whether the feed works, and this host how.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		fail(http.StatusMethodNotAllowed, "only GET is answered").send(w, r)
		return
	}
	if !fromHere(r) {
		code, word := s.others.status(r.Context(), s.opts.Log)
		asJSON(code, map[string]string{"status": word}).send(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), statusTime)
	defer cancel()
	code, out := http.StatusOK, statusAnswer{Status: "pong", Problems: []string{}}
	st, err := s.opts.Log.Status(ctx)
	if err != nil {
		code, out.Status = http.StatusServiceUnavailable, "fail"
		out.Problems = append(out.Problems, err.Error())
	} else {
		out.Capture, out.Epoch, out.Organizations = string(st.Capture), st.Epoch, len(st.Organizations)
		out.Writes, out.LagSeconds = st.Writes, st.Lag.Seconds()
		out.Problems = append(out.Problems, st.Problems...)
	}
	asJSON(code, out).send(w, r)
}

// statusAge is how long others are told the same.
const statusAge = time.Second

// othersStatus is what others are told, whoever they are: however many ask, the
// database is looked at once in a while.
type othersStatus struct {
	mu   sync.Mutex
	at   time.Time
	code int
	word string
}

// status returns whether the log works, and the word for it.
func (o *othersStatus) status(ctx context.Context, log Log) (code int, word string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.at) < statusAge {
		return o.code, o.word
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusTime) // the answer is for others, too
	defer cancel()
	o.code, o.word = http.StatusOK, "pong"
	if _, err := log.Status(ctx); err != nil {
		o.code, o.word = http.StatusServiceUnavailable, "fail"
	}
	o.at = time.Now()
	return o.code, o.word
}

// serveMetrics answers Prometheus on this host: the names of organizations and
// users are in the answer.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if !fromHere(r) {
		fail(http.StatusForbidden, "metrics are for this host only").send(w, r)
		return
	}
	s.metrics.handler.ServeHTTP(w, r)
}
