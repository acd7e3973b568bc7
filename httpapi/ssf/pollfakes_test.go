package ssf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
)

// transmitter is a fake one behind a round tripper: answer gets the n-th poll,
// from 1, and the time since the first.
type transmitter struct {
	t      *testing.T
	answer func(n int, r *http.Request, poll pollRequest) *http.Response

	mu    sync.Mutex
	began time.Time
	polls []pollRequest
	at    []time.Duration
}

func (f *transmitter) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var poll pollRequest
	if err := json.Unmarshal(body, &poll, json.RejectUnknownMembers(true)); err != nil {
		f.t.Errorf("poll %s: %v", body, err)
	}
	if r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept") != "application/json" {
		f.t.Errorf("%s %v", r.Method, r.Header)
	}
	f.mu.Lock()
	f.polls, f.at = append(f.polls, poll), append(f.at, time.Since(f.began))
	n := len(f.polls)
	f.mu.Unlock()
	if resp := f.answer(n, r, poll); resp != nil {
		return resp, nil
	}
	<-r.Context().Done() // a poll that is kept open
	return nil, r.Context().Err()
}

// seen returns the polls so far.
func (f *transmitter) seen() ([]pollRequest, []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.polls), slices.Clone(f.at)
}

func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// sets is an answer with these events, each of which is its own name.
func sets(ids ...string) *http.Response {
	all := map[string]string{}
	for _, id := range ids {
		all[id] = "raw " + id
	}
	body, _ := json.Marshal(map[string]any{"sets": all})
	return reply(200, string(body))
}

// taker counts what it is given and fails as it is told.
type taker struct {
	mu    sync.Mutex
	taken []string
	fails map[string]error
}

func (k *taker) take(_ context.Context, e Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.taken = append(k.taken, e.ID)
	if e.Raw != "raw "+e.ID || e.Issuer != "https://tx.example" {
		return fmt.Errorf("event %+v", e)
	}
	return k.fails[e.ID]
}

// fail makes take return err for the event called id.
func (k *taker) fail(id string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fails[id] = err
}

func (k *taker) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(slices.Values(k.taken))
}

// polling runs test with a poller of a fake transmitter, in virtual time.
func polling(t *testing.T, answer func(n int, r *http.Request, poll pollRequest) *http.Response, test func(p *Poller, f *transmitter, k *taker), change ...func(*Stream)) {
	synctest.Test(t, func(t *testing.T) {
		f := &transmitter{t: t, answer: answer, began: time.Now()}
		k := &taker{fails: map[string]error{
			rfcOne: &Refusal{"authentication_failed", "The SET could not be authenticated"},
			"full": errors.New("the node is full"), "bad": &Refusal{"invalid_key", "who?"},
		}}
		s := Stream{
			Issuer: "https://tx.example", URL: "https://tx.example/poll?secret=in-the-url", Take: k.take,
			Client: &http.Client{Transport: f}, Logger: slog.New(slog.DiscardHandler),
		}
		for _, c := range change {
			c(&s)
		}
		p, err := StartPoller(s)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		test(p, f, k)
	})
}

func wantAcks(t *testing.T, poll pollRequest, ids ...string) {
	t.Helper()
	if !slices.Equal(slices.Sorted(slices.Values(poll.Ack)), ids) {
		t.Errorf("acknowledged %q, want %q", poll.Ack, ids)
	}
}
