package httpapi

import (
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// maxCallers bounds the memory of a limit. Beyond it an arbitrary caller is
// forgotten, who may then go on a little earlier.
const maxCallers = 10_000

// limit bounds how often each caller may do something. A nil one bounds nobody.
type limit struct {
	perSecond rate.Limit
	burst     int

	mu      sync.Mutex // guards callers
	callers map[string]*rate.Limiter
}

// newLimit returns a limit that lets a caller save up as much as two seconds'
// worth. perSecond of 0 means none.
func newLimit(perSecond float64) *limit {
	if perSecond <= 0 {
		return nil
	}
	return &limit{perSecond: rate.Limit(perSecond), burst: max(1, int(2*perSecond)), callers: map[string]*rate.Limiter{}}
}

// changedTo returns a limit of another rate: l itself, with what it remembers,
// where that is its own.
func (l *limit) changedTo(perSecond float64) *limit {
	if l != nil && l.perSecond == rate.Limit(perSecond) {
		return l
	}
	return newLimit(perSecond)
}

// allow reports whether caller may do one more.
func (l *limit) allow(caller string) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.callers[caller]
	if bucket == nil {
		for other := range l.callers {
			if len(l.callers) < maxCallers {
				break
			}
			delete(l.callers, other)
		}
		bucket = rate.NewLimiter(l.perSecond, l.burst)
		l.callers[caller] = bucket
	}
	return bucket.Allow()
}

func (a *API) tooMany(w http.ResponseWriter) {
	kindTooMany.write(w, "this caller makes more requests a second than this node is configured to take from one")
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
