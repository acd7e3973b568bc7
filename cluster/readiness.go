package cluster

import (
	"strings"
	"time"

	"rescind/gossip"
)

// foreignFor is for how long somebody with another key counts as being there. A
// node that takes part sends, or is tried, every few seconds.
const foreignFor = time.Minute

// decideReady returns what an operator should know, and whether the node may be
// ready. Core.Standing decides; what it can't know is in surroundings.
func (l *loop) decideReady(v *view) (reasons []Reason, ready bool) {
	if l.named() {
		return l.namedReady(v)
	}
	if l.cfg.alone() {
		l.core.Found()
		return nil, true
	}
	if others := l.core.NamedElsewhere(); others != nil {
		return []Reason{because(ReasonNotNamed, "the members of this cluster are %s, and %s is not one of them: set cluster.follow",
			strings.Join(others, ","), l.cfg.Name)}, l.ready.Load()
	}
	if l.shared != nil {
		switch {
		case l.readFromLog(v):
			return nil, true
		case !v.synced && !l.shared.Whole():
			return []Reason{{ReasonStoreLost, "the stream of revocations lacks what nodes that run have written; one of them is writing it back"}}, false
		}
	}
	state := l.core.Standing(v.at, l.surroundings(v))
	if state == gossip.StateFirst && !l.ready.Load() {
		l.core.Found()
		v.synced = true
		l.log.Info("nobody else is there: this is the first node of its cluster", "bootstrap", l.cfg.Bootstrap)
	}
	if state == gossip.StateOwnDisk && !l.warned {
		l.warned = true
		l.log.Warn("no peer reached within the join timeout: serving from this node's own disk, with unknown staleness", "timeout", l.cfg.JoinTimeout)
	}
	if reason := l.reasonFor(state); reason.Kind != "" {
		reasons = []Reason{reason}
	}
	return reasons, state.Ready()
}

// reasonFor says a state in words. The zero Reason says that there is nothing to say.
func (l *loop) reasonFor(s gossip.State) Reason {
	switch s {
	case gossip.StateSynced, gossip.StateFirst:
		return Reason{}
	case gossip.StateSynchronising:
		if l.ready.Load() {
			return because(ReasonSynchronising, "synchronising with a peer that was met after this node became ready")
		}
		return because(ReasonSynchronising, "synchronising with a peer; no time-out ends this, since a peer has been met")
	case gossip.StateFull:
		return because(ReasonNoRoom, "a member of the cluster has no room for another one, so this node is not heard there: start fewer members")
	case gossip.StateForeign:
		return because(ReasonForeignKey, "somebody is there whose key does not fit: compare cluster.key-file, cluster.transport-keys-file and cluster.name on all nodes")
	case gossip.StateLooking:
		return because(ReasonLooking, "looking for a peer")
	case gossip.StateEmpty:
		return because(ReasonEmpty, "no peer reached, and this node's folder is empty or was never complete; a seed that does not answer may have what is missing here. If this is the first node of a new cluster, say so with cluster.bootstrap: true")
	case gossip.StateOwnDiskOnly:
		return because(ReasonNoPeer, "no peer reached; this node knows only its own disk, and checks.on-stale is reject")
	default:
		return because(ReasonNoPeer, "no peer reached; this node knows only its own disk, its staleness is unknown, and it forgets nothing until a peer confirms its clock")
	}
}

// surroundings is what this node knows beside messages.
func (l *loop) surroundings(v *view) gossip.Surroundings {
	s := gossip.Surroundings{
		Waited:    v.at-l.loaded >= l.cfg.JoinTimeout && (l.gossip == nil || l.gossip.SeedsTried()),
		Bootstrap: l.cfg.Bootstrap,
		OwnDisk:   !l.policy.Load().RejectStale,
	}
	other := time.Duration(l.lastOther.Load())
	s.Nobody = other == 0 // one of another version is somebody
	foreign := time.Unix(0, l.lastForeign.Load())
	for _, c := range l.carriers {
		st := c.Status()
		s.Nobody = s.Nobody && st.Alone
		if st.ForeignAt.After(foreign) {
			foreign = st.ForeignAt
		}
	}
	s.Foreign = time.Since(foreign) < foreignFor
	return s
}

func (l *loop) becomeReady() {
	if l.ready.Load() || l.alive.Err() != nil {
		return
	}
	l.ready.Store(true)
	if l.alive.Err() != nil {
		l.ready.Store(false) // it ended meanwhile, see terminate
		return
	}
	close(l.readyCh)
	l.acks.again()
	l.log.Info("ready", "revocations", l.set.Len())
}
