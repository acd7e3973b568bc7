package gossip

import (
	"time"

	"rescind"
)

// Ready is what the caller has to do, in the order that the package comment
// states.
type Ready struct {
	Apply    []rescind.Record
	Heal     []rescind.Record // to merge as well: what comparisons have found to be missing
	Send     []Outgoing
	Commit   *Commit
	Scans    []Scan
	Compares []Comparison
	Acks     []PeerAck

	// Due, if not 0, is when there will be a Commit: Ready is then to be called
	// again, whatever else happens.
	Due time.Duration
}

// Outgoing is a message and its addressee; To 0 is everybody.
type Outgoing struct {
	To      Origin
	Message Message
}

// Commit is what must become durable, atomically. Records of the same digest
// may occur more than once.
type Commit struct {
	Records   []rescind.Record
	Own       uint64 // the highest of our numbers contained in this and earlier commits
	Frontiers map[Origin]Position
	Notes     map[Origin]Note // to replace the stored ones
	Forget    []Origin        // their frontiers and notes are dropped

	// Complete says that with this commit the folder holds all that there was when
	// this node became ready: see Config.Complete.
	Complete bool
	Roll     *RollState // to replace the stored one; nil: it stays
}

// PeerAck says that a member has committed our records up to Seq.
type PeerAck struct {
	Origin Origin
	Name   string
	Seq    uint64
}

// Scan is a member's request for a part of the state.
type Scan struct {
	Cursor rescind.Digest
	Most   int // about how many records the answer is to hold

	to    Origin
	views []View // taken before the scan, see StateReply
}

// Ready returns what there is to do and forgets all but the commit, of which
// it yields no second one before Advance.
func (c *Core) Ready(now time.Duration) Ready {
	c.keepLogged()
	commit := c.commit(now)
	for i := range c.send {
		m := &c.send[i].Message
		if m.Proof != nil {
			continue // another's, handed on
		}
		m.Clock = max(c.wallAt(now), 1)
		if isSigned(m.Body) && !c.cfg.Key.IsZero() {
			m.Sign(c.cfg.Key)
		}
	}
	r := Ready{
		Apply: c.apply, Heal: c.heal, Send: c.send, Commit: commit,
		Scans: c.scans, Compares: c.compares, Acks: c.acks, Due: c.gatherUntil,
	}
	c.apply, c.heal, c.send, c.scans, c.compares, c.acks = nil, nil, nil, nil, nil, nil
	return r
}

func (c *Core) commit(now time.Duration) *Commit {
	if c.committing != nil {
		return nil
	}
	moved, awaited := c.moved()
	bare := len(c.uncommitted) == 0
	completes := c.complete && !c.noted
	notes := c.changedNotes(now)
	if bare && c.named.settled(now) && len(notes) == 0 &&
		(len(moved)+len(c.forget) == 0 && !completes || !awaited && now < c.committedAt+persistView) {
		return nil
	}
	if c.gathering(now, bare) {
		c.notedAt = 0 // with what is gathered
		return nil
	}
	c.committing = &Commit{Records: c.uncommitted, Own: c.own.received, Frontiers: moved, Notes: notes, Forget: c.forget, Complete: completes}
	for _, p := range c.list {
		p.committing = p.at()
	}
	c.committing.Roll = c.named.write(now)
	c.uncommitted, c.forget, c.committedAt, c.handed = nil, nil, now, c.own.received
	return c.committing
}

// gathering reports whether what waits for the disk goes on waiting, and since
// when it may not. Records of our own, for which a caller waits, never do.
func (c *Core) gathering(now time.Duration, bare bool) bool {
	if bare || c.own.received > c.handed || c.Full() {
		c.gatherUntil = 0
		return false
	}
	if c.gatherUntil == 0 {
		c.gatherUntil = now + gather
	}
	if now >= c.gatherUntil {
		c.gatherUntil = 0
	}
	return c.gatherUntil != 0
}

// Advance says that the last commit is durable.
func (c *Core) Advance() {
	done := c.committing
	if done == nil {
		return
	}
	c.committing = nil
	c.durable, c.noted = done.Own, c.noted || done.Complete
	c.named.stored(done.Roll)
	c.stored(done.Frontiers)
	c.keptNotes(done.Notes)
}
