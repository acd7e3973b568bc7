package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/internal/store"
)

// named reports whether the members are named.
func (n *Node) named() bool { return len(n.cfg.Members) > 0 }

// checkMembers returns what is wrong with Members and what does not go with them.
func (c Config) checkMembers() error {
	if len(c.Members) == 0 {
		if c.Bootstrap && c.SharedLog != nil {
			return errors.New("cluster: Config.Bootstrap does not go with SharedLog")
		}
		return nil
	}
	if err := gossip.CheckMembers(sorted(c.Members)); err != nil {
		return fmt.Errorf("cluster: Config.Members: %w", err)
	}
	switch {
	case !slices.Contains(c.Members, c.Name):
		return fmt.Errorf("cluster: Config.Members does not name %s, this node: name it, or set cluster.follow: "+
			"a node that keeps no revocations follows the members", c.Name)
	case c.SharedLog != nil:
		return errors.New("cluster: Config.Members does not go with SharedLog: there JetStream has the majority; leave one of them out")
	case c.RefuseIsolated:
		return errors.New("cluster: Config.RefuseIsolated does not go with Members, whose bound is absolute: leave it out")
	case len(c.Members) > 1 && c.alone():
		return fmt.Errorf("cluster: Config.Members names %d nodes and there is neither Gossip nor NATS to reach them", len(c.Members))
	}
	return nil
}

func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return names
}

// membership is what the core starts from where members are named: the setting and
// what the folder keeps.
func (n *Node) membership(frontiers []store.Frontier) (*gossip.Membership, error) {
	d, ok := n.store.(disk)
	if !n.named() || !ok {
		return nil, nil
	}
	m := &gossip.Membership{Names: n.cfg.Members, Bootstrap: n.cfg.Bootstrap}
	rand.Read(m.Fresh[:]) // never fails
	stored, err := d.Roll()
	if err != nil {
		return nil, err
	}
	if stored == nil {
		m.Holds = len(frontiers) > 0 || n.set.Len() > 0 || n.store.Identity().Previous.Seq > 0
		return m, nil
	}
	if m.State, err = gossip.DecodeRollState(stored); err != nil {
		return nil, err
	}
	return m, nil
}

// stored is up to which number of this node's stream a majority of the named members
// and all of them have stored its records. The loop writes it.
type stored struct{ majority, everywhere atomic.Uint64 }

// concern makes w wait for members by name.
func (s *stored) concern(w *waiter, ack rescind.Ack) {
	w.named = true
	switch ack {
	case rescind.AckMajority:
		w.need = func(w *waiter) bool { return s.majority.Load() >= w.seq }
	case rescind.AckAll:
		w.need = func(w *waiter) bool { return s.everywhere.Load() >= w.seq }
	}
}

// confirm tells calls that wait for a majority or for all what the core concludes.
func (l *loop) confirm() {
	if !l.named() {
		return
	}
	majority, everywhere := l.core.Majority()
	if l.stored.majority.Swap(majority) != majority || l.stored.everywhere.Swap(everywhere) != everywhere {
		l.acks.again()
	}
}

// quorumEvery is how often the state of the named members is looked at, for people.
const quorumEvery = 100 * time.Millisecond

func (l *loop) lookAtQuorum(now time.Duration) *gossip.Quorum {
	if !l.named() || l.quorum != nil && now-l.quorumAt < quorumEvery && l.ready.Load() {
		return l.quorum
	}
	q, _ := l.core.Quorum(now)
	l.quorum, l.quorumAt = &q, now
	return l.quorum
}

// namedReady decides by the majority alone: no time-out makes a named member ready.
func (l *loop) namedReady(v *view) (reasons []Reason, ready bool) {
	if v.quorum.Blocked != "" {
		reasons = append(reasons, Reason{ReasonNoMajority, v.quorum.Blocked})
	} else if !v.synced {
		reasons = append(reasons, Reason{ReasonSynchronising, "synchronising with a majority of the members"})
	} else if q := v.quorum; q.Reached < q.Need {
		reasons = append(reasons, because(ReasonNoMajority, "of %d members %d are reached and %d are a majority; missing are %s",
			q.Size, q.Reached, q.Need, strings.Join(q.Missing, ", ")))
	}
	return reasons, v.synced
}

// Quorum is what a node knows of the majorities of the named members.
type Quorum struct {
	List    uint64   // the number of the list, from 1
	Names   []string // the list
	Before  []string // the list that it replaces, while that one still counts
	Size    int      // of the list
	Need    int      // of it make a majority
	Reached int      // count and have answered this node lately, itself included
	Missing []string // the others
	Whole   bool     // this node's folder counts
}

func quorumOf(q *gossip.Quorum) *Quorum {
	if q == nil {
		return nil
	}
	return &Quorum{
		List: q.List, Names: q.Names, Before: q.Before, Size: q.Size, Need: q.Need,
		Reached: q.Reached, Missing: q.Missing, Whole: q.Whole,
	}
}

// BoundKind says what a staleness bound is about.
type BoundKind string

const (
	BoundMajority BoundKind = "majority" // all that a majority of the named members acknowledged
	BoundListed   BoundKind = "listed"   // all that any of the members acknowledged that the node lists
)

// order is something that the loop is to do for an administrator.
type order struct {
	do   func(*gossip.Core) error
	done chan error
}

// AcceptLoss gives up what only lost folders held: this node, whose folder does not
// count, counts as soon as it holds what the members hold that are heard, or founds
// the cluster with a majority if all their folders are new. It is for the day on
// which a majority of the disks is lost. It fails on a node that counts already, and
// where no members are named.
func (n *Node) AcceptLoss(ctx context.Context) error {
	o := order{do: (*gossip.Core).AcceptLoss, done: make(chan error, 1)}
	select {
	case n.orders <- o:
	case <-n.stopped:
		return rescind.ErrClosed
	case <-n.failed:
		return n.failure
	case <-ctx.Done():
		return fmt.Errorf("accept the loss: %w", context.Cause(ctx))
	}
	if err := <-o.done; err != nil {
		return &rescind.InvalidError{Field: "accept-loss", Problem: err.Error()}
	}
	n.log.Warn("an administrator accepts the loss of what only lost folders held")
	return nil
}

func (n *Node) boundKind() BoundKind {
	if n.named() {
		return BoundMajority
	}
	return BoundListed
}
