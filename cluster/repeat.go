package cluster

import (
	"slices"
	"sync"
	"time"

	"rescind"
	"rescind/gossip"
)

// maxRepeats is how many of the latest revocations are remembered, at some 200
// bytes each.
const maxRepeats = 1 << 14

// repeats remembers which revocations are durable on this node, and who else has
// acknowledged them: the same one again needs no record of its own, and costs no
// write. A revocation that is forgotten here, or whose record has changed since, is
// made durable anew.
type repeats struct {
	mu     sync.Mutex
	known  map[rescind.Digest]repeat
	latest []rescind.Digest // of known; a ring, once it is full
	next   int
}

type repeat struct {
	record  rescind.Record
	seq     uint64 // in this node's stream
	origins []gossip.Origin
	by      []rescind.NodeAck // of origins
}

// remember keeps what w has come to. Its record is on this node's disk.
func (r *repeats) remember(record rescind.Record, w *waiter) {
	w.mu.Lock()
	one := repeat{record, w.seq, slices.Clone(w.origins), slices.Clone(w.by)}
	w.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = make(map[rescind.Digest]repeat)
	}
	if _, again := r.known[record.Digest]; !again {
		if len(r.latest) < maxRepeats {
			r.latest = append(r.latest, record.Digest)
		} else {
			delete(r.known, r.latest[r.next])
			r.latest[r.next] = record.Digest
			r.next = (r.next + 1) % maxRepeats
		}
	}
	r.known[record.Digest] = one
}

// answers reports whether record is durable, and acknowledged by all whom w needs
// now; w then says by whom.
func (r *repeats) answers(record rescind.Record, w *waiter) bool {
	r.mu.Lock()
	one, ok := r.known[record.Digest]
	r.mu.Unlock()
	if !ok || one.record != record {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq, w.origins, w.by = one.seq, slices.Clone(one.origins), slices.Clone(one.by)
	for _, o := range one.origins {
		delete(w.missing, o)
	}
	return w.need(w)
}

// expiryStep is up to what a revocation without an expiry of its own is rounded:
// an hour of 30 days. A session that is revoked again within that time is the same
// record.
func expiryStep(maxLifetime time.Duration) rescind.Millis {
	return max(1, rescind.Millis(maxLifetime.Milliseconds()/720))
}

func roundUp(m, step rescind.Millis) rescind.Millis { return (m + step - 1) / step * step }
