package httpapi

import (
	"net/http"

	"rescind/cluster"
	"rescind/internal/problem"
)

// Drain makes /readyz answer 503 from now on, so that load balancers send
// requests elsewhere before the server closes, and ends streams of events.
// Everything else goes on working.
func (a *API) Drain() {
	a.draining.Store(true)
	a.drain()
}

// healthz says that the process answers. It does not ask the node: an
// orchestrator must not restart a node because its peers are away.
func (a *API) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
}

type readiness struct {
	Ready       bool     `json:"ready"`
	Reasons     []string `json:"reasons"` // why not, or what else an operator should know
	StalenessMS *float64 `json:"staleness_ms"`
}

func (a *API) readyz(w http.ResponseWriter, _ *http.Request) {
	ready := a.readiness()
	status := http.StatusOK
	if !ready.Ready {
		status = http.StatusServiceUnavailable
		problem.NotReady.SetRetry(w.Header())
	}
	writeJSON(w, status, ready)
}

// Ready reports whether /readyz answers 200.
func (a *API) Ready() bool { return a.readiness().Ready }

func (a *API) readiness() readiness {
	st := a.cfg.Node.Status()
	ready := readiness{
		Ready:       st.Ready,
		Reasons:     cluster.Words(st.Reasons),
		StalenessMS: millisOrNull(st.Staleness.Bound, st.Staleness.Known),
	}
	if a.draining.Load() {
		ready.Ready = false
		ready.Reasons = append([]string{"draining"}, ready.Reasons...)
	}
	return ready
}
