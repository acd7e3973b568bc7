package dashboard

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rescind/cluster"
)

// streamOf opens the stream of a browser that has signed in.
func streamOf(t *testing.T, server *httptest.Server, cookie string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+livePath, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func signedIn(d *Dashboard, server *httptest.Server) (cookie string, id string) {
	id = d.sessions.open(operator("o"), time.Now())
	return "rescind-" + server.URL[strings.LastIndexByte(server.URL, ':')+1:] + "=" + id, id
}

// fragmentsOf reads the fragments of a stream until one called name holds want,
// and returns the names before it.
func readUntil(t *testing.T, lines *bufio.Scanner, name, want string) (before []string) {
	t.Helper()
	current := ""
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "event: fragment":
			lines.Scan()
			current = strings.TrimPrefix(lines.Text(), "data: ")
			before = append(before, current)
		case current == name && strings.Contains(line, want):
			return before
		}
	}
	t.Fatalf("the stream ends before %s holds %q: %v", name, want, lines.Err())
	return nil
}

func TestStreamSendsWhatHasChanged(t *testing.T) {
	n := newFakeNode()
	drained, drain := context.WithCancel(t.Context())
	defer drain()
	d := newDashboard(t, n, drained)
	server := httptest.NewServer(d)
	defer server.Close()
	cookie, id := signedIn(d, server)
	resp := streamOf(t, server, cookie)
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("%d, %s", resp.StatusCode, got)
	}
	lines := bufio.NewScanner(resp.Body)
	if first := readUntil(t, lines, "live-events", "Nothing has happened"); len(first) != len(fragments) {
		t.Errorf("at first it sends %v; want all", first)
	}
	n.change(func(st *cluster.Status) { st.Members = []cluster.Member{{Name: "node-b", State: cluster.MemberSilent}} })
	for _, name := range readUntil(t, lines, "live-members", "node-b") {
		if name == "live-carriers" {
			t.Error("it sends what has not changed")
		}
	}
	d.sessions.close(id)
	for lines.Scan() {
		if lines.Text() == "event: end" {
			return
		}
	}
	t.Error("the stream goes on, or says nothing, when the session has ended")
}

// TestStreamOfHostileNames: a carriage return ends a line of server-sent events, too.
func TestStreamOfHostileNames(t *testing.T) {
	n := newFakeNode()
	n.status.Members = []cluster.Member{{Name: "x\revent: end\r\ndata: y\r\rz", State: cluster.MemberAlive}}
	d := newDashboard(t, n, t.Context())
	for i, part := range d.render(time.Now()) {
		out := httptest.NewRecorder()
		if s := (stream{w: out}); !s.send(fragment(fragments[i], part)) {
			t.Fatal("it is not sent")
		}
		for line := range strings.FieldsFuncSeq(out.Body.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
			if line != "event: fragment" && !strings.HasPrefix(line, "data: ") {
				t.Errorf("%s has a line of its own: %q", fragments[i], line)
			}
		}
	}
}

func TestStreamsEndWithTheNodeAndAreBounded(t *testing.T) {
	drained, drain := context.WithCancel(t.Context())
	d := newDashboard(t, newFakeNode(), drained)
	server := httptest.NewServer(d)
	defer server.Close()
	cookie, _ := signedIn(d, server)
	var open []*http.Response
	for range maxStreams {
		resp := streamOf(t, server, cookie)
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		open = append(open, resp)
	}
	if resp := streamOf(t, server, cookie); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more is answered by %s", resp.Status)
	}
	drain()
	for _, resp := range open {
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
		}
		if err := lines.Err(); err != nil {
			t.Errorf("a stream ends with %v", err)
		}
	}
}

// TestRunEnds with its context, and has looked by then.
func TestRunEnds(t *testing.T) {
	n := newFakeNode()
	d := newDashboard(t, n, t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	<-n.watched
	cancel()
	<-done
	if len(d.history.samples) == 0 {
		t.Error("no sample was taken")
	}
}
