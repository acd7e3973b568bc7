package ssf

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"rescind"
)

// memLog is a log in memory that can fail.
type memLog struct {
	mu      sync.Mutex
	entries map[string]map[uint64][]byte
	failure error
}

func newMemLog() *memLog { return &memLog{entries: map[string]map[uint64][]byte{}} }

func (l *memLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure = err
}

func (l *memLog) Append(entries []LogEntry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil {
		return l.failure
	}
	for _, e := range entries {
		if l.entries[e.Queue] == nil {
			l.entries[e.Queue] = map[uint64][]byte{}
		}
		l.entries[e.Queue][e.Seq] = e.Value
	}
	return nil
}

func (l *memLog) Remove(queue string, seqs []uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seq := range seqs {
		delete(l.entries[queue], seq)
	}
	return l.failure
}

func (l *memLog) Read(queue string, from uint64, yield func(uint64, []byte) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seq := range slices.Sorted(maps.Keys(l.entries[queue])) {
		if seq >= from && !yield(seq, l.entries[queue][seq]) {
			return l.failure
		}
	}
	return l.failure
}

// plain signs nothing: the token is its claims, so that tests can read them.
type plain struct{}

func (plain) SignJWT(typ string, claims any) (string, error) {
	b, err := json.Marshal(claims)
	return fmt.Sprintf("%s.%x", typ, b), err
}

// plainClaims reads what plain has made.
func plainClaims(t testing.TB, raw string) (c setClaims) {
	t.Helper()
	hex, ok := strings.CutPrefix(raw, "secevent+jwt.")
	var b []byte
	if _, err := fmt.Sscanf(hex, "%x", &b); !ok || err != nil || json.Unmarshal(b, &c) != nil {
		t.Fatalf("%q is no event token", raw)
	}
	return c
}

const (
	us  = "https://rescind.example"
	idp = "https://idp.example"
)

// pusher is a fake receiver: answer gets each event.
type pusher struct {
	t      testing.TB
	answer func(n int, c setClaims, r *http.Request) *http.Response

	mu  sync.Mutex
	got []setClaims
	at  []time.Duration
	t0  time.Time
}

func (p *pusher) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.Method != "POST" || r.Header.Get("Content-Type") != "application/secevent+jwt" || r.Header.Get("Accept") != "application/json" {
		p.t.Errorf("%s %v", r.Method, r.Header)
	}
	c := plainClaims(p.t, string(body))
	p.mu.Lock()
	p.got, p.at = append(p.got, c), append(p.at, time.Since(p.t0))
	n := len(p.got)
	p.mu.Unlock()
	if resp := p.answer(n, c, r); resp != nil {
		return resp, nil
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func (p *pusher) all() ([]setClaims, []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got), slices.Clone(p.at)
}

// start runs a transmitter to receivers until it is closed.
func startTransmitter(t testing.TB, log Log, rt http.RoundTripper, change func(*TransmitterConfig), receivers ...Receiver) *Transmitter {
	t.Helper()
	c := TransmitterConfig{Issuer: us, Signer: plain{}, Receivers: receivers, Log: log, Client: &http.Client{Transport: rt}, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	tx, err := NewTransmitter(c)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func pushTo(name string) Receiver {
	return Receiver{Name: name, Audience: "aud-" + name, Push: "https://" + name + ".example/events?key=in-the-url"}
}

func pollBy(name string) Receiver {
	return Receiver{Name: name, Audience: "aud-" + name, SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(name)))}
}

// ended announces the end of a subject's sessions.
func ended(tx *Transmitter, sub string, from Origin) {
	now := time.Now()
	tx.Announce(rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSub, Issuer: idp, ID: sub}},
		rescind.Receipt{IssuedBefore: rescind.MillisOf(now), ExpiresAt: rescind.MillisOf(now.Add(24 * time.Hour))}, from)
}

func accepted() *http.Response { return reply(202, "") }

// poll polls, or fails the test.
func poll(t testing.TB, tx *Transmitter, name, request string) (a struct {
	Sets          map[string]string `json:"sets"`
	MoreAvailable bool              `json:"moreAvailable"`
}) {
	t.Helper()
	body, err := tx.Poll(t.Context(), name, []byte(request))
	if err != nil || json.Unmarshal(body, &a, json.RejectUnknownMembers(true)) != nil {
		t.Fatalf("%s, %v", body, err)
	}
	return a
}

// stuck is a log whose disk does not answer until it is freed.
type stuck struct {
	*memLog
	free chan struct{}
}

func (s stuck) Append(entries []LogEntry) error {
	<-s.free
	return s.memLog.Append(entries)
}
