package dashboard

import (
	"slices"
	"sync"
	"time"

	"rescind"
	"rescind/cluster"
	"rescind/httpapi/diagnosis"
)

const (
	sampleEvery = time.Second

	// span is what charts show, and keeps is how many samples that takes.
	span  = 10 * time.Minute
	keeps = int(span/sampleEvery) + 1

	// recent is how far back "in the last minutes" reaches.
	recent = 5 * time.Minute
)

// keptPeers bounds how many members have a history of their own.
const keptPeers = 32

// sample is what a node had counted at one moment: about 700 bytes, and 24 for
// each of at most keptPeers members.
type sample struct {
	at        time.Time
	inForce   [rescind.NumScopes]uint64
	window    []uint64
	counters  cluster.Counters
	lost      map[string]uint64 // by carrier, messages not sent or overrun
	staleness cluster.Staleness
	peers     []peer
}

// peer is how far a node may have been behind one member.
type peer struct {
	origin    string
	staleness time.Duration
}

// peersOf leaves out the members for which no bound is known.
func peersOf(st cluster.Status) []peer {
	peers := make([]peer, 0, min(len(st.Members), keptPeers))
	for _, m := range st.Members {
		if m.Known && len(peers) < keptPeers {
			peers = append(peers, peer{m.Origin, m.Staleness})
		}
	}
	return peers
}

func lostBy(st cluster.Status) map[string]uint64 {
	lost := make(map[string]uint64, len(st.Carriers))
	for _, c := range st.Carriers {
		lost[c.Name] = c.Dropped + c.Overrun
	}
	return lost
}

// history is the last samples. The zero value holds none.
type history struct {
	mu      sync.Mutex // guards samples
	samples []sample   // by time; the oldest is dropped
}

func (h *history) take(at time.Time, st cluster.Status) {
	s := sample{at: at, inForce: st.InForce, window: st.Window.Counts, counters: st.Counters, lost: lostBy(st), staleness: st.Staleness, peers: peersOf(st)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.samples); n > 0 && !at.After(h.samples[n-1].at) {
		h.samples = nil // the clock was set back: what was before can't be placed
	}
	if len(h.samples) == keeps {
		h.samples = append(h.samples[:0], h.samples[1:]...)
	}
	h.samples = append(h.samples, s)
}

// atLocked returns the last sample that is not later than t.
func (h *history) atLocked(t time.Time) (sample, bool) {
	i, found := slices.BinarySearchFunc(h.samples, t, func(s sample, t time.Time) int { return s.at.Compare(t) })
	if found {
		return h.samples[i], true
	}
	if i == 0 {
		return sample{}, false
	}
	return h.samples[i-1], true
}

// before fills in what had been counted some minutes ago, or when this began.
func (h *history) before(v *diagnosis.View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.samples) == 0 {
		return
	}
	s, ok := h.atLocked(h.samples[len(h.samples)-1].at.Add(-recent))
	if !ok {
		return // younger than that: all that it has counted is recent
	}
	v.Before, v.DroppedBefore = s.counters, s.lost
}

// bin is what happened between two moments.
type bin struct {
	from      time.Time
	known     bool // there were samples at both ends
	inForce   [rescind.NumScopes]uint64
	window    []uint64
	staleness time.Duration            // the largest; negative where unknown
	peers     map[string]time.Duration // the largest, by origin
}

// bins returns n bins of the given width, aligned to it so that they stand
// still while time goes on; the last one is under way.
func (h *history) bins(now time.Time, width time.Duration, n int) []bin {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]bin, n)
	first := now.Truncate(width).Add(-time.Duration(n-1) * width)
	for i := range out {
		from := first.Add(time.Duration(i) * width)
		out[i] = h.binLocked(from, from.Add(width))
	}
	return out
}

func (h *history) binLocked(from, to time.Time) bin {
	b := bin{from: from, staleness: -1, peers: map[string]time.Duration{}}
	start, ok1 := h.atLocked(from)
	end, ok2 := h.atLocked(to)
	if !ok1 && ok2 {
		start, ok1 = h.samples[0], true // it began within this bin
	}
	if b.known = ok1 && ok2 && !end.at.Before(from); !b.known {
		return b
	}
	for scope := range b.inForce {
		b.inForce[scope] = end.inForce[scope] - min(start.inForce[scope], end.inForce[scope])
	}
	b.window = difference(end.window, start.window)
	for _, s := range h.samples {
		if s.at.Before(from) || !s.at.Before(to) {
			continue
		}
		if s.staleness.Known {
			b.staleness = max(b.staleness, s.staleness.Bound)
		}
		for _, p := range s.peers {
			b.peers[p.origin] = max(b.peers[p.origin], p.staleness)
		}
	}
	return b
}

// difference returns a minus b, bucket by bucket.
func difference(a, b []uint64) []uint64 {
	out := slices.Clone(a)
	for i := range out {
		if i < len(b) {
			out[i] -= min(b[i], out[i])
		}
	}
	return out
}
