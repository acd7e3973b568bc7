package httpapi

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// NewServer returns a server for h, usually [API.Handler], whose bounds keep a
// slow or greedy client from holding connections and memory. Its own messages
// go to logger; nil means slog.Default().
//
// WriteTimeout leaves a revocation the longest wait that ?timeout= allows; a
// handler that streams longer must move its own deadline
// ([http.ResponseController]).
func NewServer(addr string, h http.Handler, logger *slog.Logger) *http.Server {
	return newServer(addr, h, logger, new(atomic.Uint64))
}

// NewServer is the function of that name for this API: its metrics count the TLS
// handshakes that fail.
func (a *API) NewServer(addr string, h http.Handler) *http.Server {
	return newServer(addr, h, a.log, &a.metrics.handshakes)
}

func newServer(addr string, h http.Handler, logger *slog.Logger, handshakes *atomic.Uint64) *http.Server {
	if logger == nil {
		logger = slog.Default()
	}
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      maxWait + 30*time.Second,
		IdleTimeout:       2 * time.Minute,

		// A token has up to 8 KiB, and a proxy that asks for each request adds
		// the user's cookies.
		MaxHeaderBytes: 32 << 10,

		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 128,
			MaxReadFrameSize:     16 << 10,

			// What comes before a handler reads it. No body is longer but those in
			// bulk and backups, which are read as they come.
			MaxReceiveBufferPerStream:     64 << 10,
			MaxReceiveBufferPerConnection: 128 << 10,

			SendPingTimeout: 30 * time.Second,
			PingTimeout:     15 * time.Second,
		},
		ErrorLog: newServerLog(logger, handshakes),
	}
}
