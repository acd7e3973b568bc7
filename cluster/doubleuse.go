package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"rescind"
)

// DoubleUse says that two nodes have accepted the same one-time token, which
// rescind.Available allows while neither has heard of the other's use. Each of
// the two nodes reports it; again perhaps after a restart. Counters.DoubleUses
// counts it at the node with the later use only, so that the sum over all nodes
// is the number of uses too many.
type DoubleUse struct {
	Digest rescind.Digest // names the token without telling it

	// First and Second are in the order of the nodes' clocks.
	First, Second NodeUse

	// SessionEnded says that its session has been revoked, by
	// Config.RevokeDoubleUsed. If that fails, it is tried again until it
	// succeeds or the node is closed.
	SessionEnded bool
}

// NodeUse is one use of a one-time token.
type NodeUse struct {
	Node string // its name; "unknown" if this node does not list it
	At   time.Time
}

const (
	// maxOwnUses bounds the uses that a node remembers apart from the set. Older
	// ones are still found in the set, if no later use has covered them there.
	maxOwnUses = 1 << 16

	// maxMet bounds the other uses of one token that are told apart.
	maxMet = 16

	// maxDoubles bounds the reports that wait: a partition that heals may bring
	// one for each use of ours.
	maxDoubles = maxOwnUses

	// endSessionsEvery is how soon the end of a session that could not be
	// revoked is tried again.
	endSessionsEvery = time.Second
)

// uses are the one-time tokens that this node has accepted lately.
type uses struct {
	mu    sync.Mutex // makes looking into the set and adding a use to it one step
	own   map[rescind.Digest]*ownUse
	order []rescind.Digest // a ring of what own holds, oldest at next
	next  int

	doubles []double      // that wait for the reporter, at most maxDoubles
	met     chan struct{} // tells it
}

// ownUse is a use that this node accepted.
type ownUse struct {
	use     rescind.Use
	session rescind.Record // to be revoked; without a digest: none
	met     []rescind.Use  // others, each reported
	counted bool
}

// double is a report under way.
type double struct {
	digest     rescind.Digest
	own, other rescind.Use
	session    rescind.Record
}

func (u *uses) enterLocked(d rescind.Digest, o *ownUse) {
	if u.own == nil {
		u.own = make(map[rescind.Digest]*ownUse)
	}
	if _, again := u.own[d]; !again {
		if len(u.order) < maxOwnUses {
			u.order = append(u.order, d)
		} else {
			delete(u.own, u.order[u.next])
			u.order[u.next] = d
			u.next = (u.next + 1) % maxOwnUses
		}
	}
	u.own[d] = o
}

// merge joins a record from elsewhere into the set and tells whoever watches.
func (n *Node) merge(r rescind.Record) (joined rescind.Record, changed bool) {
	if joined, changed = n.mergeUse(r); changed {
		n.noticed(joined, false)
	}
	return joined, changed
}

// mergeUse joins a record and finds out whether it is another use of a token
// that this node accepted. Neither the carrier nor the number of times that it
// arrives matters: one use always looks the same.
func (n *Node) mergeUse(r rescind.Record) (rescind.Record, bool) {
	use, ok := r.Use()
	if !ok {
		return n.set.Merge(r)
	}
	n.uses.mu.Lock()
	defer n.uses.mu.Unlock()
	if n.uses.own[r.Digest] == nil {
		n.recallLocked(r.Digest)
	}
	joined, changed := n.set.Merge(r)
	n.meetLocked(r, use)
	return joined, changed
}

// recallLocked finds a use of ours from before a restart, or long ago, in the
// set. Its session is no longer known here.
func (n *Node) recallLocked(d rescind.Digest) {
	held, _ := n.set.Lookup(d)
	if use, ok := held.Use(); ok && use.Node == n.useNode() {
		n.uses.enterLocked(d, &ownUse{use: use})
	}
}

// meetLocked reports other, if it is not ours and new.
func (n *Node) meetLocked(r rescind.Record, other rescind.Use) {
	o := n.uses.own[r.Digest]
	if o == nil || other == o.use || len(o.met) == maxMet || slices.Contains(o.met, other) {
		return
	}
	o.met = append(o.met, other)
	if !o.counted && other.IssuedBefore() < o.use.IssuedBefore() {
		o.counted = true
		n.counters.doubleUses.Add(1)
	}
	if len(n.uses.doubles) == maxDoubles {
		o.met = o.met[:len(o.met)-1] // it is found again when it arrives again
		n.log.Warn("a one-time token was used twice; too many such reports at once, this one without names")
		return
	}
	n.uses.doubles = append(n.uses.doubles, double{r.Digest, o.use, other, o.session})
	select {
	case n.uses.met <- struct{}{}:
	default: // the reporter has been told and has not looked yet
	}
}

// reportDoubles tells of double uses until ctx ends, and ends sessions until it
// has succeeded: a node that is full or cut off for a while forgets none.
func (n *Node) reportDoubles(ctx context.Context) {
	again := time.NewTicker(endSessionsEvery)
	defer again.Stop()
	var unended []rescind.Record
	for {
		select {
		case <-n.uses.met:
		case <-again.C:
			unended = slices.DeleteFunc(unended, func(session rescind.Record) bool { return n.endSession(ctx, session) == nil })
			continue
		case <-ctx.Done():
			return
		}
		n.uses.mu.Lock()
		doubles := n.uses.doubles
		n.uses.doubles = nil
		n.uses.mu.Unlock()
		for _, d := range doubles {
			if ended := n.report(ctx, d); !ended && len(unended) < maxDoubles {
				unended = append(unended, d.session)
			}
		}
	}
}

// report tells of d and reports false if its session is still to be ended.
func (n *Node) report(ctx context.Context, d double) (ended bool) {
	first, second := d.own, d.other
	if second.IssuedBefore() < first.IssuedBefore() {
		first, second = second, first
	}
	event := DoubleUse{Digest: d.digest, First: n.nodeUse(first), Second: n.nodeUse(second)}
	ended = true
	if d.session.Digest != (rescind.Digest{}) {
		if err := n.endSession(ctx, d.session); err != nil {
			n.log.Error("could not revoke the session of a one-time token that was used twice; this is tried again", "error", err)
			ended = false
		} else {
			event.SessionEnded = true
		}
	}
	n.log.Warn("a one-time token was used on two nodes", "digest", d.digest.String(),
		"first", event.First.Node, "first-at", event.First.At, "second", event.Second.Node, "second-at", event.Second.At,
		"session-ended", event.SessionEnded)
	if n.cfg.OnDoubleUse != nil {
		n.cfg.OnDoubleUse(event)
	}
	return ended
}

func (n *Node) endSession(ctx context.Context, session rescind.Record) error {
	if err := n.accepting(); err != nil {
		return err
	}
	record, err := n.accept(session)
	if err != nil {
		return fmt.Errorf("revoke a session: %w", err)
	}
	return n.keepUse(ctx, time.Now(), record)
}

func (n *Node) nodeUse(u rescind.Use) NodeUse {
	return NodeUse{Node: n.nameOf(u.Node), At: u.At.Time()}
}

// nameOf returns the name of the node whose uses carry this number.
func (n *Node) nameOf(node uint32) string {
	if node == n.useNode() {
		return n.cfg.Name
	}
	if v := n.view.Load(); v != nil {
		for _, m := range v.members {
			if rescind.NodeOf(uint64(m.Origin)) == node {
				return m.Name
			}
		}
	}
	return "unknown"
}
