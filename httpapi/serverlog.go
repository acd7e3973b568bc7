package httpapi

import (
	"bytes"
	"log"
	"log/slog"
	"sync/atomic"
	"time"

	"rescind/internal/admission"
)

// serverLog is where net/http writes what is wrong with connections. Strangers cause
// that: each kind is a line a second at most, and counted.
type serverLog struct {
	log        *slog.Logger
	handshakes *atomic.Uint64 // TLS handshakes that failed

	handshakeSaid, otherSaid admission.Seldom
}

// serverLogEvery is how often each kind is said, at most.
const serverLogEvery = time.Second

func newServerLog(l *slog.Logger, handshakes *atomic.Uint64) *log.Logger {
	return log.New(&serverLog{
		log: l, handshakes: handshakes,
		handshakeSaid: admission.Seldom{Period: serverLogEvery}, otherSaid: admission.Seldom{Period: serverLogEvery},
	}, "", 0)
}

// maxServerLine bounds a line: it may quote a client.
const maxServerLine = 512

// Write is called with one line at a time.
func (s *serverLog) Write(line []byte) (int, error) {
	n, said := len(line), &s.otherSaid
	if bytes.Contains(line, []byte("TLS handshake error")) {
		s.handshakes.Add(1)
		said = &s.handshakeSaid
	}
	if muted, ok := said.Allow(time.Now()); ok {
		line = bytes.TrimSpace(line[:min(n, maxServerLine)])
		s.log.Warn(string(line), "muted", muted)
	}
	return n, nil
}
