package httpapi

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are this API's own: a registry of its own keeps an embedder's global
// one clean, and lets two nodes live in one process.
type metrics struct {
	handler      http.Handler
	checks       [numResults]prometheus.Counter // by result, so that a check looks up no label
	checkSeconds prometheus.Histogram
	adminRefused prometheus.Counter
	handshakes   atomic.Uint64 // TLS handshakes that failed
	registry     *prometheus.Registry
}

// checkSample is how many checks there are to one whose time is taken, so that
// the others pay for neither clock nor histogram.
const checkSample = 1024

// checkBounds are the buckets of the time of a check, in seconds: from a token
// that comes again to one that waits for a version.
var checkBounds = []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 1e-1, 1}

// result is the outcome of one check as it is counted.
type result uint8

const (
	resultValid     result = iota
	resultRevoked          // 401
	resultExpired          // 401
	resultInvalid          // 401: forged, malformed, of another issuer or audience
	resultScope            // 403: it lacks a scope, or is not of the issuer, that the route requires
	resultMissing          // 401: no bearer token, or more than one
	resultStale            // 503 by the operator's policy, or the request's own bound
	resultBehind           // 503: the version that the request presents is not here
	resultMalformed        // 400: a Rescind header or a parameter of the request can't be read
	resultUnknown          // 503: the node or its keys are not there yet
	numResults
)

var resultNames = [numResults]string{"valid", "revoked", "expired", "invalid", "scope", "missing", "stale", "behind", "malformed", "unknown"}

// newMetrics registers everything that /metrics shows.
func newMetrics(cfg Config, draining func() bool, limits *limitsStats) *metrics {
	reg := prometheus.NewRegistry()
	m := &metrics{
		registry: reg,
		adminRefused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rescind_admin_refused_total",
			Help: "Requests to admin endpoints without the admin token.",
		}),
		checkSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "rescind_check_seconds",
			Help:    "Time to judge a token, of one check in 1,024.",
			Buckets: checkBounds,
		}),
	}
	checks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rescind_checks_total",
		Help: "Answers of /v1/check by result.",
	}, []string{"result"})
	for i, name := range resultNames {
		m.checks[i] = checks.WithLabelValues(name)
	}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "rescind_build_info",
		Help: "Always 1; the labels say what runs here.",
	}, []string{"version", "goversion"})
	info.WithLabelValues(labelValue(cfg.Version), runtime.Version()).Set(1)
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		checks, info, m.adminRefused, m.checkSeconds,
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "rescind_tls_handshake_errors_total",
			Help: "TLS handshakes with clients that failed; the log has a line a second of them at most.",
		}, func() float64 { return float64(m.handshakes.Load()) }),
		certificateCollector{cfg.Certificates},
		&statusCollector{node: cfg.Node, draining: draining},
		settingsCollector{cfg.Settings},
		limitCollector{cfg.Node, limits, cfg.Rooms},
		&tokenCollector{verifier: cfg.Verifier, issued: cfg.Issued},
		&pollCollector{cfg.EventPolls},
		&transmitCollector{cfg.Transmitter},
	)
	m.handler = promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelError),

		// One series that can't be made must not hide the others.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 8,
	})
	return m
}

// sampled reports whether the time of this check is to be taken.
func (m *metrics) sampled() bool { return rand.Uint32()%checkSample == 0 }

func (m *metrics) serve(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

func (m *metrics) count(r result) { m.checks[r].Inc() }
