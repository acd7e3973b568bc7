package cluster

import (
	"context"
	"sync"
	"sync/atomic"

	"rescind"
)

// WatchToken calls revoked, once, as soon as this node knows a revocation that
// covers t, by whatever scope, and at once if it knows one already. It is for
// connections that outlive a check: a WebSocket, an event stream. revoked is
// called by a goroutine of the node that all watches share, so it must be quick;
// cancelling a context is. stop ends the watch and must be called when the
// connection ends; revoked may be running then, or be about to.
//
// Of a node that is closed or has failed nothing more is learned: whoever watches
// must watch Alive as well, as token.UntilRevoked does.
//
// A watch costs a check nothing and takes some 600 bytes.
func (n *Node) WatchToken(t rescind.Token, revoked func()) (stop func()) {
	w := &tokenWatch{issuedAt: t.IssuedAt, revoked: revoked}
	for i, scope := range rescind.Scopes() {
		w.links[i].watch = w
		if id := t.Value(scope); id != "" {
			w.links[i].digest = n.set.Digest(rescind.Key{Scope: scope, Issuer: t.Issuer, ID: id})
		}
	}
	n.watches.add(w)
	// After it is there: what arrives from now on finds it, and what was there
	// before is found here.
	if n.set.Revoked(&t) {
		n.watches.take(w)
	}
	return func() { n.watches.remove(w) }
}

// tokenWatches finds the watches that a record covers. Its zero value is not
// ready for use, see newTokenWatches.
type tokenWatches struct {
	count atomic.Int64  // so that a record costs nothing while nobody watches
	woken chan struct{} // holds one token while due is not empty

	mu       sync.Mutex // guards what follows, and the links of all watches
	byDigest map[rescind.Digest]*watchLink
	due      []*tokenWatch // revoked, and not told yet
}

// tokenWatch is one watched token. It is a member of one list for each of its
// identifiers, which other tokens may share.
type tokenWatch struct {
	links    [rescind.NumScopes - 1]watchLink
	issuedAt rescind.Millis
	revoked  func()
	gone     bool // in no list any more
}

// watchLink is one watch's place in the list of one digest, the zero one being
// none.
type watchLink struct {
	watch          *tokenWatch
	digest         rescind.Digest
	previous, next *watchLink
}

func newTokenWatches() *tokenWatches {
	return &tokenWatches{woken: make(chan struct{}, 1), byDigest: map[rescind.Digest]*watchLink{}}
}

func (t *tokenWatches) add(w *tokenWatch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range w.links {
		link := &w.links[i]
		if link.digest == (rescind.Digest{}) {
			continue
		}
		if first := t.byDigest[link.digest]; first != nil {
			link.next, first.previous = first, link
		}
		t.byDigest[link.digest] = link
	}
	t.count.Add(1)
}

// remove ends w if nothing else has.
func (t *tokenWatches) remove(w *tokenWatch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(w)
}

func (t *tokenWatches) removeLocked(w *tokenWatch) (was bool) {
	if w.gone {
		return false
	}
	w.gone = true
	for i := range w.links {
		link := &w.links[i]
		switch {
		case link.digest == (rescind.Digest{}):
			continue
		case link.previous != nil:
			link.previous.next = link.next
		case link.next != nil:
			t.byDigest[link.digest] = link.next
		default:
			delete(t.byDigest, link.digest)
		}
		if link.next != nil {
			link.next.previous = link.previous
		}
	}
	t.count.Add(-1)
	return true
}

// take ends w and has it told.
func (t *tokenWatches) take(w *tokenWatch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.removeLocked(w) {
		t.due = append(t.due, w)
	}
	t.wakeLocked()
}

// fire ends every watch that r covers and has it told.
func (t *tokenWatches) fire(r rescind.Record) {
	if t.count.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for link := t.byDigest[r.Digest]; link != nil; {
		next := link.next // removing clears nothing, but the list moves on
		if r.Covers(link.watch.issuedAt) && t.removeLocked(link.watch) {
			t.due = append(t.due, link.watch)
		}
		link = next
	}
	t.wakeLocked()
}

func (t *tokenWatches) wakeLocked() {
	if len(t.due) == 0 {
		return
	}
	select {
	case t.woken <- struct{}{}:
	default:
	}
}

// run tells those that are due until ctx ends.
func (t *tokenWatches) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.woken:
		}
		t.mu.Lock()
		due := t.due
		t.due = nil
		t.mu.Unlock()
		for _, w := range due {
			w.revoked()
		}
	}
}
