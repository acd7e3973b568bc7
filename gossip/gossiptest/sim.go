package gossiptest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"rescind"
	"rescind/filter"
	"rescind/gossip"
	"rescind/internal/identity"
)

// Options sets how bad the day is. Probabilities are per message or per tick.
type Options struct {
	ForgetAfter time.Duration // of gossip.Config; 0 means one hour
	BeatViews   int           // likewise
	MaxPeers    int           // likewise

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
	Leave     float64       // per tick; a node that has left gracefully is back within two seconds
	Rollback  float64       // of a crash: the node comes back with an old copy of its disk
	Skew      time.Duration // of a wall clock from the true time, at most, either way
	Step      float64       // per tick: a wall clock jumps by up to a day, and is set right within two seconds
	StepAll   float64       // per tick: all wall clocks jump together, by minutes to years, and are set right within two seconds
	Believe   time.Duration // of gossip.Config.BelieveAfter; 0 means one hour
	Skip      float64       // per applied record: it is not merged, and nobody notices
	Slow      float64       // of nodes: their commits and what they are sent take ten times as long
	Named     bool          // the members are named
	Rogue     float64       // per tick: somebody who has the cluster's key says what is not true, see lies
	Wipe      float64       // per tick: the folder of a named member is replaced by an empty one
	Ghost     float64       // of those: the process with the old folder lives on
	Store     bool          // the nodes have the real store, on disks that lose what was not synced
}

const tick = 2 * time.Millisecond

// Sim is one run.
type Sim struct {
	opt      Options
	rng      *rand.Rand
	now      time.Duration
	nodes    []*node
	queue    map[time.Duration][]delivery
	cut      map[[2]int]time.Duration // until
	calm     bool
	narrow   int                               // bytes; larger messages are lost, also in calm; 0: none
	lose     func(gossip.Body) bool            // messages that are lost, also in calm; nil: none
	scanPart int                               // records that a node scans at a time at the most
	next     uint64                            // for fresh digests
	written  map[rescind.Digest]rescind.Record // the join of all that was revoked, by whomever
	acked    []acked
	compared int                             // bytes sent to compare and to heal
	lasting  bool                            // nothing lapses within the run
	hidden   rescind.Digest                  // from transfers of the state, by mistake
	history  []string                        // nil: nobody wants to know
	verified map[[identity.SigSize]byte]bool // what each signature of which the outcome is known proves
	folders  int                             // that were made anew
	lost     map[rescind.Digest]bool         // by rollback: the promises no longer cover them
	broken   error                           // a promise of the store's
	skipped  map[rescind.Digest]bool         // some node has not merged them and does not know it: comparisons must find them
}

type delivery struct {
	from, to int
	bytes    []byte
}

// acked is a record that its origin has acknowledged.
type acked struct {
	node   int
	place  gossip.Position // in its stream
	record rescind.Record
	at     time.Duration
}

type disk struct {
	records   map[rescind.Digest]rescind.Record
	clock     rescind.Millis // by which records have lapsed in memory
	epoch     uint64
	own       uint64
	frontiers map[gossip.Origin]gossip.Position
	notes     map[gossip.Origin]gossip.Note
	complete  bool
	promised  map[gossip.Origin]gossip.Position // the furthest position of each origin that was acknowledged from this disk
	roll      gossip.RollState                  // of a named member
}

func emptyDisk() disk {
	return disk{
		records: map[rescind.Digest]rescind.Record{}, frontiers: map[gossip.Origin]gossip.Position{},
		notes: map[gossip.Origin]gossip.Note{}, promised: map[gossip.Origin]gossip.Position{},
	}
}

func (d disk) clone() disk {
	d.records, d.frontiers, d.promised = maps.Clone(d.records), maps.Clone(d.frontiers), maps.Clone(d.promised)
	d.notes = maps.Clone(d.notes)
	return d
}

type node struct {
	index    int
	key      identity.Key
	origin   gossip.Origin // of key
	name     string
	beatN    uint64       // of its last heartbeat
	ghost    bool         // its folder was replaced, and it lives on
	core     *gossip.Core // nil while down
	set      *filter.Set
	disk     disk
	old      disk    // some earlier copy
	folder   *folder // nil unless Options.Store
	commit   *gossip.Commit
	commitAt time.Duration
	upAt     time.Duration

	rolledBack map[gossip.Origin]gossip.Position // frontiers of disks that old copies have replaced
	own        []rescind.Record                  // of this epoch, number 1 first
	told       uint64                            // how many of them have been acknowledged
	lacks      []acked                           // what has been acknowledged and was not here yet
	others     [][]acked                         // what the disk of each other node vouched for when this one started; nil once it has synchronised
	sweeps     uint64
	slow       bool
	skew       time.Duration // of its wall clock
	rightAt    time.Duration // when a clock that has jumped is set right
	right      time.Duration // the skew then
}

// trueTime is the true wall clock.
func (s *Sim) trueTime() rescind.Millis { return dawn.Add(s.now) }

func (s *Sim) wall(n *node) rescind.Millis { return s.trueTime().Add(n.skew) }

// dawn is when every run begins.
const dawn = rescind.Millis(1_790_000_000_000)

// keyOf returns the key of the given folder of a node, the first being 0.
func keyOf(i, folder int) identity.Key {
	return identity.Of([identity.SeedSize]byte{byte(i), byte(folder), byte(folder >> 8)})
}

// firstOrigins are those of the first folders of nodes.
var firstOrigins = func() (origins [256]gossip.Origin) {
	for i := range origins {
		origins[i] = gossip.Origin(keyOf(i, 0).Origin())
	}
	return origins
}()

func origin(i int) gossip.Origin { return firstOrigins[i] }

// New prepares a run.
func New(seed uint64, opt Options) *Sim {
	s := &Sim{
		scanPart: 20,
		opt:      opt, rng: rand.New(rand.NewPCG(seed, 0)), now: time.Second,
		queue: map[time.Duration][]delivery{}, cut: map[[2]int]time.Duration{}, lost: map[rescind.Digest]bool{},
		verified: map[[identity.SigSize]byte]bool{},
		written:  map[rescind.Digest]rescind.Record{}, skipped: map[rescind.Digest]bool{},
	}
	for i := range opt.Nodes {
		n := &node{
			index: i, key: keyOf(i, 0), origin: origin(i), name: fmt.Sprint("n", i), disk: emptyDisk(), slow: s.rng.Float64() < opt.Slow,
			rolledBack: map[gossip.Origin]gossip.Position{},
		}
		n.disk.clock = s.trueTime() // as if the cluster had run for long
		n.old = n.disk.clone()
		if opt.Store {
			n.folder = newFolder()
		}
		n.skew = time.Duration(s.rng.Int64N(2*int64(opt.Skew)+1)) - opt.Skew
		s.nodes = append(s.nodes, n)
		s.open(n)
	}
	return s
}

// Run runs the day and the calm after it, and returns the first promise that
// was broken.
func (s *Sim) Run() (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
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
		if s.now%(100*time.Millisecond) == 0 && s.converged() == nil {
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
	loaded := n.disk
	if n.folder != nil {
		var err error
		if loaded, err = s.openFolder(n, previous); err != nil {
			s.broken = errors.Join(s.broken, err)
		}
	}
	n.set = filter.New(filter.Options{Key: [32]byte{1}})
	lapsed := min(loaded.clock, s.wall(n))
	for _, r := range loaded.records {
		if !r.Lapsed(lapsed) {
			n.set.Merge(r)
		}
	}
	n.lacks = slices.Clone(s.acked)
	if n.others = s.vouchedFor(n); s.opt.Named {
		n.others = nil // a majority decides, see checkStaleness
	}
	n.core = gossip.New(gossip.Config{
		Origin: n.origin, Key: n.key, Epoch: n.disk.epoch, Name: n.name, Members: s.membership(n),
		Previous: previous, Frontiers: maps.Clone(loaded.frontiers), Notes: maps.Clone(loaded.notes), Complete: n.disk.complete,
		ForgetAfter: cmp.Or(s.opt.ForgetAfter, time.Hour), CompareEvery: 2 * time.Second, BeatViews: s.opt.BeatViews, MaxPeers: s.opt.MaxPeers,
		Confirmed: loaded.clock, BelieveAfter: s.opt.Believe,
	}, s.now, s.wall(n))
	n.own, n.told, n.commit = nil, 0, nil
	s.note("n%d starts in epoch %d with %d records", n.index, n.disk.epoch, len(n.disk.records))
}

// vouchedFor lists, for each node but n, what its disk vouches for: all of its
// own that it acknowledged, and others' streams up to its frontiers.
func (s *Sim) vouchedFor(n *node) (by [][]acked) {
	for _, q := range s.nodes {
		if q == n {
			continue
		}
		by = append(by, slices.DeleteFunc(slices.Clone(s.acked), func(a acked) bool {
			return a.node != q.index && q.disk.frontiers[origin(a.node)].Before(a.place)
		}))
	}
	return by
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
		s.note("nothing goes from n%d to n%d until %v", a, b, s.cut[[2]int{a, b}])
	}
	if s.rng.Float64() < s.opt.Step {
		if n := s.nodes[s.rng.IntN(len(s.nodes))]; n.rightAt == 0 {
			n.right, n.rightAt = n.skew, s.now+s.upTo(2*time.Second)
			n.skew += time.Duration(s.rng.Int64N(int64(48*time.Hour))) - 24*time.Hour
			s.note("the clock of n%d jumps by %v until %v", n.index, n.skew-n.right, n.rightAt)
		}
	}
	if s.rng.Float64() < s.opt.StepAll {
		s.jump()
	}
	if s.rng.Float64() < s.opt.Crash {
		if n := s.nodes[s.rng.IntN(len(s.nodes))]; n.core != nil {
			s.crash(n)
		}
	}
	if s.opt.Rogue > 0 && s.rng.Float64() < s.opt.Rogue {
		s.lie(s.rng.IntN(len(lies)), s.nodes[s.rng.IntN(len(s.nodes))])
	}
	if s.rng.Float64() < s.opt.Wipe {
		s.replaceFolder(s.nodes[s.rng.IntN(s.opt.Nodes)])
	}
	if s.rng.Float64() < s.opt.Leave {
		if n := s.nodes[s.rng.IntN(len(s.nodes))]; n.core != nil {
			s.leave(n)
		}
	}
}

// jump moves all wall clocks together, as of containers of one host, by some minutes
// to some years, ahead or back, for a while.
func (s *Sim) jump() {
	by := time.Duration(float64(10*time.Minute) * math.Pow(2, 17*s.rng.Float64()))
	if s.rng.IntN(2) == 0 {
		by = -by
	}
	until := s.now + s.upTo(2*time.Second)
	for _, n := range s.nodes {
		if n.rightAt == 0 {
			n.right, n.rightAt, n.skew = n.skew, until, n.skew+by
		}
	}
	s.note("all clocks jump by %v until %v", by, until)
}

func (s *Sim) write(n *node) {
	batch := make([]rescind.Record, 1+s.rng.IntN(3))
	for i := range batch {
		s.next++
		batch[i] = rescind.Record{
			Digest:       rescind.MakeDigest(rescind.ScopeJTI, s.rng.Uint64(), s.next<<8),
			IssuedBefore: rescind.Ever,
			ExpiresAt:    s.expiry(),
		}
		if again := s.rng.IntN(len(s.acked) + 1); s.rng.IntN(8) == 0 && again < len(s.acked) { // revoked again, for longer
			batch[i].Digest = s.acked[again].record.Digest
		}
		batch[i], _ = n.set.Merge(batch[i])
		s.written[batch[i].Digest] = batch[i].Join(s.written[batch[i].Digest])
		n.own = append(n.own, batch[i])
	}
	last := n.core.Propose(batch)
	s.note("n%d revokes its numbers up to %d, the last with digest %v", n.index, last, batch[len(batch)-1].Digest)
}

// expiry is now and then so early that the record lapses within the run: it must
// be kept for required at least. The others are compared to the end of the run.
func (s *Sim) expiry() rescind.Millis {
	if s.rng.IntN(10) == 0 && !s.lasting {
		return s.trueTime().Add(s.upTo(8*time.Second) - required)
	}
	return s.trueTime().Add(2*rescind.BucketWidth + s.upTo(time.Hour))
}

// required is how long after its expiry a record is needed by the verifier with
// the largest leeway.
const required = rescind.MaxLeeway
