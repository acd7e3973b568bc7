package jwks

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/token/internal/fetch"
)

const (
	// RefreshEvery bounds for how long a key that the issuer has withdrawn is
	// still trusted. It varies by a tenth, so that nodes started together don't
	// ask together.
	RefreshEvery = 10 * time.Minute

	// refreshGap is the least time from a good fetch to the next, whatever kids
	// tokens name: a flood of unknown ones costs the issuer nothing.
	refreshGap = 10 * time.Second
)

var keySetDocument = fetch.Document{Name: "the key set", Accept: "application/jwk-set+json, application/json", MaxBytes: MaxBytes}

// Remote keeps a key set up to date from a URL. Readers load good; only run
// stores it, and never nil: the last good set stays.
type Remote struct {
	url    string
	client *http.Client
	leeway time.Duration
	now    func() time.Time
	log    *slog.Logger

	good atomic.Pointer[Set]

	// asOf is when the fetch of good began, in milliseconds on now. It is stored
	// after good, so that it never claims too much.
	asOf   atomic.Int64
	failed atomic.Uint64 // fetches without a good set

	wanted chan struct{} // holds one request to refresh

	ctx     context.Context // of run
	stop    context.CancelFunc
	started bool // guarded by Verifier.mu
}

// RemoteConfig says how key sets are fetched.
type RemoteConfig struct {
	Client *http.Client     // nil: one of its own
	Leeway time.Duration    // by which clocks may differ
	Now    func() time.Time // required
	Logger *slog.Logger     // required
}

func NewRemote(rawURL string, c RemoteConfig) (*Remote, error) {
	if err := fetch.CheckURL(rawURL); err != nil {
		return nil, err
	}
	r := &Remote{
		url:    rawURL,
		client: fetch.Client(c.Client),
		leeway: c.Leeway,
		now:    c.Now,
		log:    c.Logger.With("jwks-url", fetch.Redact(rawURL)),
		wanted: make(chan struct{}, 1),
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r, nil
}

// URL is where the set comes from.
func (r *Remote) URL() string { return r.url }

// Set returns the last good set, or nil if none has been had yet.
func (r *Remote) Set() *Set { return r.good.Load() }

// AsOf is when the fetch of the set began; it means nothing before there is one.
func (r *Remote) AsOf() time.Time { return time.UnixMilli(r.asOf.Load()) }

// Failed is how many fetches brought no good set.
func (r *Remote) Failed() uint64 { return r.failed.Load() }

// Start runs the loop, once, until stop is called.
func (r *Remote) Start(running *sync.WaitGroup) {
	if r.started {
		return
	}
	r.started = true
	running.Go(func() {
		r.run(r.ctx)
		r.client.CloseIdleConnections()
	})
}

// Halt ends the loop.
func (r *Remote) Halt() { r.stop() }

// Outdated reports whether the set may lack the key of a token that claims to
// have been issued at this instant, and asks for a refresh. iat is in whole
// seconds, and clocks differ by the leeway.
func (r *Remote) Outdated(issued rescind.Millis) bool {
	select {
	case r.wanted <- struct{}{}:
	default:
	}
	asOf := rescind.Millis(r.asOf.Load())
	if issued == 0 {
		return asOf.Add(refreshGap) < rescind.MillisOf(r.now())
	}
	return asOf < issued.Add(time.Second+r.leeway)
}

// run fetches the set at once and then as often as needed, until ctx ends.
func (r *Remote) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		err := r.fetch(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			r.failed.Add(1)
			r.log.Warn("can't fetch the issuer's keys; the last good set stays in use",
				"err", err, "failures", failures, "have-keys", r.good.Load() != nil)
		case failures > 0:
			r.log.Info("the issuer's keys can be fetched again", "failures", failures)
			failures = 0
		}
		r.wait(ctx, failures)
	}
}

// fetch replaces the set if the source serves a good one.
func (r *Remote) fetch(ctx context.Context) error {
	began := r.now()
	body, err := fetch.Download(ctx, r.client, r.url, keySetDocument)
	if err != nil {
		return err
	}
	set, err := Parse(body, true)
	if err != nil {
		return err
	}
	if old := r.good.Load(); old == nil || !old.Equal(set) {
		r.good.Store(set)
	}
	r.asOf.Store(began.UnixMilli())
	return nil
}

// wait returns when the next fetch is due: after RefreshEvery, or refreshGap if
// a token named an unknown kid, or the back-off after failures.
func (r *Remote) wait(ctx context.Context, failures int) {
	if failures > 0 {
		fetch.Pause(ctx, fetch.Backoff(failures), nil)
		return
	}
	fetch.Pause(ctx, refreshGap, nil)
	fetch.Pause(ctx, fetch.Jitter(RefreshEvery)-refreshGap, r.wanted)
}
