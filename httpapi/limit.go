package httpapi

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"rescind/internal/problem"
)

// maxCallers bounds the memory of a limit. Beyond it an arbitrary caller is
// forgotten, who may then go on a little earlier.
const maxCallers = 10_000

const (
	// nearWindow is over what time a caller's requests are held against its rate,
	// and nearShare of what it may is near: a warning before anybody is refused.
	nearWindow = 10 * time.Second
	nearShare  = 0.8
)

// limit bounds how often each caller may do something. A nil one bounds nobody.
type limit struct {
	perSecond rate.Limit
	burst     int
	stats     *limitStats

	mu      sync.Mutex // guards callers
	callers map[string]*caller
}

// caller is one, and how many requests it made since.
type caller struct {
	bucket *rate.Limiter
	since  time.Time
	made   int
}

// newLimit returns a limit that lets a caller save up as much as two seconds'
// worth. perSecond of 0 means none.
func newLimit(perSecond float64, stats *limitStats) *limit {
	if perSecond <= 0 {
		return nil
	}
	return &limit{perSecond: rate.Limit(perSecond), burst: max(1, int(2*perSecond)), stats: stats, callers: map[string]*caller{}}
}

// changedTo returns a limit of another rate: l itself, with what it remembers,
// where that is its own.
func (l *limit) changedTo(perSecond float64, stats *limitStats) *limit {
	if l != nil && l.perSecond == rate.Limit(perSecond) {
		return l
	}
	return newLimit(perSecond, stats)
}

// allow reports whether caller may do one more.
func (l *limit) allow(name string) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c, now := l.callers[name], time.Now()
	if c == nil {
		for other := range l.callers {
			if len(l.callers) < maxCallers {
				break
			}
			delete(l.callers, other)
		}
		c = &caller{bucket: rate.NewLimiter(l.perSecond, l.burst), since: now}
		l.callers[name] = c
	}
	if !c.bucket.AllowN(now, 1) {
		l.stats.refused.Add(1)
		return false
	}
	if now.Sub(c.since) >= nearWindow {
		c.since, c.made = now, 0
	}
	if c.made++; float64(c.made) > nearShare*float64(l.perSecond)*nearWindow.Seconds() {
		l.stats.near.Add(1)
	}
	return true
}

func (a *API) tooMany(w http.ResponseWriter) {
	problem.TooMany.Write(w, problem.TooMany.Detail)
}

// anonymous reports whether one more revocation may be made by nothing but a token
// from where r comes, see Config.AnonymousRate; if not, it has answered.
func (a *API) anonymous(w http.ResponseWriter, r *http.Request) bool {
	terms, client := a.termsOf(r), a.remote(r)
	addr, err := netip.ParseAddr(client)
	shared := err != nil || addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast() || isTrusted(terms.trustedProxies, addr)
	if shared || terms.anonymousLimit.allow(network(client)) {
		return true
	}
	a.tooMany(w)
	return false
}

// limited bounds how often one client address may use next: each request costs
// a write to disk on every node.
func (a *API) limited(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.termsOf(r).clientLimit.allow(network(a.remote(r))) {
			a.tooMany(w)
			return
		}
		next(w, r)
	}
}
