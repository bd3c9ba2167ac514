package feedserver

import (
	"context"
	"net/http"
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
	if fromHere(r) {
		asJSON(code, out).send(w, r)
		return
	}
	asJSON(code, map[string]string{"status": out.Status}).send(w, r)
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
