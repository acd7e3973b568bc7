package gossip

import (
	"time"

	"rescind"
)

// Every message says when it was sent, by its sender's wall clock. Whoever has
// recorded it can send it again, and where this node was started since, nothing tells
// that it was seen before. So a member is as silent as its last word that is
// authentic and dated: a message counts as of now if its date is within
// rescind.MaxClockSkew of our clock, by which the clocks of members may differ, and else as of so
// long ago. A member whose clock is wrong is heard by its echo: what names a heartbeat of
// ours of this life was sent after it.

// saidAt returns as of when m counts, by its date alone. fresh: as of now.
func (c *Core) saidAt(now time.Duration, m Message) (at time.Duration, fresh bool) {
	if m.Clock == 0 { // put together by hand
		return now, true
	}
	apart := (sinceEpoch(m.Clock) - now - c.wall).Abs()
	if apart <= rescind.MaxClockSkew {
		return now, true
	}
	return max(now-apart, now-c.cfg.ForgetAfter-1), false // no longer listed will do
}

// sender returns the entry of the sender of a message that counts as of at, or nil
// if there is no room. Of one that was recorded long ago, by whoever sends it again,
// a node remembers as little as of any other member that is no longer listed.
func (c *Core) sender(now, at time.Duration, o Origin) *peer {
	p := c.peers[o]
	switch {
	case p != nil:
		return p
	case now-at > c.cfg.ForgetAfter:
		p = c.unheard(now, o)
	default:
		if p = c.peer(o, now, false); p == nil && c.named == nil {
			c.displace(now)
			p = c.peer(o, now, false)
		}
	}
	if p != nil {
		p.heardAt = at
	}
	return p
}

// echoed returns when this node sent the heartbeat that b echoes, if it is one of
// the latest of this life.
func (c *Core) echoed(b *Beat) (sent time.Duration, ok bool) {
	for _, v := range b.Views {
		if v.Origin == c.cfg.Origin {
			ok = v.At.Epoch == c.cfg.Epoch && v.Echo != 0 && v.Echo <= c.beats && v.Echo+uint64(len(c.sentAt)) > c.beats
			return c.sentAt[v.Echo%uint64(len(c.sentAt))], ok
		}
	}
	return 0, false
}

// aged returns v as of now, where it was said at an earlier time.
func (v View) aged(by time.Duration) View {
	switch {
	case by == 0:
	case v.Age == ageUnknown:
		v.Age = by // and longer: how long is not known
	default:
		v.Age = min(v.Age+by, ageUnknown-1)
	}
	return v
}

// mayAsk reports whether a request is answered: one that is dated as of now, or of a
// process that has echoed this life of ours, within what a member may make this node send.
func (c *Core) mayAsk(now time.Duration, p *peer, current, fresh bool) bool {
	if !current || !fresh && !p.echoes {
		c.replay.Undated++
		return false
	}
	if !p.allowance.left(now) {
		c.replay.Deferred++
		return false
	}
	return true
}

// Replayed counts what was not answered because it may have been recorded.
type Replayed struct {
	Undated  uint64 // requests that are dated otherwise than now, of members that have not echoed this life, or of an earlier life of theirs
	Deferred uint64 // requests of members that had made this node send as much as they may
}

// Replayed returns the counts since the Core was made.
func (c *Core) Replayed() Replayed { return c.replay }

// What one member may make this node send in answers: more than a transfer of the state
// takes on two processors (some 17 MB/s), and far less than a network.
const (
	answerRate  = 32 << 20 // bytes a second
	answerBurst = 64 << 20
)

// allowance is a bucket of bytes that fills at answerRate up to answerBurst. What was sent
// beyond it has to be filled up first. The zero value is full.
type allowance struct {
	used int64 // bytes, as of at
	at   time.Duration
}

func (a *allowance) fill(now time.Duration) {
	if gone := now - a.at; gone > 0 {
		a.used = max(0, a.used-int64(min(gone, time.Minute).Seconds()*answerRate))
		a.at = now
	}
}

func (a *allowance) left(now time.Duration) bool {
	a.fill(now)
	return a.used < answerBurst
}

// answer sends b to p, which asked for it, and charges it.
func (c *Core) answer(to Origin, b Body, records int) {
	if p := c.peers[to]; p != nil {
		p.allowance.used += int64(records)*rescind.RecordSize + 64
	}
	c.sendTo(to, b)
}
