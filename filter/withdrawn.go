package filter

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"rescind"
)

// withdrawn are the records of a set that withdraw an issuer. A set need not hold what
// they replace (see rescind.Record.Replaces): it refuses the same without. So sets
// that hold the same withdrawals agree on what else they need, in whatever order
// things came, and one that drops a record early and another one late differ only
// meanwhile. Its zero value is ready for use.
type withdrawn struct {
	mu       sync.Mutex // held to change byIssuer
	byIssuer atomic.Pointer[map[uint32]rescind.Record]
}

// replace reports whether one of them replaces r.
func (w *withdrawn) replace(r rescind.Record) bool {
	all := w.byIssuer.Load()
	return all != nil && (*all)[r.Digest.Issuer()].Replaces(r)
}

// add takes a record that withdraws. Of two issuers that share their bits by chance,
// the one that lasts longer counts.
func (w *withdrawn) add(r rescind.Record) {
	w.change(func(all map[uint32]rescind.Record) {
		if issuer := r.Digest.Issuer(); all[issuer].ExpiresAt < r.ExpiresAt {
			all[issuer] = r
		}
	})
}

// remove takes one out that has lapsed.
func (w *withdrawn) remove(r rescind.Record) {
	w.change(func(all map[uint32]rescind.Record) {
		if issuer := r.Digest.Issuer(); all[issuer].Digest == r.Digest {
			delete(all, issuer)
		}
	})
}

func (w *withdrawn) change(f func(map[uint32]rescind.Record)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[uint32]rescind.Record{}
	if before := w.byIssuer.Load(); before != nil {
		maps.Copy(all, *before)
	}
	f(all)
	if len(all) == 0 {
		w.byIssuer.Store(nil)
		return
	}
	w.byIssuer.Store(&all)
}

// Withdrawals returns the records that withdraw issuers. Whoever takes over only a part
// of what the set holds needs them, too: they stand for what is not held any more.
func (s *Set) Withdrawals() []rescind.Record {
	all := s.withdrawn.byIssuer.Load()
	if all == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(*all), func(a, b rescind.Record) int {
		return rescind.PlaceOf(a).Compare(rescind.PlaceOf(b)) // always alike, for runs that replay
	})
}

// Refuses reports whether the set refuses all that r does: it holds as much of the
// same digest, or a withdrawal of its issuer.
func (s *Set) Refuses(r rescind.Record) bool {
	held, ok := s.Lookup(r.Digest)
	return ok && held.Join(r) == held || s.withdrawn.replace(r)
}
