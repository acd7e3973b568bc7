package httpapi

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestAttackHandshakes: bad TLS handshakes, as many as a client likes, are a line a
// second and a counter. Each used to be a line: 66 GB a day by one client.
func TestAttackHandshakes(t *testing.T) {
	r := newRig(t)
	out := &lockedLog{}
	r.api.log = slog.New(slog.NewTextHandler(out, nil))
	front := httptest.NewUnstartedServer(http.NotFoundHandler())
	front.Config = r.api.NewServer("", http.NotFoundHandler())
	front.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	front.StartTLS()
	defer front.Close()
	const many = 500
	start := time.Now()
	for range many {
		conn, err := net.Dial("tcp", front.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	eventually := time.Now().Add(10 * time.Second)
	for r.api.metrics.handshakes.Load() < many && time.Now().Before(eventually) {
		time.Sleep(time.Millisecond)
	}
	lines := strings.Count(out.String(), "TLS handshake error")
	if most := int(time.Since(start)/serverLogEvery) + 1; lines == 0 || lines > most {
		t.Errorf("%d lines in %v", lines, time.Since(start))
	}
	if page := scrape(t, r); !strings.Contains(page, "rescind_tls_handshake_errors_total 500\n") {
		t.Errorf("the metric says %d of %d", r.api.metrics.handshakes.Load(), many)
	}
}
