package token

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
)

const (
	// refreshEvery bounds for how long a key that the issuer has withdrawn is
	// still trusted. It varies by a tenth, so that nodes started together don't
	// ask together.
	refreshEvery = 10 * time.Minute

	// refreshGap is the least time from a good fetch to the next, whatever kids
	// tokens name: a flood of unknown ones costs the issuer nothing.
	refreshGap = 10 * time.Second

	// Failed fetches are repeated after retryMin, twice that, up to retryMax.
	retryMin = time.Second
	retryMax = time.Minute

	fetchTimeout = 10 * time.Second
)

// remote keeps a key set up to date from a URL. Readers load set; only run
// stores it, and never nil: the last good set stays.
type remote struct {
	url    string
	client *http.Client
	leeway time.Duration
	now    func() time.Time
	log    *slog.Logger

	set atomic.Pointer[keySet]

	// asOf is when the fetch of set began, in milliseconds on now. It is stored
	// after set, so that it never claims too much.
	asOf   atomic.Int64
	failed atomic.Uint64 // fetches without a good set

	wanted chan struct{} // holds one request to refresh

	ctx     context.Context // of run
	stop    context.CancelFunc
	started bool // guarded by Verifier.mu
}

func newRemote(rawURL string, v *VerifierConfig) (*remote, error) {
	if err := checkURL(rawURL); err != nil {
		return nil, err
	}
	r := &remote{
		url:    rawURL,
		client: fetchClient(v.HTTPClient),
		leeway: v.Leeway,
		now:    v.Now,
		log:    v.Logger.With("jwks-url", redactURL(rawURL)),
		wanted: make(chan struct{}, 1),
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r, nil
}

// start runs the loop, once, until stop is called.
func (r *remote) start(running *sync.WaitGroup) {
	if r.started {
		return
	}
	r.started = true
	running.Go(func() {
		r.run(r.ctx)
		r.client.CloseIdleConnections()
	})
}

// halt ends the loop.
func (r *remote) halt() { r.stop() }

// outdated reports whether the set may lack the key of a token that claims to
// have been issued at this instant, and asks for a refresh. iat is in whole
// seconds, and clocks differ by the leeway.
func (r *remote) outdated(issued rescind.Millis) bool {
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
func (r *remote) run(ctx context.Context) {
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
				"err", err, "failures", failures, "have-keys", r.set.Load() != nil)
		case failures > 0:
			r.log.Info("the issuer's keys can be fetched again", "failures", failures)
			failures = 0
		}
		r.wait(ctx, failures)
	}
}

// fetch replaces the set if the source serves a good one.
func (r *remote) fetch(ctx context.Context) error {
	began := r.now()
	body, err := download(ctx, r.client, r.url, keySetDocument)
	if err != nil {
		return err
	}
	set, err := parseJWKS(body, true)
	if err != nil {
		return err
	}
	if old := r.set.Load(); old == nil || !old.equal(set) {
		r.set.Store(set)
	}
	r.asOf.Store(began.UnixMilli())
	return nil
}

// wait returns when the next fetch is due: after refreshEvery, or refreshGap if
// a token named an unknown kid, or the back-off after failures.
func (r *remote) wait(ctx context.Context, failures int) {
	if failures > 0 {
		pause(ctx, backoff(failures), nil)
		return
	}
	pause(ctx, refreshGap, nil)
	pause(ctx, jitter(refreshEvery)-refreshGap, r.wanted)
}

// pause sleeps for d, or until ctx ends or early receives.
func pause(ctx context.Context, d time.Duration, early <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-early:
	case <-t.C:
	}
}

func backoff(failures int) time.Duration {
	return jitter(min(retryMin<<min(failures-1, 10), retryMax))
}

// jitter varies d by up to a tenth.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5)
}
