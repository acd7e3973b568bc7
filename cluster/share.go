package cluster

import (
	"fmt"
	"sync"
	"time"

	"rescind"
)

// maxShares bounds for how many issuers is counted. Beyond it the others are not.
const maxShares = 1024

// shares counts what this node has accepted on behalf of each issuer since it was
// started and still holds, so that one issuer, or whoever has its key, can't take
// the place of all others. What other nodes accepted is not counted, nor what is from
// before the start.
type shares struct {
	mu     sync.Mutex
	issuer map[string]*share
}

// share is what counts for one issuer, by the hour in which it expires.
type share struct {
	total  int
	byHour map[int64]int
	swept  int64 // the hour up to which it was
}

func hourOf(m rescind.Millis) int64 { return int64(m) / time.Hour.Milliseconds() }

// room reports whether an issuer that may have limit records may add one.
func (s *shares) room(issuer string, now rescind.Millis, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.issuer[issuer]
	if one == nil {
		return true
	}
	if hour := hourOf(now); one.swept < hour {
		for h, n := range one.byHour {
			if h < hour {
				one.total -= n
				delete(one.byHour, h)
			}
		}
		one.swept = hour
	}
	return one.total < limit
}

// count counts a record.
func (s *shares) count(issuer string, expires rescind.Millis) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.issuer[issuer]
	if one == nil {
		if len(s.issuer) >= maxShares {
			return
		}
		if s.issuer == nil {
			s.issuer = make(map[string]*share)
		}
		one = &share{byHour: make(map[int64]int)}
		s.issuer[issuer] = one
	}
	one.total++
	one.byHour[hourOf(expires.Add(rescind.RetentionMargin))]++
}

// byToken reports whether the holder of a token can cause a revocation of that
// scope. Keys, issuers and clients are stopped by administrators alone, and never
// for want of their issuer's share.
func byToken(s rescind.Scope) bool {
	return s == rescind.ScopeJTI || s == rescind.ScopeSID || s == rescind.ScopeSub
}

// acceptFrom is accept for a revocation of one issuer's. Administrators have a
// reserve, and no issuer's share bounds them.
func (n *Node) acceptFrom(issuer string, r rescind.Record, administrator bool) (joined rescind.Record, changed bool, err error) {
	p := n.policy.Load()
	limit := p.MaxRevocations * p.IssuerShare / 100
	counted := limit > 0 && !administrator && byToken(r.Digest.Scope())
	if counted {
		_, known := n.set.Lookup(r.Digest)
		counted = !known
	}
	if counted && !n.shares.room(issuer, rescind.MillisOf(time.Now()), limit) {
		return r, false, fmt.Errorf("%w for this issuer, which may take %d %% of it", rescind.ErrFull, p.IssuerShare)
	}
	if administrator {
		joined, changed, err = n.set.AddByAdministrator(r)
	} else {
		joined, changed, err = n.set.Add(r)
	}
	if err == nil && counted {
		n.shares.count(issuer, joined.ExpiresAt)
	}
	if changed {
		n.noticed(joined, true)
	}
	return joined, changed, err
}
