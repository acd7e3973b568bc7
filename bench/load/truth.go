package load

import (
	"math/rand/v2"
	"sync"
	"time"

	"rescind/bench/oracle"
)

// user is one account. Whoever logs it in or out, or refreshes, holds mu, so
// that it is certain which of its tokens a log-out ends.
type user struct {
	name string
	mu   sync.Mutex

	everywhere *oracle.End // the log-out everywhere that ends what is logged in now
	sessions   []*session
	home       int // the node that logged it out everywhere, where a login right afterwards is sure to be later
}

// session is one device that is logged in, or was.
type session struct {
	user    *user
	end     *oracle.End
	refresh string    // the latest refresh token
	tokens  []*issued // access tokens, the latest last
}

// issued is one access token.
type issued struct {
	raw   string
	truth oracle.Token
}

// tokenBook is the tokens to check. Safe for concurrent use.
type tokenBook struct {
	mu    sync.Mutex // guards the fields below
	live  []*issued
	place map[*issued]int // in live
	over  []*issued       // the order in which they were logged out
}

// Tokens that were logged out lately are where the mistakes are.
const (
	latelyOver = 300
	maxOver    = 100_000
)

func newTokenBook() *tokenBook { return &tokenBook{place: map[*issued]int{}} }

// begin adds a token that is good.
func (b *tokenBook) begin(t *issued) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.place[t] = len(b.live)
	b.live = append(b.live, t)
}

// end moves tokens to those that are logged out.
func (b *tokenBook) end(tokens ...*issued) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range tokens {
		i, ok := b.place[t]
		if !ok {
			continue
		}
		last := len(b.live) - 1
		b.live[i] = b.live[last]
		b.place[b.live[i]] = i
		b.live = b.live[:last]
		delete(b.place, t)
		if len(b.over) < maxOver {
			b.over = append(b.over, t)
		}
	}
}

// pick returns a token to check: half of the time one that is live, a third one
// that was logged out lately, else any that was. nil if there is none at all.
func (b *tokenBook) pick() *issued {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := rand.N(6)
	switch n := len(b.over); {
	case n == 0 || k < 3:
		if len(b.live) == 0 {
			return nil
		}
		return b.live[rand.N(len(b.live))]
	case k < 5:
		return b.over[n-1-rand.N(min(n, latelyOver))]
	default:
		return b.over[rand.N(n)]
	}
}

// all returns every token there is.
func (b *tokenBook) all() []*issued {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append(append([]*issued{}, b.over...), b.live...)
}

// lagOf keeps the longest time after which a revoked token was still accepted.
// The zero value is ready. Safe for concurrent use.
type lagOf struct {
	mu   sync.Mutex
	most time.Duration
}

func (l *lagOf) see(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = max(l.most, d)
}

func (l *lagOf) get() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.most
}
