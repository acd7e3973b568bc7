package gossip

import (
	"time"
)

// repair asks for missing ranges: the origin first, then, one after the other,
// the members that have said that they hold more.
func (c *Core) repair(now time.Duration) {
	for _, p := range c.list {
		from, to, missing := p.gap()
		if !missing || p.lost {
			p.attempts, p.askAgain = 0, now+repairAfter
			continue
		}
		if p.received != p.askedAt {
			p.attempts = 0
		}
		if now < p.askAgain || c.Full() {
			continue
		}
		if last := c.peers[p.askedOf]; last != nil && p.attempts > 0 {
			last.portion.shrink(p.askedFor)
		}
		p.askedAt, p.askedOf = p.received, c.holder(now, p, p.attempts)
		if holder := c.peers[p.askedOf]; holder != nil {
			p.askedFor = holder.portion.size(int(min(to-from+1, maxRecords)))
			c.sendTo(holder.origin, &RangeRequest{Origin: p.origin, Epoch: p.epoch, From: from, To: from + uint64(p.askedFor) - 1})
		}
		p.askAgain = now + min(retryFirst<<min(p.attempts, 10), retryMost)
		p.attempts++
	}
}

// holder returns whom to ask for p's records the given time, or 0 if nobody
// is known to have them.
func (c *Core) holder(now time.Duration, p *peer, attempt int) Origin {
	var holders []Origin
	if p.alive(now) {
		holders = append(holders, p.origin)
	}
	for _, q := range c.list {
		if at := q.views[p.origin].At; q != p && q.alive(now) && at.Epoch == p.epoch && at.Seq > p.received {
			holders = append(holders, q.origin)
		}
	}
	if len(holders) == 0 {
		return 0
	}
	return holders[attempt%len(holders)]
}

func (c *Core) stepRangeRequest(now time.Duration, p *peer, req *RangeRequest) {
	if p.rangedAt != 0 && p.ranged == *req && now-p.rangedAt < retryFirst/2 {
		return // by another carrier again
	}
	p.ranged, p.rangedAt = *req, now
	s := &c.own
	if req.Origin != c.cfg.Origin {
		other := c.peers[req.Origin]
		if other == nil {
			if c.isOver(req.Origin, Position{Epoch: req.Epoch}) { // its log is gone with it
				c.answer(p.origin, &RangeReply{Origin: req.Origin, Epoch: req.Epoch, From: req.From, Gone: true}, 0)
			}
			return
		}
		s = &other.stream
	}
	if s.epoch != req.Epoch || req.From > s.received {
		return
	}
	records, ok := s.slice(req.From, min(req.To, req.From+uint64(p.portion.answer(maxRecords))-1))
	c.answer(p.origin, &RangeReply{Origin: req.Origin, Epoch: req.Epoch, From: req.From, Gone: !ok, Records: records}, len(records))
}

func (c *Core) stepRangeReply(now time.Duration, r *RangeReply) {
	p := c.peers[r.Origin]
	if p == nil || p.epoch != r.Epoch {
		return // asked for before its origin was restarted
	}
	if r.Gone && r.From == p.received+1 {
		p.lost = true
		return
	}
	c.stepRecords(p, r.Epoch, r.From, 0, r.Records)
	if p.received > p.askedAt {
		p.askAgain = now // the next part at once
		if holder := c.peers[p.askedOf]; holder != nil {
			holder.portion.grow(p.askedFor)
		}
	}
}

// forgotten reports which members' streams need a transfer of the state.
func (c *Core) forgotten() []*peer {
	var need []*peer
	for _, p := range c.list {
		if p.lost || !p.based && p.epoch != 0 {
			need = append(need, p)
		}
	}
	return need
}
