package ssf

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answering is a transmitter that answers every poll alike.
type answering struct{ body string }

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

// FuzzPollAnswer asserts that, whatever a transmitter answers, no more events are
// taken than were asked for, and only what was taken is acknowledged.
func FuzzPollAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"sets":{}}`, `{"sets":{"a":"x.y.z","b":7,"":"x"},"moreAvailable":true}`, `{"sets":null}`, `{"sets":{"a":"x","a":"y"}}`, `[`, `{"sets":[]}`,
		`{"sets":{"1":"","2":"","3":"","4":"","5":""}}`, "{\"sets\":{\"\xff\":\"x\"}}", `{"sets":{"` + strings.Repeat("n", 2000) + `":"x"}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var taken atomic.Int64
		s, err := Stream{
			Issuer: "https://tx.example", URL: "https://tx.example/poll", MaxEvents: 3, Wait: time.Minute, Logger: slog.New(slog.DiscardHandler),
			Client: &http.Client{Transport: answering{body}},
			Take:   func(context.Context, Event) error { taken.Add(1); return nil },
		}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		p := &Poller{stream: s, client: s.Client, log: s.Logger, stats: PollStats{Refused: map[string]uint64{}}}
		fresh, err := p.poll(t.Context())
		if n := int(taken.Load()); n > 3 || n != len(p.acks) || fresh != (n > 0) || len(p.acks)+len(p.errs) > 3 {
			t.Fatalf("%q: %d taken, %q acknowledged, %v refused; %v", body, n, p.acks, p.errs, err)
		}
		for _, id := range p.acks {
			if id == "" || len(id) > maxName {
				t.Fatalf("%q: took an event called %q", body, id)
			}
		}
	})
}
