package gossiptest

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"rescind"
	"rescind/gossip"
)

// Options sets how bad the day is. Probabilities are per message or per tick.
type Options struct {
	ForgetAfter time.Duration // of gossip.Config; 0 means one hour

	Nodes     int
	Day       time.Duration // of trouble
	Bound     time.Duration // in which the healed cluster must converge
	Loss      float64
	Duplicate float64
	Delay     time.Duration // at most, uniformly
	Commit    time.Duration // at most, uniformly
	Write     float64       // per node and tick
	Cut       float64       // of one direction of a link, per tick; cuts last up to two seconds
	Crash     float64       // per tick; a crashed node is back within two seconds
	Rollback  float64       // of a crash: the node comes back with an old copy of its disk
}

const tick = 2 * time.Millisecond

// Sim is one run.
type Sim struct {
	opt   Options
	rng   *rand.Rand
	now   time.Duration
	nodes []*node
	queue map[time.Duration][]delivery
	cut   map[[2]int]time.Duration // until
	calm  bool
	next  uint64 // for fresh digests
	acked []acked
	lost  map[rescind.Digest]bool // by rollback: the promises no longer cover them
}

type delivery struct {
	from, to int
	bytes    []byte
}

// acked is a record that its origin has acknowledged.
type acked struct {
	node   int
	digest rescind.Digest
	at     time.Duration
}

type disk struct {
	records   map[rescind.Digest]rescind.Record
	epoch     uint64
	own       uint64
	frontiers map[gossip.Origin]gossip.Position
}

func (d disk) clone() disk {
	d.records, d.frontiers = maps.Clone(d.records), maps.Clone(d.frontiers)
	return d
}

type node struct {
	index    int
	core     *gossip.Core // nil while down
	memory   map[rescind.Digest]rescind.Record
	disk     disk
	old      disk // some earlier copy
	commit   *gossip.Commit
	commitAt time.Duration
	upAt     time.Duration
	own      []rescind.Digest // of this epoch, number 1 first
	told     uint64           // how many of them have been acknowledged
}

func origin(i int) gossip.Origin { return gossip.Origin(i + 1) }

// New prepares a run.
func New(seed uint64, opt Options) *Sim {
	s := &Sim{
		opt: opt, rng: rand.New(rand.NewPCG(seed, 0)), now: time.Second,
		queue: map[time.Duration][]delivery{}, cut: map[[2]int]time.Duration{}, lost: map[rescind.Digest]bool{},
	}
	for i := range opt.Nodes {
		n := &node{index: i, disk: disk{records: map[rescind.Digest]rescind.Record{}, frontiers: map[gossip.Origin]gossip.Position{}}}
		n.old = n.disk.clone()
		s.nodes = append(s.nodes, n)
		s.open(n)
	}
	return s
}

// Run runs the day and the calm after it, and returns the first promise that
// was broken.
func (s *Sim) Run() error {
	for end := s.now + s.opt.Day; s.now < end; {
		s.trouble()
		if err := s.step(); err != nil {
			return err
		}
	}
	s.heal()
	for end := s.now + s.opt.Bound; s.now < end; {
		if err := s.step(); err != nil {
			return err
		}
		if s.converged() == nil {
			return nil
		}
	}
	return fmt.Errorf("not converged within %v: %w", s.opt.Bound, s.converged())
}

// open starts n as a process does: the epoch is raised on disk first.
func (s *Sim) open(n *node) {
	var previous gossip.Position
	if n.disk.epoch != 0 {
		previous = gossip.Position{Epoch: n.disk.epoch, Seq: n.disk.own}
	}
	n.disk.epoch, n.disk.own = max(n.disk.epoch+1, uint64(s.now/time.Millisecond)), 0
	n.memory = maps.Clone(n.disk.records)
	n.core = gossip.New(gossip.Config{
		Origin: origin(n.index), Epoch: n.disk.epoch, Name: fmt.Sprint("n", n.index),
		Previous: previous, Frontiers: maps.Clone(n.disk.frontiers), ForgetAfter: cmp.Or(s.opt.ForgetAfter, time.Hour),
	}, s.now)
	n.own, n.told, n.commit = nil, 0, nil
}

func (s *Sim) trouble() {
	for _, n := range s.nodes {
		if n.core != nil && s.rng.Float64() < s.opt.Write {
			s.write(n)
		}
	}
	if s.rng.Float64() < s.opt.Cut {
		a, b := s.rng.IntN(len(s.nodes)), s.rng.IntN(len(s.nodes))
		s.cut[[2]int{a, b}] = s.now + time.Duration(s.rng.Int64N(int64(2*time.Second)))
	}
	if s.rng.Float64() < s.opt.Crash {
		if n := s.nodes[s.rng.IntN(len(s.nodes))]; n.core != nil {
			s.crash(n)
		}
	}
}

func (s *Sim) write(n *node) {
	batch := make([]rescind.Record, 1+s.rng.IntN(3))
	for i := range batch {
		s.next++
		batch[i] = rescind.Record{
			Digest:       rescind.MakeDigest(rescind.ScopeJTI, s.rng.Uint64(), s.next<<8),
			IssuedBefore: rescind.Ever,
			ExpiresAt:    rescind.Millis(s.next),
		}
		n.memory[batch[i].Digest] = batch[i]
		n.own = append(n.own, batch[i].Digest)
	}
	n.core.Propose(batch)
}
