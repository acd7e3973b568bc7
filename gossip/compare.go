package gossip

import (
	"time"

	"rescind"
)

// Comparison by sums, for what the numbers of streams can't tell: an apply that
// was skipped, memory that flipped, a bookkeeping error, a record that its
// origin sent and lost in a crash. It is range-based set reconciliation (Meyer,
// 2023): two members exchange the sums of ranges, divide those that differ, and
// list the records of those that are small. Each step answers the one before, and
// all that is remembered of it is its number, so a lost one costs a round and
// nothing else.
//
// What is on its way when two members compare looks like a difference. So a
// record that seems to be missing waits for settle, and only if it has not come
// by itself then is it a difference that was healed.
const (
	compareEvery  = 30 * time.Second // after a round in which the sums were equal, plus up to a third
	compareSoon   = 5 * time.Second  // after one in which they were not
	compareWithin = 5 * time.Second  // for a whole round, else it counts as unanswered
	settle        = 3 * time.Second
	// CompareSpan bounds a round and what follows from it. Records that any
	// node may sweep within it are not compared.
	CompareSpan = 30 * time.Second

	// stuckAfter is how often a part of the state is asked for in vain before a
	// comparison is tried as well.
	stuckAfter  = 4
	maxHops     = 32
	maxCompares = 16      // steps that wait for the caller
	maxSuspects = 1 << 14 // records that wait for settle
	// shortBy is how many records a member may have more before its state is
	// asked for as a whole: it comes in order and without questions.
	shortBy = 1 << 15
)

// Comparison is a step that the caller takes: see Against.
type Comparison struct {
	with  Origin
	round uint64
	hop   uint64 // of the step that is answered
	cut   bool
	parts []Part // nil: the first step of a round
	most  int    // records and parts that the outcome may hold
	whole bool   // all is compared, also what may be swept soon
}

// initiator reports whether the round is this node's: those who began it send
// the even steps.
func (c Comparison) initiator() bool { return c.parts == nil || c.hop%2 == 1 }

// comparing is the round that this node has begun.
type comparing struct {
	round     uint64
	with      Origin // 0: none is under way
	whole     bool   // it compares all
	last      Origin // with whom the one before was
	deadline  time.Duration
	nextAt    time.Duration
	hop       uint64        // of the last step of the round that was taken here
	verify    bool          // a transfer of the state has ended and is not trusted yet
	trustAt   time.Duration // when it is, because what a round found missing has come; 0: not known
	suspects  []suspect
	suspected map[suspected]bool // those in suspects
	stats     CompareStats
}

// suspect is a record that one of two members seemed to lack.
type suspect struct {
	due time.Duration
	suspected
}

// suspected tells suspects apart: rounds may follow each other sooner than they are
// settled.
type suspected struct {
	to     Origin // 0: lacked here
	record rescind.Record
}

// CompareStats counts this node's rounds.
type CompareStats struct {
	Equal      uint64 // the sums were equal at once
	Different  uint64 // they were not, if only because of what was on its way
	Unanswered uint64 // the round did not end in time
}

// CompareStats returns the counts since the Core was made.
func (c *Core) CompareStats() CompareStats { return c.comparing.stats }

// compare begins a round when one is due, ends one that is overdue, and settles
// suspects.
func (c *Core) compare(now time.Duration) {
	u := &c.comparing
	if c.Full() {
		return // what would be found has no place yet
	}
	c.settleSuspects(now)
	if u.with != 0 && now >= u.deadline {
		u.stats.Unanswered++
		if p := c.peers[u.with]; p != nil {
			p.portion.shrink(p.portion.size(maxListed))
		}
		u.with, u.nextAt = 0, now
	}
	if u.trustAt != 0 && now >= u.trustAt {
		u.verify, u.trustAt = false, 0
	}
	stuck := c.pull != nil && !c.synced && c.pull.tries > stuckAfter
	if u.with != 0 || u.trustAt != 0 || now < u.nextAt || c.pull != nil && !stuck || !c.synced && !u.verify && !stuck {
		return
	}
	if _, off := c.ClockOff(now); off {
		return // what others have forgotten for good would look missing
	}
	p := c.comparand(now)
	if p == nil {
		return
	}
	u.round++
	u.with, u.last, u.hop, u.deadline = p.origin, p.origin, 0, now+compareWithin
	u.whole = !c.synced
	c.compares = append(c.compares, Comparison{with: p.origin, round: u.round, most: p.portion.answer(maxRecords), whole: u.whole})
}

// comparand returns the next member after the last one, in the order of
// origins, that has no gap to us nor we to it: repair is at work there. What a
// transfer has brought is verified with whoever there is, best one who has
// caught up.
func (c *Core) comparand(now time.Duration) (next *peer) {
	for _, p := range c.list {
		even := p.based && p.received >= p.head && p.acked+maxBatch >= c.durable
		if !p.alive(now) || !p.echoes || !even && !c.comparing.verify && c.synced {
			continue
		}
		better := next == nil || p.origin > c.comparing.last && next.origin <= c.comparing.last
		if c.comparing.verify && next != nil && p.synced != next.synced {
			better = p.synced
		}
		if better {
			next = p
		}
	}
	return next
}

// stepCompare takes a step of p's. One without parts ends the round.
func (c *Core) stepCompare(now time.Duration, p *peer, b *Compare) {
	p.portion.heed(b.Most)
	step := Comparison{with: p.origin, round: b.Round, hop: b.Hop, cut: b.Cut, parts: b.Parts, most: p.portion.answer(maxRecords)}
	if step.hop%2 == 1 {
		if p.origin != c.comparing.with || b.Round != c.comparing.round || b.Hop <= c.comparing.hop {
			return // of a round that has ended here, or by another carrier again
		}
		c.comparing.hop = b.Hop
	} else {
		at := Position{b.Round, b.Hop + 1}
		if !p.asked.Before(at) {
			return // again, or replayed
		}
		p.asked = at
	}
	if len(b.Parts) == 0 {
		if step.hop%2 == 1 {
			p.portion.grow(0)
			c.endRound(now, b.Hop > 1 || b.Cut, b.Cut)
		}
		return
	}
	if b.Hop < maxHops && len(c.compares) < maxCompares {
		c.compares = append(c.compares, step)
	}
}

// Compared takes the outcome of a step.
func (c *Core) Compared(now time.Duration, s Comparison, o Outcome) {
	if s.initiator() && c.comparing.round != s.round {
		return
	}
	cut := s.cut || o.cut
	for _, r := range o.lacking {
		if (c.comparing.verify || !c.synced) && !c.Full() {
			c.mend(r)
		} else {
			cut = !c.suspect(now, 0, r) || cut
		}
	}
	for _, r := range o.surplus {
		cut = !c.suspect(now, s.with, r) || cut
	}
	if o.short > shortBy && c.pull == nil {
		c.transfer(now, s.with)
		o.reply, cut = nil, true
	}
	switch {
	case s.parts == nil:
		c.sendTo(s.with, &Compare{Round: s.round, Most: c.asks(s.with), Parts: o.reply})
	case s.initiator() && len(o.reply) == 0:
		c.endRound(now, true, cut)
	default:
		c.answer(s.with, &Compare{Round: s.round, Hop: s.hop + 1, Cut: cut, Most: c.asks(s.with), Parts: o.reply}, o.listed+2*len(o.reply))
	}
}

func (c *Core) endRound(now time.Duration, different, cut bool) {
	u := &c.comparing
	with := u.with
	u.with = 0
	if !different {
		u.verify = false
		c.synced = c.synced || c.named == nil && c.others == nil && c.reconciled(now, with)
		u.stats.Equal++
		u.nextAt = now + c.cfg.CompareEvery + c.jitter(c.cfg.CompareEvery/3)
		return
	}
	u.stats.Different++
	u.nextAt = now + min(compareSoon, c.cfg.CompareEvery)
	switch {
	case (u.verify || !c.synced) && cut: // the rest at once, or nearly
		u.nextAt = now + BeatEvery
	case cut && c.narrow(with): // there is room for few in a round, so rounds follow each other
		u.nextAt = now + BeatEvery
	case u.verify: // the other supplies what it has found, once that is settled
		u.trustAt = now + settle + time.Second
	}
}

// reconciled reports whether a round that found no difference makes this node
// synchronised: it compared all, with a member that has caught up, so that all
// which that one holds is held here. That the transfer of the state has not ended
// only means that nobody knows yet up to which numbers.
func (c *Core) reconciled(now time.Duration, with Origin) bool {
	p := c.peers[with]
	_, off := c.ClockOff(now)
	return c.comparing.whole && p != nil && p.synced && p.echoes && p.alive(now) && !off
}

// supplyMost is how many records a member is brought at a time.
func (c *Core) supplyMost(to Origin) int {
	if p := c.peers[to]; p != nil {
		return p.portion.answer(maxBatch)
	}
	return maxBatch
}

// asks says how many records a member's answer is to hold.
func (c *Core) asks(of Origin) uint64 {
	if p := c.peers[of]; p != nil {
		return uint64(p.portion.size(maxRecords))
	}
	return maxRecords
}

// distrust has what a transfer of the state has brought verified before it
// counts.
func (c *Core) distrust(now time.Duration) {
	c.comparing.verify, c.comparing.trustAt, c.comparing.nextAt = true, 0, now
}

// firstRound is where a node begins to number the rounds of a life: elsewhere than in
// any other life, and than any other node. Else who has recorded that a round found no
// difference could end another round with that.
func firstRound(o Origin, epoch uint64) uint64 {
	x := (uint64(o)*0x9e3779b97f4a7c15 ^ epoch) * 0xbf58476d1ce4e5b9
	return (x ^ x>>29) >> 1
}

// narrow reports whether the steps of a round with a member hold less than they may.
func (c *Core) narrow(with Origin) bool {
	p := c.peers[with]
	return p != nil && p.portion.answer(maxListed) < maxListed
}

// jitter keeps members from comparing in step. It depends on who and which
// round alone, so that runs are decided by their seed.
func (c *Core) jitter(most time.Duration) time.Duration {
	x := uint64(c.cfg.Origin)*0x9e3779b97f4a7c15 + c.comparing.round*0xbf58476d1ce4e5b9
	return time.Duration((x ^ x>>29) % uint64(most))
}

// suspect remembers r until it is settled, and reports whether there was room.
func (c *Core) suspect(now time.Duration, to Origin, r rescind.Record) bool {
	u := &c.comparing
	if u.suspected[suspected{to, r}] {
		return true
	}
	if len(u.suspects) >= maxSuspects {
		return false
	}
	if u.suspected == nil {
		u.suspected = map[suspected]bool{}
	}
	u.suspected[suspected{to, r}] = true
	u.suspects = append(c.comparing.suspects, suspect{now + settle, suspected{to, r}})
	return true
}

// mend takes records that a comparison has found to be missing here.
func (c *Core) mend(records ...rescind.Record) {
	c.heal = append(c.heal, records...)
	c.uncommitted = append(c.uncommitted, records...)
}

// settleSuspects heals what is lacked here and supplies what others lack. What
// has come by itself meanwhile changes nothing when it comes again.
func (c *Core) settleSuspects(now time.Duration) {
	u := &c.comparing
	n := 0
	supplies := map[Origin]*Supply{}
	for ; n < len(u.suspects) && u.suspects[n].due <= now; n++ {
		s := u.suspects[n]
		delete(u.suspected, s.suspected)
		if s.to == 0 {
			c.mend(s.record)
			continue
		}
		m := supplies[s.to]
		if m == nil || len(m.Records) >= c.supplyMost(s.to) {
			m = new(Supply)
			supplies[s.to] = m
			c.sendTo(s.to, m)
		}
		m.Records = append(m.Records, s.record)
	}
	u.suspects = u.suspects[n:]
	if len(u.suspects) == 0 {
		u.suspects, u.suspected = nil, nil
	}
}
