package cluster

import (
	"context"
	"errors"
	"time"

	"rescind"
	"rescind/gossip"
)

// view is what the loop publishes for other goroutines to read.
type view struct {
	members []gossip.Member
	at      time.Duration // when it was made
	asOf    time.Duration // the set is complete as of then, if known
	known   bool
	heard   time.Duration // when a peer was last heard
	durable uint64        // own records on disk
	reasons []Reason
	quorum  *gossip.Quorum // of named members; nil in an open cluster

	compared gossip.CompareStats
	synced   bool // or alone
	clockOff bool // this node's wall clock differs too much from most others'
	lapsing  rescind.Millis
	trusted  bool // that lapsing may decide that a record's time is over

	replays    gossip.Replayed
	refused    gossip.Refused
	turnedAway uint64 // messages of nodes for which there was no room
	room       int    // how many members there is room for
	met        bool   // another member was heard since the start
	counted    bool   // what this node acknowledges counts with others

	wallAhead time.Duration // when the clock was looked at
}

// publish makes a new view and draws the conclusion whether the node is ready.
func (l *loop) publish() {
	now := steady()
	v := &view{
		at: now, wallAhead: l.wallAhead(), members: l.core.Members(now), durable: l.core.Durable(),
		compared: l.core.CompareStats(), synced: l.cfg.alone() || l.core.Synced(),
		replays: l.core.Replayed(), refused: l.core.Refused(), turnedAway: l.core.TurnedAway(), room: l.core.Room(), met: l.core.Met(), counted: l.core.Counted(),
	}
	for _, m := range v.members {
		if m.Known && !m.Left {
			l.lastHeard = max(l.lastHeard, now-m.Staleness) // the last echo: that we hear it does not mean that it hears us
		}
	}
	v.heard = max(l.lastHeard, l.loaded)
	l.acks.meet(v.members)
	l.told.tell(&l.events, v.members)
	v.quorum = l.lookAtQuorum(now)
	reasons, ready := l.decideReady(v)
	v.asOf, v.known = l.core.Staleness(now)
	if v.known = v.known && v.synced; l.shared != nil {
		v.asOf = min(v.asOf, l.readAsOf)
		v.known = v.known && v.asOf > 0
	}
	v.lapsing, v.trusted = l.core.Lapsing(now)
	v.trusted = v.trusted || l.cfg.alone()
	l.publishReach(l.core.Held()) // work has applied all that this counts
	l.tellLimits(now, v.members)
	v.reasons = append(append(reasons, l.stuck()...), l.warnings(v)...)
	l.clockOff.Store(v.clockOff)
	if before := l.view.Swap(v); before != nil && (before.met != v.met || before.counted != v.counted) {
		l.acks.again()
	}
	l.observe(now, v.members)
	if ready {
		l.becomeReady() // after the view is there: who waits for ready may revoke
	}
}

// warnings says what else an operator should know, and notes whether the clock
// is off.
func (l *loop) warnings(v *view) (reasons []Reason) {
	behind, off := l.core.ClockOff(v.at)
	if v.clockOff = off; off {
		reasons = append(reasons, because(ReasonClockOff, "this machine's clock is %v off most of its peers'; at most %v are allowed: set it right", behind.Abs().Round(time.Second), rescind.MaxClockSkew))
	}
	if other := time.Duration(l.lastOther.Load()); other > 0 && v.at-other < time.Minute {
		reasons = append(reasons, because(ReasonOtherVersion, "a node that speaks another version of the protocol is being heard; the two ignore each other until the older one is upgraded"))
	}
	for _, c := range l.carriers {
		if why := c.Status().Unreached; why != "" {
			reasons = append(reasons, because(ReasonUnreachable, "%s", why))
		}
	}
	if _, trouble := l.store.Trouble(); trouble != nil {
		reasons = append(reasons, because(troubleKind(trouble), "revocations are not acknowledged, because they can't be made durable: %v", trouble))
	}
	if v.quorum != nil {
		for _, note := range v.quorum.Notes {
			reasons = append(reasons, Reason{ReasonMembers, note})
		}
	}
	if l.shared != nil {
		s := l.shared.Stats()
		if n := s.Skipped + s.Duplicates; n > 0 {
			reasons = append(reasons, because(ReasonStrangers, "%d messages in the stream of revocations can't be read: nobody of this cluster wrote them there, or they are damaged", n))
		}
		if s.AllowsRollup {
			reasons = append(reasons, because(ReasonStoreRollup, "the stream of revocations allows roll-up headers: whoever may publish there can wipe it"))
		}
	}
	return reasons
}

// over says why nothing is known any more, or returns nil.
func (n *Node) over() []Reason {
	cause := context.Cause(n.alive)
	switch {
	case cause == nil:
		return nil
	case errors.Is(cause, rescind.ErrClosed):
		return []Reason{{ReasonClosed, cause.Error()}}
	}
	return []Reason{{ReasonFailed, cause.Error()}}
}

// loading says why nothing is known yet.
func (n *Node) loading() []Reason {
	if over := n.over(); over != nil {
		return over
	}
	if n.shared == nil {
		return []Reason{{ReasonLoading, "loading revocations from disk"}}
	}
	if _, trouble := n.shared.Trouble(); trouble != nil {
		return []Reason{because(troubleKind(trouble), "waiting for the stream of revocations: %v", trouble)}
	}
	return []Reason{{ReasonLoading, "reading the stream of revocations"}}
}

// lapsing returns the time by which records lapse, and whether it may decide
// that one's time is over: alone, or where most members agree with this clock.
func (n *Node) lapsing() (at rescind.Millis, trusted bool) {
	v := n.view.Load()
	if v == nil {
		return 0, false
	}
	return v.lapsing, v.trusted
}

// handedOver reports whether every member that is being heard has acknowledged
// all of this node's revocations.
func (n *Node) handedOver(since time.Duration) bool {
	v := n.view.Load()
	switch {
	case v == nil:
		return true
	case v.at <= since: // it may be from before the last revocation
		return false
	}
	for _, m := range v.members {
		if m.Alive && !m.Left && (m.Counts || n.named()) && m.Acked < v.durable {
			return false
		}
	}
	return true
}

// within reports whether this node is known to be at most max behind.
func (n *Node) within(max time.Duration) bool {
	s := n.Staleness()
	return s.Known && s.Bound <= max
}

// FreshWithin reports whether this node is known to be at most max behind. Ask
// before Check, so that what is checked is at least as complete. It does no I/O
// and waits for nothing.
func (n *Node) FreshWithin(max time.Duration) bool {
	if n.within(max) {
		return true
	}
	n.counters.tooStale.Add(1)
	return false
}

// CheckWithin is Check with a bound of the caller's own beside the cluster's
// policy: what would be Valid is Stale where this node may be more than max
// behind. The staleness is usually below 500 ms.
func (n *Node) CheckWithin(t rescind.Token, max time.Duration) rescind.Verdict {
	fresh := n.FreshWithin(max)
	if v := n.Check(t); v != rescind.Valid || fresh {
		return v
	}
	return rescind.Stale
}

// Staleness states how far this node may be behind the members it lists.
func (n *Node) Staleness() Staleness {
	v := n.view.Load()
	if v == nil || !v.known || n.alive.Err() != nil {
		return Staleness{}
	}
	if n.cfg.alone() || len(v.members) == 0 && n.shared == nil {
		return Staleness{Known: true}
	}
	return Staleness{Known: true, Bound: steady() - v.asOf}
}

// isolated reports whether no peer has been heard for so long that the node
// must refuse revocations, if it is configured to.
func (n *Node) isolated() bool {
	v := n.view.Load()
	return n.policy.Load().RefuseIsolated && !n.cfg.alone() && v != nil && steady()-v.heard > n.policy.Load().ForgetAfter
}

// held returns the number of live records by scope.
func (n *Node) held() map[rescind.Scope]int {
	held := make(map[rescind.Scope]int, rescind.NumScopes)
	for _, scope := range rescind.Scopes() {
		held[scope] = n.set.Held(scope)
	}
	return held
}

// Status returns this node's view of itself and its cluster.
func (n *Node) Status() Status {
	id := n.store.Identity()
	s := Status{
		Cluster: n.cfg.Cluster, Name: n.cfg.Name,
		Origin: gossip.Origin(id.Origin).String(), Epoch: id.Epoch,
		Uptime:    steady() - n.started,
		Ready:     n.ready.Load() && !n.clockOff.Load(),
		Staleness: n.Staleness(), Bound: n.boundKind(),
		Revocations: n.held(), Total: n.set.Len(), Max: n.policy.Load().MaxRevocations, MaxBytes: n.policy.Load().MaxBytes, Filter: n.set.Stats(),
		Counters: n.counters.snapshot(), Window: n.measured.window.Snapshot(),
		Accepted: n.counters.byScope(), Refused: n.refused(),
		StalenessSeen: n.measured.staleness.Snapshot(), Gaps: n.measured.gaps.Snapshot(),
		Queues: n.queues(), InboxBytes: n.inbox.bytes.Load(), Store: n.storeStats(),
	}
	for scope := range s.InForce {
		s.InForce[scope] = n.events.inForce[scope].Load()
	}
	for _, c := range n.carriers {
		st := c.Status()
		s.Carriers = append(s.Carriers, st)
		s.Counters.Refused += st.Foreign
	}
	v := n.view.Load()
	if v == nil {
		s.Reasons = n.loading()
		return s
	}
	s.Reasons, s.Comparisons, s.Quorum = v.reasons, v.compared, quorumOf(v.quorum)
	s.Counters.TurnedAway, s.Room = v.turnedAway, v.room
	s.Counters.ForgedAcks = v.refused.Acks
	s.Counters.Epochs, s.Counters.Numbers, s.Counters.Newcomers = v.refused.Epochs, v.refused.Numbers, v.refused.Newcomers
	s.Counters.Undated, s.Counters.Deferred = v.replays.Undated, v.replays.Deferred
	if over := n.over(); over != nil {
		s.Reasons = over
	}
	elapsed := steady() - v.at
	windows := n.acks.windowsOf()
	for _, m := range v.members {
		member := memberOf(m, elapsed, v.durable)
		member.Window = windows[m.Origin]
		s.Members = append(s.Members, member)
	}
	return s
}

func (n *Node) storeStats() StoreStats {
	st := n.store.Stats()
	return StoreStats{
		DiskBytes: st.DiskBytes, LogBytes: st.LogBytes, Syncs: st.Syncs,
		SharedBytes: st.SharedBytes, SharedLimit: st.SharedLimit, Losses: st.Losses, Rewritten: st.Rewritten, Strangers: st.Skipped + st.Duplicates,
		SlowOperations: st.SlowOperations, BackgroundErrors: st.BackgroundErrors, Crowded: st.Crowded,
	}
}

func memberOf(m gossip.Member, elapsed time.Duration, durable uint64) Member {
	state := MemberSilent
	switch {
	case m.Left:
		state = MemberLeft
	case m.Alive:
		state = MemberAlive
	}
	return Member{
		Name: m.Name, Origin: m.Origin.String(), Epoch: m.Epoch, State: state,
		Staleness: m.Staleness + elapsed, Known: m.Known,
		ClockSkew: m.Skew, ClockSkewError: m.SkewError,
		LastHeard: m.Heard + elapsed, Behind: m.Behind, Unacked: durable - min(durable, m.Acked),
	}
}
