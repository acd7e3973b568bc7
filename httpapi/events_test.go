package httpapi

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/cluster"
)

func TestEvents(t *testing.T) {
	r := newRig(t)
	server := httptest.NewServer(r.api.Handler())
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testAdmin)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream" {
		t.Fatalf("status %d, Content-Type %s", resp.StatusCode, got)
	}
	at := time.Unix(1_800_000_000, 0)
	record := rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeSub, 1, 0), IssuedBefore: rescind.MillisOf(at), ExpiresAt: rescind.MillisOf(at.Add(time.Hour))}
	r.node.events <- cluster.Event{Kind: cluster.EventRevoked, At: at, Record: record, Here: true}
	r.node.events <- cluster.Event{Kind: cluster.EventMember, At: at, Member: "b", State: cluster.MemberSilent, Lost: 3}
	lines := bufio.NewScanner(resp.Body)
	for _, want := range []string{
		": subscribed", "",
		"event: revoked",
		`data: {"at":"2027-01-15T08:00:00Z","scope":"sub","digest":"` + record.Digest.String() + `","issued_before":"2027-01-15T08:00:00Z","expires_at":"2027-01-15T09:00:00Z","here":true}`, "",
		"event: member",
		`data: {"at":"2027-01-15T08:00:00Z","member":"b","state":"silent","lost":3}`, "",
	} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
	}
	r.api.Drain()
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), ":") && lines.Text() != "" {
			t.Errorf("after the end: %q", lines.Text())
		}
	}
	if lines.Err() != nil {
		t.Errorf("the stream breaks off: %v", lines.Err())
	}
	if got := r.do("GET", "/v1/events", "", "", "").Code; got != http.StatusUnauthorized {
		t.Errorf("without a token: %d", got)
	}
}
