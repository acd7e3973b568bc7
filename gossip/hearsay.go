package gossip

import (
	"slices"
	"time"
)

// Who said it. A heartbeat and a leave are signed, so they are the word of their
// origin, whoever brings them: a member hands on the latest ones of others to who has
// missed them. What a member says of another without that is hearsay. It tells of
// streams that somebody may hold, so that nobody overlooks them, and no more:
//
//   - It neither stops a node nor makes a member leave, and once a member has spoken
//     in this life, hearsay moves neither its epoch nor how long its stream is
//     beyond what it can have become.
//   - An epoch that is known by hearsay only is given up when its origin says
//     otherwise in answer to a heartbeat that was sent after it was heard of.
//   - A member counts once it has echoed a heartbeat of this node. Who is told to
//     count elsewhere counts for as long as its own word arrives, too. Any number of
//     origins that somebody invents change no bound, and are forgotten by themselves.

// Bounds of what others make a node remember and send.
const (
	maxLead       = 1 << 20 // by how many records a stream may be ahead of its last heartbeat
	maxIntroduced = 256     // streams that are known by one member's word only
	forgetUnheard = 10 * time.Second
	maxRelayed    = 8 // messages handed on for each heartbeat of a member
	relayAfter    = 5 // heartbeats that somebody else has missed
)

// Refused counts what was not taken because it can't be so, or because nobody but its
// sender says so.
type Refused struct {
	Epochs    uint64 // epochs known by hearsay that their origin has contradicted
	Numbers   uint64 // records and lengths beyond what a stream can have become
	Newcomers uint64 // streams that a member told of beyond maxIntroduced
	Acks      uint64 // acknowledgements in the name of somebody who has not made them, and keys that pass for another's
}

// Refused returns the counts since the Core was made.
func (c *Core) Refused() Refused { return c.refused }

// speaks takes note of p's own word, and reports whether it is of its current epoch.
func (c *Core) speaks(now time.Duration, p *peer, m Message) bool {
	if m.Epoch < p.epoch && !p.spoken {
		b, ok := m.Body.(*Beat)
		if !ok {
			return false
		}
		if sent, echoed := c.echoed(b); !echoed || sent <= p.enteredAt {
			return false // it may be from before
		}
		c.disown(p, m.Epoch)
	}
	current := c.enter(now, p, m.Epoch)
	p.spoken = p.spoken || current
	return current
}

// disown gives up what was said of p by others: its origin, which had heard of us
// since, is in an earlier epoch. What is held up to there stays.
func (c *Core) disown(p *peer, epoch uint64) {
	c.refused.Epochs++
	kept, past := p.committed, p.past
	if kept.Epoch > epoch {
		kept = Position{}
		c.forget = append(c.forget, p.origin)
	}
	if past.Epoch >= epoch {
		past = Position{}
	}
	p.stream, p.past, p.committed, p.acknowledged = stream{}, past, kept, Position{}
	p.based, p.known, p.lost, p.durable, p.owes, p.previous = false, false, false, 0, 0, Position{}
	if kept.Epoch == epoch {
		p.stream = stream{epoch: epoch, received: kept.Seq, head: kept.Seq}
		p.based, p.durable = true, kept.Seq
	}
}

// reach is how long p's stream can be by now.
func (p *peer) reach() uint64 {
	most := max(p.stated, p.received)
	return most + min(maxLead, ^uint64(0)-most)
}

func (p *peer) reaches(number uint64) bool { return number <= p.reach() }

// counts reports whether p counts in the bound: it has echoed a heartbeat of ours; or
// it was stored in this folder; or a member says that it counts there, and its own
// word arrives.
func (c *Core) counts(now time.Duration, p *peer) bool {
	return p.admitted || p.logged || p.vouched && p.spoken && p.alive(now)
}

// vouch notes that a member which counts says that p counts there, and so acknowledges.
func (p *peer) vouch(by *peer) { p.vouched = p.vouched || by.admitted && by.echoes }

// tells reports whether the views of a heartbeat to all speak of p: of one that nobody
// hears, and of whom nothing is held, there is nothing to say.
func (c *Core) tells(now time.Duration, p *peer) bool {
	if c.named != nil || p.admitted || p.logged || p.spoken && p.alive(now) {
		return true
	}
	v := p.view(now)
	v.Echo = 0
	return !v.empty()
}

// tellsOf returns the members of whom heartbeats tell, by origin.
func (c *Core) tellsOf(now time.Duration) []*peer {
	all := true
	for _, p := range c.list {
		all = all && c.tells(now, p)
	}
	if all {
		return c.list
	}
	return slices.DeleteFunc(slices.Clone(c.list), func(p *peer) bool { return !c.tells(now, p) })
}

// unheardOf reports whether nothing speaks for p being there any more.
func (c *Core) unheardOf(now time.Duration, p *peer) bool {
	return c.named == nil && !p.admitted && !p.logged && now-p.enteredAt > forgetUnheard &&
		!(p.spoken && p.alive(now)) && p.received == 0 && p.past == Position{} && p.committed == Position{}
}

// drop forgets p altogether.
func (c *Core) drop(p *peer) {
	if by := c.peers[p.by]; by != nil && by.introduced > 0 {
		by.introduced--
	}
	delete(c.peers, p.origin)
	c.list = slices.DeleteFunc(c.list, func(q *peer) bool { return q == p })
}

// displace makes room for a member that speaks itself, at the cost of one that does not.
func (c *Core) displace(now time.Duration) {
	for _, p := range c.list {
		if !p.admitted && !p.logged && p.committed == (Position{}) && !(p.spoken && p.alive(now)) {
			c.drop(p)
			return
		}
	}
}

// relay hands on to q what others have said themselves and q has missed, by what it
// says in b of them.
func (c *Core) relay(now time.Duration, q *peer, b *Beat) {
	if !q.echoes || !q.admitted && c.named == nil {
		return
	}
	views := make(map[Origin]View, len(b.Views))
	for _, v := range b.Views {
		views[v.Origin] = v
	}
	width, left := uint64(b.UpTo-b.After), maxRelayed
	for _, v := range b.Views {
		if kept := c.aside[v.Origin]; kept.left && kept.leave != nil && !v.Left && left > 0 {
			c.send = append(c.send, Outgoing{q.origin, *kept.leave})
			left--
		}
	}
	for _, p := range c.list {
		if left == 0 {
			return
		}
		if p == q || width != 0 && uint64(p.origin-b.After-1) >= width {
			continue // in this heartbeat it says nothing of p
		}
		v, knows := views[p.origin]
		behind := !knows || v.At.Epoch < p.epoch || v.At.Epoch == p.epoch && v.Echo+relayAfter <= p.beatN
		switch {
		case p.said != nil && p.said.Epoch == p.epoch && behind && p.alive(now):
			c.send = append(c.send, Outgoing{q.origin, *p.said})
		case p.leave != nil && p.left && knows && v.At.Epoch <= p.epoch && !v.Left && now-p.leaveAt >= BeatEvery:
			p.leaveAt = now
			c.send = append(c.send, Outgoing{q.origin, *p.leave})
		default:
			continue
		}
		left--
	}
}
