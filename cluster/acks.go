package cluster

import (
	"maps"
	"slices"
	"sync"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/internal/timing"
)

// waiter is one call of Revoke that waits.
type waiter struct {
	start time.Time
	need  func(*waiter) bool

	stored    chan struct{} // closed when the record is on this node's disk
	confirmed chan struct{} // closed when enough others have it

	mu      sync.Mutex
	seq     uint64
	done    bool // confirmed is closed
	by      []rescind.NodeAck
	origins []gossip.Origin // of by
	missing map[gossip.Origin]string
	named   bool // missing are named members, met or not
}

func newWaiter(start time.Time, ack rescind.Ack, listed map[gossip.Origin]string) *waiter {
	w := &waiter{start: start, stored: make(chan struct{}), confirmed: make(chan struct{}), missing: listed}
	others := len(listed)
	switch ack {
	case rescind.AckAll:
		w.need = func(w *waiter) bool { return len(w.missing) == 0 }
	case rescind.AckMajority:
		// Only the members of which it must be more than half count, and not
		// one that has joined since.
		w.need = func(w *waiter) bool { return others-len(w.missing) >= (others+1)/2 }
	case rescind.AckLocal:
		w.need = func(*waiter) bool { return true }
	default:
		w.need = func(w *waiter) bool { return len(w.by) >= int(ack) }
	}
	return w
}

// settle closes confirmed once enough have acknowledged. The caller holds mu.
func (w *waiter) settle() {
	if !w.done && w.need(w) {
		w.done = true
		close(w.confirmed)
	}
}

// number returns the number of the record in this node's stream, or 0 if it has
// none yet.
func (w *waiter) number() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seq
}

func (w *waiter) receipt() rescind.Receipt {
	w.mu.Lock()
	defer w.mu.Unlock()
	return rescind.Receipt{
		Acknowledged: slices.Clone(w.by),
		Missing:      slices.Sorted(maps.Values(w.missing)),
	}
}

// ackTracker matches what becomes durable here and elsewhere with the calls
// that wait for it, and measures the propagation window on this node's clock.
type ackTracker struct {
	mu      sync.Mutex
	unsaved []*waiter // in the order of their numbers
	waiting map[*waiter]bool

	// started holds when Revoke was called for the last of our numbers, at the
	// number modulo its length; measured is up to which number each peer's
	// acknowledgements have been counted.
	started  [1 << 14]time.Time
	last     uint64
	measured map[gossip.Origin]uint64
	windows  map[gossip.Origin]*timing.Histogram // of each of measured, at most maxWindows
}

// maxWindows bounds the memory of the windows by peer: 200 bytes each.
const maxWindows = 256

// enter registers a waiter under its number.
func (t *ackTracker) enter(w *waiter, seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.mu.Lock()
	w.seq = seq
	w.mu.Unlock()
	t.unsaved = append(t.unsaved, w)
	t.started[seq%uint64(len(t.started))] = w.start
	t.last = seq
}

// durable tells that numbers up to seq are on this node's disk.
func (t *ackTracker) durable(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := 0
	for ; i < len(t.unsaved) && t.unsaved[i].seq <= seq; i++ {
		w := t.unsaved[i]
		w.mu.Lock()
		w.settle()
		if !w.done {
			if t.waiting == nil {
				t.waiting = map[*waiter]bool{}
			}
			t.waiting[w] = true
		}
		w.mu.Unlock()
		close(w.stored)
	}
	t.unsaved = slices.Delete(t.unsaved, 0, i)
}

// again looks whether calls that wait have what they need, because that has changed.
func (t *ackTracker) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.waiting {
		w.mu.Lock()
		if w.settle(); w.done {
			delete(t.waiting, w)
		}
		w.mu.Unlock()
	}
}

// acked tells that a peer has committed numbers up to a.Seq.
func (t *ackTracker) acked(a gossip.PeerAck, window *timing.Histogram) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, w := range t.unsaved {
		w.acked(a, now) // faster than our own disk
	}
	for w := range t.waiting {
		if w.acked(a, now) {
			delete(t.waiting, w)
		}
	}
	t.measure(a, now, window)
}

// meet begins to measure members that are new: what was revoked before a
// member was there is a backlog and not a window.
func (t *ackTracker) meet(members []gossip.Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.measured == nil {
		t.measured = map[gossip.Origin]uint64{}
	}
	for _, m := range members {
		if _, met := t.measured[m.Origin]; !met {
			t.measured[m.Origin] = t.last
			t.windowOf(m.Origin) // so that it shows from the start
		}
	}
	if max(len(t.windows), len(t.measured)) > len(members) {
		t.forget(members)
	}
}

// forget drops what is measured of members that are no longer listed: in a cluster
// whose pods come and go they would become many. The caller holds mu.
func (t *ackTracker) forget(members []gossip.Member) {
	listed := make(map[gossip.Origin]bool, len(members))
	for _, m := range members {
		listed[m.Origin] = true
	}
	gone := func(o gossip.Origin) bool { return !listed[o] }
	maps.DeleteFunc(t.windows, func(o gossip.Origin, _ *timing.Histogram) bool { return gone(o) })
	maps.DeleteFunc(t.measured, func(o gossip.Origin, _ uint64) bool { return gone(o) })
}

// measure counts a peer's window for each of our revocations.
func (t *ackTracker) measure(a gossip.PeerAck, now time.Time, window *timing.Histogram) {
	from, met := t.measured[a.Origin]
	if !met {
		return // it is not listed, or not yet: what it acknowledges is a backlog
	}
	t.measured[a.Origin] = max(from, a.Seq)
	if oldest := t.last - min(t.last, uint64(len(t.started))); from < oldest {
		from = oldest
	}
	if from >= a.Seq {
		return
	}
	own := t.windowOf(a.Origin)
	for seq := from + 1; seq <= a.Seq; seq++ {
		d := now.Sub(t.started[seq%uint64(len(t.started))])
		window.Observe(d)
		if own != nil {
			own.Observe(d)
		}
	}
}

// windowOf returns where a peer's window is counted, or nil if there are too
// many. The caller holds mu.
func (t *ackTracker) windowOf(o gossip.Origin) *timing.Histogram {
	if h := t.windows[o]; h != nil || len(t.windows) >= maxWindows {
		return h
	}
	if t.windows == nil {
		t.windows = map[gossip.Origin]*timing.Histogram{}
	}
	h := timing.New(windowBounds)
	t.windows[o] = h
	return h
}

// windowsOf returns the window of each peer.
func (t *ackTracker) windowsOf() map[gossip.Origin]Histogram {
	t.mu.Lock()
	defer t.mu.Unlock()
	windows := make(map[gossip.Origin]Histogram, len(t.windows))
	for o, h := range t.windows {
		windows[o] = h.Snapshot()
	}
	return windows
}

func (w *waiter) acked(a gossip.PeerAck, now time.Time) (done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.Seq < w.seq || slices.Contains(w.origins, a.Origin) {
		return w.done
	}
	w.origins = append(w.origins, a.Origin)
	w.by = append(w.by, rescind.NodeAck{Node: a.Name, After: now.Sub(w.start)})
	delete(w.missing, a.Origin)
	if w.named {
		maps.DeleteFunc(w.missing, func(_ gossip.Origin, name string) bool { return name == a.Name })
	}
	select {
	case <-w.stored:
		w.settle()
	default: // confirmed is closed after stored, by durable
	}
	return w.done
}

// leave removes a waiter that has given up.
func (t *ackTracker) leave(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, w)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true // durable must not let it wait
}
