package cluster

import (
	"sync/atomic"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/internal/timing"
)

// windowBounds are the buckets of the propagation window: from well below a
// LAN's round trip to where something is broken.
var windowBounds = []time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 10 * time.Second,
}

// delayBounds are the buckets of the staleness bound, of which some 350 ms are
// usual, and of gaps in streams, which repair closes within a round trip.
var delayBounds = []time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
	30 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute,
}

// measured are the distributions that a node keeps.
type measured struct {
	window    *timing.Histogram // of all peers together; see ackTracker for each
	staleness *timing.Histogram // the bound, looked at every stalenessEvery
	gaps      *timing.Histogram // from a gap in a peer's stream to its end
}

func newMeasured() measured {
	return measured{
		window: timing.New(windowBounds), staleness: timing.New(delayBounds), gaps: timing.New(delayBounds),
	}
}

// stalenessEvery is how often the loop looks at the staleness bound: more often
// than beats arrive, so that no peak between two scrapes is missed.
const stalenessEvery = 100 * time.Millisecond

// observe looks at the staleness bound, if it is time and there is one, and at
// the peers' streams.
func (l *loop) observe(now time.Duration, members []gossip.Member) {
	if now-l.looked >= stalenessEvery {
		l.looked = now
		if s := l.Staleness(); s.Known {
			l.measured.staleness.Observe(s.Bound)
		}
	}
	l.gaps.look(now, members, l.measured.gaps)
}

// gaps holds since when the streams of peers have had a gap.
type gaps map[gossip.Origin]time.Duration

// look counts the gaps that have ended. One of a member that is no longer listed
// is forgotten: it has not ended.
func (g gaps) look(now time.Duration, members []gossip.Member, ended *timing.Histogram) {
	if len(g) > 0 {
		listed := make(map[gossip.Origin]bool, len(members))
		for _, m := range members {
			listed[m.Origin] = true
		}
		for o := range g {
			if !listed[o] {
				delete(g, o)
			}
		}
	}
	for _, m := range members {
		since, open := g[m.Origin]
		switch {
		case m.Behind > 0 && !open:
			g[m.Origin] = now
		case m.Behind == 0 && open:
			ended.Observe(now - since)
			delete(g, m.Origin)
		}
	}
}

// counters count since the node was opened.
type counters struct {
	revoked, applied, repairs, stateRequests, swept, refused, malformed, dropped, commits atomic.Uint64
	waits, waitTimeouts, waitsRefused, tooStale                                           atomic.Uint64
	consumed, consumeRefused, consumeUndecided, doubleUses                                atomic.Uint64
	healed, unsound, otherVersion, readsDropped, compareBytes                             atomic.Uint64
	firstByGossip, firstByNATS                                                            atomic.Uint64
	duplicates, replayed, unsigned                                                        atomic.Uint64

	accepted [rescind.NumScopes]atomic.Uint64 // parts of revoked, by scope

	revokeRefused, consumeDenied refusals
}

// first counts records that a carrier, by its name, brought before anything
// else did.
func (c *counters) first(via string, records int) {
	if via == "gossip" {
		c.firstByGossip.Add(uint64(records))
	} else {
		c.firstByNATS.Add(uint64(records))
	}
}

// byScope returns how many revocations were accepted of each scope.
func (c *counters) byScope() map[rescind.Scope]uint64 {
	accepted := make(map[rescind.Scope]uint64, rescind.NumScopes)
	for _, scope := range rescind.Scopes() {
		accepted[scope] = c.accepted[scope].Load()
	}
	return accepted
}

// sent counts a message of ours by what it is.
func (c *counters) sent(b gossip.Body, bytes int) {
	switch b.(type) {
	case *gossip.RangeRequest:
		c.repairs.Add(1)
	case *gossip.StateRequest:
		c.stateRequests.Add(1)
	case *gossip.Compare, *gossip.Supply:
		c.compareBytes.Add(uint64(bytes))
	}
}

func (c *counters) snapshot() Counters {
	return Counters{
		Revoked: c.revoked.Load(), Applied: c.applied.Load(), Repairs: c.repairs.Load(),
		StateRequests: c.stateRequests.Load(), Swept: c.swept.Load(), Refused: c.refused.Load(), Unsigned: c.unsigned.Load(),
		Malformed: c.malformed.Load(), Dropped: c.dropped.Load(), Commits: c.commits.Load(),
		Waits: c.waits.Load(), WaitTimeouts: c.waitTimeouts.Load(), WaitsRefused: c.waitsRefused.Load(), TooStale: c.tooStale.Load(),
		Consumed: c.consumed.Load(), ConsumeRefused: c.consumeRefused.Load(), ConsumeUndecided: c.consumeUndecided.Load(), DoubleUses: c.doubleUses.Load(),
		Healed: c.healed.Load(), Unsound: c.unsound.Load(), OtherVersion: c.otherVersion.Load(),
		ReadsDropped: c.readsDropped.Load(), CompareBytes: c.compareBytes.Load(),
		FirstByGossip: c.firstByGossip.Load(), FirstByNATS: c.firstByNATS.Load(),
		Duplicates: c.duplicates.Load(), Replayed: c.replayed.Load(),
	}
}
