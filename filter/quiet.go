package filter

import (
	"strings"
	"sync/atomic"

	"rescind"
)

// quietScopes are those of which few values are in use at a time: the
// applications and keys of an issuer, and itself.
const quietScopes = 1<<rescind.ScopeClientID | 1<<rescind.ScopeKID | 1<<rescind.ScopeIss

// quiet remembers pairs of client_id and kid, of one issuer, of which nobody
// has revoked either, nor the issuer. Most tokens carry one of very few pairs,
// and a check that meets one it remembers has half of its claims done. Its zero
// value is ready for use.
type quiet struct {
	pairs [8]atomic.Pointer[quietPair]
}

// quietPair is a pair that was not revoked when the set had added that many
// records of quietScopes. It is never modified, only replaced.
type quietPair struct {
	client, kid string
	added       uint64
}

// at returns the place of the pairs of an application. Others may share it.
func (q *quiet) at(client string) *atomic.Pointer[quietPair] {
	i := uint(len(client))
	if i > 0 {
		i = uint(client[i-1])
	}
	return &q.pairs[i%uint(len(q.pairs))]
}

// holds reports whether q remembers the pair of t as of now, when so many
// records have been added.
func (q *quiet) holds(t *rescind.Token, added uint64) bool {
	if q == nil {
		return false
	}
	p := q.at(t.ClientID).Load()
	return p != nil && p.added == added && p.client == t.ClientID && p.kid == t.KeyID
}

// remember notes the pair of t, which was not revoked after so many records had
// been added. random decides whether it may take the place of another one,
// which is seldom, so that pairs that share a place don't keep replacing each
// other.
func (q *quiet) remember(t *rescind.Token, added, random uint64) {
	if q == nil {
		return
	}
	at := q.at(t.ClientID)
	if p := at.Load(); p != nil && p.added == added && random%1024 != 0 {
		return
	}
	at.Store(&quietPair{strings.Clone(t.ClientID), strings.Clone(t.KeyID), added})
}
