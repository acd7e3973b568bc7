package gossip

import (
	"cmp"
	"slices"
	"time"

	"rescind"
	"rescind/internal/identity"
)

// peer is another node and the current epoch of its stream.
type peer struct {
	stream
	origin Origin
	name   string

	// based says that everything the origin held before this epoch is held
	// here, so that received is a frontier. It becomes true when past reaches
	// previous, or by a transfer of the state.
	based    bool
	previous Position // the end of the epoch before, as the origin states it
	known    bool     // previous has been stated
	past     Position // what was held of earlier epochs
	lost     bool     // nobody remembers the range that is missing: ask for the state

	durable    uint64   // records up to this one are committed here
	committing Position // what the commit under way contains
	committed  Position // the entry of the version vector that is stored; it never goes back

	acknowledged Position // up to where its origin has been told, in this epoch
	owes         uint64   // the epoch in which its base turned out to be too little, until a transfer mends that; 0: none

	beatN   uint64          // number of its last beat
	heardAt time.Duration   // when that beat came, here or at who tells of it
	left    bool            // in this epoch
	greet   bool            // owed a beat, so that each proves itself to the other in one round trip
	acked   uint64          // our records that it has committed
	views   map[Origin]View // what it holds of others, as far as it has told

	// told is how much of the circle of origins its latest beats have spoken of
	// without a gap, up to toldUpTo; toldAll, whether it was once the whole.
	told     uint64
	toldUpTo Origin
	toldAll  bool
	ofUs     Position // the furthest that it holds of our earlier epochs
	synced   bool     // it has caught up with somebody
	echoes   bool     // it has answered a beat of ours

	endedAt time.Duration // since when all that it had is here, and it has left; 0: it has not ended
	guide   guide
	noted   Note // what is stored of it
	loaded  bool // its entry is of an earlier life

	fromDisk bool // known from an earlier life only: nobody has said when it was heard
	logged   bool // in this epoch it writes its records into the shared log, see Vouch

	// asOf is when this node sent the latest beat of which it knows: all that
	// the peer had acknowledged by then is held here.
	asOf    time.Duration
	proven  bool   // asOf has a meaning
	pending []echo // echoes that wait for the frontier to reach their head

	// See hearsay.go.
	admitted   bool                      // it counts: it has echoed us, or was stored in this folder
	vouched    bool                      // a member says that it counts there
	spoken     bool                      // its own word of the current epoch has been had in this life
	enteredAt  time.Duration             // when its epoch was first heard of
	stated     uint64                    // the length of its stream, by its own word
	said       *Message                  // its last heartbeat, to be handed on
	leave      *Message                  // likewise, its word that it left
	public     [identity.PublicSize]byte // the key that origin is the hash of; zero: not known
	secret     []byte                    // shared with it
	leaveAt    time.Duration             // when that was last handed on
	by         Origin                    // who has told of it, before it spoke
	introduced int                       // how many that have not spoken are known by its word

	skew skew // of its wall clock

	portion portion   // of what is asked of it and sent to it
	named   namedPeer // where members are named

	allowance allowance // of what it makes this node send

	asked     Position       // round and step of the last comparison of its that was taken
	scanned   rescind.Digest // the cursor of its last request for the state
	scannedAt time.Duration
	ranged    RangeRequest // its last request for a range
	rangedAt  time.Duration

	attempts int // repairs asked for since the frontier last moved
	askAgain time.Duration
	askedAt  uint64 // the frontier then
	askedOf  Origin // whom
	askedFor int    // and for how many records
}

// echo says: once the frontier reaches head, asOf may become sent.
type echo struct {
	head uint64
	sent time.Duration
}

func (p *peer) at() Position { return Position{p.epoch, p.received} }

func (p *peer) alive(now time.Duration) bool { return !p.left && now-p.heardAt < aliveWithin }

// peer returns the entry for o, making one if there is room. left: it is known only as
// one that left.
func (c *Core) peer(o Origin, now time.Duration, left bool) *peer {
	p := c.peers[o]
	if p == nil && c.hasRoom(left) {
		p = &peer{origin: o, heardAt: now, enteredAt: now}
		c.recall(p)
		c.peers[o] = p
		at, _ := slices.BinarySearchFunc(c.list, o, func(q *peer, o Origin) int { return cmp.Compare(q.origin, o) })
		c.list = slices.Insert(c.list, at, p)
	}
	return p
}

// enter notes that p was heard in an epoch, and reports whether it is its
// current one. A newer epoch begins a new stream; what was held of the old one
// may be the base of the new.
func (c *Core) enter(now time.Duration, p *peer, epoch uint64) bool {
	if epoch <= p.epoch {
		return epoch == p.epoch
	}
	if p.based && p.past.Before(p.at()) {
		p.past = p.at()
	}
	if p.past.Before(p.committed) {
		p.past = p.committed // acknowledged, and since then the base was found to be too little
	}
	p.stream = stream{epoch: epoch}
	p.spoken, p.enteredAt, p.stated, p.said, p.leave = false, now, 0, nil, nil
	p.based, p.known, p.lost, p.left, p.greet = false, false, false, false, true
	p.durable, p.beatN, p.acked, p.pending, p.views, p.echoes, p.synced = 0, 0, 0, nil, nil, false, false
	p.told, p.toldUpTo, p.toldAll, p.logged = 0, 0, false, false
	p.endedAt, p.guide = 0, guide{}
	p.asked, p.scannedAt, p.rangedAt = Position{}, 0, 0
	p.named = namedPeer{proof: p.named.proof} // what it proved stays true
	p.attempts, p.askAgain = 0, now+repairAfter
	return true
}

// settle makes p's frontier count if what is held of its past suffices.
func (p *peer) settle() {
	if !p.based && p.known && p.owes == 0 && !p.past.Before(p.previous) {
		p.based = true
	}
}

// learn notes that what v says of p's streams is held here as well.
func (c *Core) learn(now time.Duration, p *peer, v View) {
	if p.spoken && v.At.Epoch > p.epoch {
		return // only its own word begins an epoch
	}
	c.enter(now, p, v.At.Epoch)
	if p.spoken {
		v.At.Seq = min(v.At.Seq, p.reach())
	}
	past := v.Past
	if v.Based && v.At.Epoch >= p.owes {
		p.owes = 0
	}
	switch {
	case v.At.Epoch == p.epoch:
		p.based, p.lost = p.based || v.Based, false
		p.skip(v.At.Seq)
	case v.Based && past.Before(v.At):
		past = v.At
	}
	if p.past.Before(past) {
		p.past = past
	}
	p.settle()
}

// listed reports whether p still counts.
func (c *Core) listed(now time.Duration, p *peer) bool { return now-p.heardAt <= c.cfg.ForgetAfter }

// forgetSilent drops members that nobody has heard for longer than any of their
// records can matter to a node that was away, and beyond maxForgotten those that
// have been silent for longest.
func (c *Core) forgetSilent(now time.Duration) {
	var silent []*peer
	for _, p := range slices.Clone(c.list) {
		switch {
		case c.unheardOf(now, p):
			c.drop(p)
		case !c.listed(now, p):
			silent = append(silent, p)
		}
	}
	slices.SortStableFunc(silent, func(p, q *peer) int { return cmp.Compare(q.heardAt, p.heardAt) })
	for i, p := range silent {
		if c.named != nil {
			break // W2: what a majority rests on is not forgotten, and there are few
		}
		if i >= maxForgotten || now-p.heardAt > max(rememberFor, c.cfg.ForgetAfter) {
			if p.noted.Fate < Forgotten && p.committed.Epoch > 0 && !p.logged {
				continue // once that is stored
			}
			c.dismiss(now, p)
		}
	}
}
