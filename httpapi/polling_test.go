package httpapi

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"rescind"
	"rescind/httpapi/ssf"
)

// polled is a transmitter that is polled over HTTP: it offers its events until
// they are acknowledged or refused.
type polled struct {
	t      testing.TB
	server *httptest.Server

	mu     sync.Mutex
	sets   map[string]string
	errs   map[string]ssf.Refusal
	acked  []string
	change chan struct{} // holds one notice of a change
}

func newPolled(t testing.TB) *polled {
	p := &polled{t: t, sets: map[string]string{}, errs: map[string]ssf.Refusal{}, change: make(chan struct{}, 1)}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *polled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var poll struct {
		Ack     []string               `json:"ack"`
		SetErrs map[string]ssf.Refusal `json:"setErrs"`
	}
	if r.Header.Get("Authorization") != "Bearer poll-secret" || json.UnmarshalRead(r.Body, &poll) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range poll.Ack {
		delete(p.sets, id)
		p.acked = append(p.acked, id)
	}
	for id, why := range poll.SetErrs {
		delete(p.sets, id)
		p.errs[id] = why
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.MarshalWrite(w, map[string]any{"sets": p.sets}); err != nil {
		p.t.Error(err)
	}
	select {
	case p.change <- struct{}{}:
	default:
	}
}

func (p *polled) offer(id, raw string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sets[id] = raw
}

// emptied waits until every event is acknowledged or refused, and returns both.
func (p *polled) emptied() (acked []string, errs map[string]ssf.Refusal) {
	p.t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		p.mu.Lock()
		if len(p.sets) == 0 {
			defer p.mu.Unlock()
			return slices.Clone(p.acked), maps.Clone(p.errs)
		}
		p.mu.Unlock()
		select {
		case <-p.change:
		case <-deadline:
			p.t.Fatal("the events were not taken in time")
		}
	}
}

// poll has r poll p until the test ends.
func (r *rig) poll(p *polled) *ssf.Poller {
	r.t.Helper()
	poller, err := ssf.StartPoller(ssf.Stream{
		Issuer: testIssuer, URL: p.server.URL + "/poll", Take: r.api.TakeEvent, Logger: r.api.log,
		Token: func() (string, error) { return "poll-secret", nil },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(poller.Close)
	return poller
}

// TestPolledEventsEndSessions, with what a transmitter may send beside them.
func TestPolledEventsEndSessions(t *testing.T) {
	r, p := eventRig(t), newPolled(t)
	raw := func(id string, c jwt.MapClaims) string { c["jti"] = id; return sign(t, "secevent+jwt", c) }
	good := raw("forged", event(disabled, bySub))
	p.offer("session", raw("session", event(sessionRevoked, object{"format": "complex", "session": object{"format": "opaque", "id": "session-7"}})))
	p.offer("subject", raw("subject", event(disabled, bySub)))
	p.offer("verification", raw("verification", event(verification, nil, "events", object{verification: object{"state": "s"}})))
	p.offer("unknown", raw("unknown", event("https://example.com/other", bySub)))
	for id, c := range map[string]struct{ raw, code string }{
		"forged":  {good[:len(good)-6] + "AAAAAA", "invalid_key"},
		"aud":     {raw("aud", event(disabled, bySub, "aud", "other")), "invalid_audience"},
		"iss":     {raw("iss", event(disabled, bySub, "iss", "https://other.example")), "invalid_issuer"},
		"name":    {raw("another", event(disabled, bySub)), "invalid_request"},
		"access":  {access(t, "jti", "access", "aud", receiver), "invalid_request"},
		"foreign": {raw("foreign", event(disabled, object{"format": "iss_sub", "iss": "https://other.example", "sub": "bob"})), "invalid_request"},
		"garbage": {"x", "invalid_request"},
		"long":    {strings.Repeat("x", 60_000), "invalid_request"},
	} {
		p.offer(id, c.raw)
		defer func() {
			if got := p.errs[id]; got.Code != c.code || got.Description == "" {
				t.Errorf("%s: %+v, want %s", id, got, c.code)
			}
		}()
	}
	poller := r.poll(p)
	acked, errs := p.emptied()
	if slices.Sort(acked); !slices.Equal(acked, []string{"session", "subject", "unknown", "verification"}) || len(errs) != 8 {
		t.Errorf("acknowledged %q, refused %v", acked, errs)
	}
	poller.Close()
	var got []string
	for _, c := range r.node.all() {
		got = append(got, c.rev.Scope.String()+" "+c.rev.Issuer+" "+c.rev.ID)
	}
	if slices.Sort(got); !slices.Equal(got, []string{"sid " + testIssuer + " session-7", "sub " + testIssuer + " alice"}) {
		t.Errorf("revoked %q", got)
	}
	for _, secret := range []string{"poll-secret", "alice", "session-7", good} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if log := r.log.String(); strings.Count(log, `"endpoint":"poll"`) != 2 || !strings.Contains(log, `"remote":"`+testIssuer) {
		t.Errorf("the audit log says\n%s", log)
	}
}

// TestPolledEventsThatCannotBeKept stay with the transmitter until the node takes
// them.
func TestPolledEventsThatCannotBeKept(t *testing.T) {
	r, p := eventRig(t), newPolled(t)
	r.node.err = rescind.ErrFull
	p.offer("event-1", sign(t, "secevent+jwt", event(disabled, bySub)))
	poller := r.poll(p)
	for deadline := time.Now().Add(20 * time.Second); poller.Stats().Kept == 0; {
		if time.Now().After(deadline) {
			t.Fatal("never tried")
		}
		<-p.change
	}
	if p.mu.Lock(); len(p.sets) != 1 {
		t.Error("the event has gone, though nothing is revoked")
	}
	p.mu.Unlock()
	poller.Close() // as in a restart
	r.node.err = nil
	r.poll(p)
	if acked, errs := p.emptied(); len(acked) != 1 || len(errs) != 0 {
		t.Errorf("acknowledged %q, refused %v", acked, errs)
	}
	wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusUnauthorized)
}

// TestEventsMayNameOthersWhereConfigured: a transmitter that is not the issuer of
// the tokens.
func TestEventsMayNameOthersWhereConfigured(t *testing.T) {
	const other = "https://other.example"
	session := object{"format": "opaque", "id": "s"}
	about := []object{
		{"format": "iss_sub", "iss": other, "sub": "bob"},
		{"format": "complex", "session": session, "user": object{"format": "iss_sub", "iss": other, "sub": "bob"}},
		{"format": "complex", "session": session, "tenant": object{"format": "uri", "uri": other}},
	}
	r := newRig(t, func(c *Config) {
		c.EventAudience, c.EventSubjects = map[string][]string{testIssuer: {receiver}}, map[string][]string{testIssuer: {other}}
	})
	for _, subject := range about {
		wantStatus(t, r.pushed(event(sessionRevoked, subject)), http.StatusAccepted)
		wantStatus(t, eventRig(t).pushed(event(sessionRevoked, subject)), http.StatusBadRequest)
	}
	for _, c := range r.node.all() {
		if c.rev.Issuer != other {
			t.Errorf("revoked for %s", c.rev.Issuer)
		}
	}
}

func TestPollMetrics(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.EventPolls = func() []ssf.PollStats {
			return []ssf.PollStats{
				{Issuer: "https://a", Polls: 3, Failed: 2, Taken: 5, Kept: 1, Refused: map[string]uint64{"invalid_key": 4}, Last: time.Now().Add(-time.Hour)},
				{Issuer: "https://b"},
			}
		}
	})
	body := scrape(t, r)
	wantLines(t, body, `rescind_event_polls_total{transmitter="https://a"} 3`, `rescind_event_poll_failures_total{transmitter="https://a"} 2`,
		`rescind_events_polled_total{result="taken",transmitter="https://a"} 5`, `rescind_events_polled_total{result="kept",transmitter="https://a"} 1`,
		`rescind_events_polled_total{result="invalid_key",transmitter="https://a"} 4`, `rescind_events_polled_total{result="access_denied",transmitter="https://a"} 0`,
		`rescind_event_poll_age_seconds{transmitter="https://b"} +Inf`)
	if !strings.Contains(body, `rescind_event_poll_age_seconds{transmitter="https://a"} 3600`) {
		t.Error(body)
	}
}
