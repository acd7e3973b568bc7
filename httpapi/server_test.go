package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve runs a hardened server on a loopback port until the test ends.
func serve(t *testing.T, r *rig, change func(*http.Server)) string {
	t.Helper()
	srv := NewServer("", r.api.Handler(), slog.New(slog.NewTextHandler(r.log, nil)))
	if change != nil {
		change(srv)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// net/http lingers for half a second on a connection that it closes early.
	var conns, serving sync.WaitGroup
	srv.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			conns.Add(1)
		case http.StateClosed:
			conns.Done()
		}
	}
	serving.Go(func() { srv.Serve(ln) })
	t.Cleanup(func() {
		srv.Close()
		serving.Wait()
		conns.Wait()
	})
	return ln.Addr().String()
}

// talk sends text and returns all that comes back until the server closes.
func talk(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	// The server may hang up before it has read everything.
	io.WriteString(conn, text)
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func TestServerIsBounded(t *testing.T) {
	srv := NewServer("127.0.0.1:0", http.NotFoundHandler(), nil)
	for name, d := range map[string]time.Duration{"ReadHeaderTimeout": srv.ReadHeaderTimeout, "ReadTimeout": srv.ReadTimeout, "WriteTimeout": srv.WriteTimeout, "IdleTimeout": srv.IdleTimeout} {
		if d <= 0 || d > 3*time.Minute {
			t.Errorf("%s is %v", name, d)
		}
	}
	if srv.WriteTimeout <= maxWait {
		t.Error("the answer to the longest ?timeout= can't be written")
	}
	if srv.MaxHeaderBytes <= 0 || srv.HTTP2.MaxConcurrentStreams <= 0 || srv.ErrorLog == nil {
		t.Errorf("%+v", srv)
	}
}

func TestServerClosesSlowClients(t *testing.T) {
	r := newRig(t)
	addr := serve(t, r, func(s *http.Server) { s.ReadHeaderTimeout = 50 * time.Millisecond })
	if got := talk(t, addr, "GET /v1/check HTTP/1.1\r\nHost: x\r\nX-Slow: "); strings.Contains(got, "200") {
		t.Errorf("unfinished headers got %q", got)
	}
	addr = serve(t, r, func(s *http.Server) { s.ReadTimeout = 2 * time.Second }) // it counts from the connection on
	head := "POST /v1/revocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\nAuthorization: Bearer " + testAdmin + "\r\n\r\n{"
	if got := talk(t, addr, head); !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, "body-timeout") {
		t.Errorf("an unfinished body got %q", got)
	}
}

func TestServerRefusesGiantHeaders(t *testing.T) {
	r := newRig(t)
	addr := serve(t, r, nil)
	got := talk(t, addr, "GET /v1/check HTTP/1.1\r\nHost: x\r\nX-Big: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	if got != "" && !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("got %.80q", got)
	}
}

func TestServerRefusesSmuggledRequests(t *testing.T) {
	r := newRig(t)
	addr := serve(t, r, nil)
	for name, head := range map[string]string{
		"two lengths":         "Content-Length: 1\r\nContent-Length: 2\r\n",
		"length and chunks":   "Content-Length: 1\r\nTransfer-Encoding: chunked, identity\r\n",
		"blank before colon":  "X : y\r\n",
		"compressed transfer": "Transfer-Encoding: gzip\r\n",
	} {
		got := talk(t, addr, "POST /oauth2/revoke HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+head+"\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") && !strings.HasPrefix(got, "HTTP/1.1 501 ") {
			t.Errorf("%s: %.80q", name, got)
		}
	}
}

// The body of a check may be the client's upload of gigabytes: the answer must
// come without it.
func TestServerAnswersACheckBeforeItsBody(t *testing.T) {
	r := newRig(t)
	addr := serve(t, r, nil)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "PUT /v1/check/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\nAuthorization: Bearer %s\r\n\r\n", access(t))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Auth-Subject") != "alice" {
		t.Errorf("%v", resp)
	}
}

func TestServerSendsNoBodyToHead(t *testing.T) {
	r := newRig(t)
	addr := serve(t, r, nil)
	got := talk(t, addr, "HEAD /v1/check HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 401 ") || !strings.HasSuffix(got, "\r\n\r\n") {
		t.Errorf("got %q", got)
	}
}
