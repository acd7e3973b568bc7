package gossip

import (
	"maps"
	"slices"
	"time"

	"rescind"
	"rescind/internal/identity"
)

// Pace of the protocol. Repair waits a little because a message that another
// carrier still brings needs no repair.
const (
	BeatEvery   = 250 * time.Millisecond
	repairAfter = 20 * time.Millisecond
	retryFirst  = 100 * time.Millisecond
	retryMost   = 2 * time.Second
	stateRetry  = time.Second
	aliveWithin = 5 * BeatEvery // a member not heard for longer is silent
	persistView = time.Second   // frontiers that moved without records of their own
	// gather is how long records of others wait for the disk. Several then share
	// an fsync, and the disk does not take the processor from news that is still
	// on its way. Nobody's records are at risk meanwhile: they are acknowledged
	// that much later.
	gather        = time.Millisecond
	coldStart     = time.Second      // before members that know no more than we do may vouch for each other
	knownByOthers = 10 * time.Second // how long a starting node waits to be heard by a member that others hear
	rememberFor   = 100 * 24 * time.Hour
	// maxForgotten bounds the silent members whose streams are remembered, so
	// that beats still fit a datagram where every restart makes a new folder.
	maxForgotten = 16
	maxPeers     = 1000
	beatViews    = 27
	// maxUncommitted is how many records may wait for the disk. Beyond it they are
	// applied and not remembered, so that they are asked for again, and transfers
	// of the state and proposals pause.
	maxUncommitted = 1 << 17
	maxScans       = 4 // requests for the state that wait for the caller
	// maxBatch bounds a batch; the carriers decide how it travels.
	maxBatch = 4096
)

// Config is what a Core starts from. All of it is needed, except where a zero
// value has a meaning.
type Config struct {
	Origin Origin       // this data folder: that of Key
	Key    identity.Key // the folder's; with none it neither signs nor checks acknowledgements, among cores in one process
	Epoch  uint64       // durably raised since it was last used
	Name   string       // for people

	// Previous is the durable end of this folder's previous epoch. Zero: the
	// folder is new.
	Previous Position

	// Frontiers are those of the last commit, by other origins, and Notes what was kept
	// of their members. One without a note was present.
	Frontiers map[Origin]Position
	Notes     map[Origin]Note

	// CompareEvery is how long after a comparison that found nothing the next
	// one begins. 0 means 30 s.
	CompareEvery time.Duration

	// MaxPeers is how many other members there is room for. 0 means 1,000. A node
	// that comes beyond is told so.
	MaxPeers int

	// BeatViews is how many streams a beat tells of; if there are more, they take
	// turns. 0 means 27, which fit a datagram.
	BeatViews int

	// Complete says that this folder was once ready: it held all that there was
	// then. Until it was, what is in it may be a part of an interrupted transfer.
	Complete bool

	// ForgetAfter is how long a member that is not heard is still listed. What
	// is held of its stream is remembered far longer, for those who come late.
	ForgetAfter time.Duration

	// Confirmed is what Lapsing returned last in an earlier life, as far as it was
	// stored. 0: there was none, and nothing lapses within BelieveAfter.
	Confirmed rescind.Millis

	// BelieveAfter is how long a wall clock that is ahead of what was believed must
	// go evenly before records lapse by it. 0 means one hour.
	BelieveAfter time.Duration
	// Members names the members, of which Name is one. nil: the cluster is open,
	// and its members are whoever is heard.
	Members *Membership
}

// Core is the replication state of one node. It is not safe for concurrent
// use. Its clock readings are durations since any fixed moment on a clock that
// does not step and counts suspended time.
type Core struct {
	cfg      Config
	previous Position
	started  time.Duration
	own      stream
	logs     int    // instead of maxLogs, for tests; 0: maxLogs
	durable  uint64 // own records up to this one are committed
	handed   uint64 // and up to this one, part of a commit
	peers    map[Origin]*peer
	aside    map[Origin]aside // entries of the version vector whose members are no longer among peers
	departed []departed       // those of them that left and are told of, by origin
	list     []*peer          // peers by origin: the order of a map would make runs differ

	wall  time.Duration // the wall clock, since the Unix epoch, less the clock of now
	lapse lapse

	beats  uint64 // beats sent
	limit  int    // records that a message to everybody may hold; 0: not known
	told   Origin // up to which origin the last beat to all spoke
	guided Origin // the last member that was told of all streams
	retell map[Origin]bool
	nextAt time.Duration
	sentAt [256]time.Duration // of beat n, at n modulo the length

	synced     bool
	founded    bool          // by the caller's word, see Found
	wasEchoed  bool          // a member has answered a heartbeat of this epoch
	met        bool          // another member was heard since the start
	complete   bool          // what the folder will say with the next commit, see Config.Complete
	noted      bool          // what it says
	fullAt     time.Duration // when a member last said that it has no room for us; 0: never
	pull       *pull
	superseded bool

	turnedAway uint64 // messages of nodes for which there was no room
	crowded    Crowded
	tidyAt     time.Duration
	notedAt    time.Duration
	toldFullAt time.Duration

	comparing comparing
	replay    Replayed
	refused   Refused
	named     *named   // nil in an open cluster
	others    []string // in an open cluster: the members that one which names them has told of

	apply    []rescind.Record
	heal     []rescind.Record
	send     []Outgoing
	scans    []Scan
	compares []Comparison
	acks     []PeerAck
	forget   []Origin

	uncommitted []rescind.Record
	committing  *Commit
	committedAt time.Duration
	gatherUntil time.Duration // 0: nothing is gathered
}

// New returns a Core at the given readings of the clock and the wall clock.
func New(cfg Config, now time.Duration, wall rescind.Millis) *Core {
	if cfg.CompareEvery == 0 {
		cfg.CompareEvery = compareEvery
	}
	if cfg.MaxPeers == 0 {
		cfg.MaxPeers = maxPeers
	}
	if cfg.BeatViews == 0 {
		cfg.BeatViews = beatViews
	}
	if cfg.BelieveAfter == 0 {
		cfg.BelieveAfter = believeAfter
	}
	c := &Core{
		cfg:      cfg,
		previous: cfg.Previous,
		started:  now,
		own:      stream{epoch: cfg.Epoch},
		complete: cfg.Complete,
		noted:    cfg.Complete,
		peers:    make(map[Origin]*peer),
		aside:    make(map[Origin]aside),
		retell:   make(map[Origin]bool),
		nextAt:   now,
	}
	c.lapse = newLapse(cfg.BelieveAfter, now, cfg.Confirmed)
	c.setWall(now, wall)
	if cfg.Members != nil {
		c.named = newNamed(cfg)
	}
	for _, o := range slices.Sorted(maps.Keys(cfg.Frontiers)) {
		c.restore(now, o, cfg.Frontiers[o], cfg.Notes[o])
	}
	return c
}

// Propose puts new records of this node at the end of its stream and returns
// the number of the last one. The caller has merged them into its set.
func (c *Core) Propose(records []rescind.Record) (last uint64) {
	for part := range slices.Chunk(records, c.batchMost()) {
		first := c.own.received + 1
		c.own.extend(part)
		c.broadcast(&Batch{First: first, Head: c.own.head, Records: part})
	}
	c.uncommitted = append(c.uncommitted, records...)
	return c.own.received
}

// Step takes one message, as Decode returned it.
func (c *Core) Step(now time.Duration, m Message) {
	if m.From == c.cfg.Origin {
		c.superseded = c.superseded || c.isAnothers(m)
		return
	}
	if c.named != nil && !c.named.takes(c.peers[m.From], m) {
		return
	}
	if c.isOver(m.From, Position{Epoch: m.Epoch}) {
		return // it has ended; what it sent comes late
	}
	if !isSigned(m.Body) {
		c.stepUnsigned(now, m)
		c.progress(now)
		return
	}
	at, fresh := c.saidAt(now, m)
	p := c.peers[m.From]
	if _, leaves := m.Body.(*Leave); p == nil && leaves {
		return // of nobody who is known here
	}
	if p = c.sender(now, at, m.From); p == nil {
		if fresh {
			c.turnAway(now, m)
		}
		return
	}
	if !c.pinned(p, m) || !c.speaks(now, p, m) {
		return
	}
	switch b := m.Body.(type) {
	case *Beat:
		c.stepBeat(now, at, p, b)
		p.said = &m
	case *Leave:
		p.left, p.stated, p.head = true, max(p.stated, b.Head), max(p.head, b.Head)
		p.leave = &m
	}
	if p.greet && (fresh || p.echoes) {
		p.greet = false
		c.beat(now, p.origin)
	}
	c.progress(now)
}

// stepUnsigned takes a message that says it is from somebody. All that it can do is
// to bring records, and to ask.
func (c *Core) stepUnsigned(now time.Duration, m Message) {
	_, fresh := c.saidAt(now, m)
	p := c.peers[m.From]
	if p == nil {
		switch b := m.Body.(type) {
		case *Batch:
			c.apply = append(c.apply, b.Records...) // they are asked for once their origin is known
		case *Full:
			c.stepFull(now, fresh)
		}
		return
	}
	current := m.Epoch == p.epoch
	switch b := m.Body.(type) {
	case *Batch:
		c.stepRecords(p, m.Epoch, b.First, b.Head, b.Records)
	case *Ack:
		if current && c.tagged(p, m, b) {
			c.stepAck(p, b.At, b.Roll)
		}
	case *RangeRequest:
		if c.mayAsk(now, p, current, fresh) {
			c.stepRangeRequest(now, p, b)
		}
	case *RangeReply:
		c.stepRangeReply(now, b)
	case *StateRequest:
		if c.mayAsk(now, p, current, fresh) {
			c.stepStateRequest(now, p, b)
		}
	case *StateReply:
		c.stepStateReply(now, p, b)
	case *Compare:
		if c.mayAsk(now, p, current, fresh) {
			c.stepCompare(now, p, b)
		}
	case *Supply:
		if !c.Full() && (fresh || p.echoes) {
			c.mend(b.Records...)
		}
	case *Full:
		c.stepFull(now, fresh)
	}
}

func (c *Core) stepFull(now time.Duration, fresh bool) {
	if fresh {
		c.fullAt, c.met = now, true
	}
}

// isAnothers reports whether a message that is signed by the key of this folder
// can't be ours: it is of a later epoch, or of this one and from further on. Ours may
// come late. What is not signed shows nothing: anybody can say it.
func (c *Core) isAnothers(m Message) bool {
	if !isSigned(m.Body) || m.Epoch != c.cfg.Epoch {
		return isSigned(m.Body) && m.Epoch > c.cfg.Epoch
	}
	b, ok := m.Body.(*Beat)
	return ok && (b.N > c.beats || b.Head > c.own.head)
}

// Tick does what is due: a beat, repairs, time-outs. Call it every few
// milliseconds, with the wall clock's reading beside the other.
func (c *Core) Tick(now time.Duration, wall rescind.Millis) {
	c.setWall(now, wall)
	if now >= c.nextAt {
		c.nextAt = now + BeatEvery
		c.beat(now, 0)
		c.guideNewcomers(now)
	}
	c.trimLogs()
	c.repair(now)
	c.pullState(now)
	c.compare(now)
	c.forgetSilent(now)
	c.release(now)
	c.progress(now)
}

// SetForgetAfter replaces Config.ForgetAfter.
func (c *Core) SetForgetAfter(d time.Duration) { c.cfg.ForgetAfter = d }

// Leave tells everybody that this node goes.
func (c *Core) Leave() { c.broadcast(&Leave{Head: c.own.head}) }

// Synced reports whether, since it was started, this node has once held all
// that some member said it holds, or is the first of its cluster.
//
// Of a named member it reports whether its folder counts, and whether in this life
// it has held what a majority of the members holds.
func (c *Core) Synced() bool {
	if c.named != nil {
		return c.synced && c.named.whole()
	}
	return c.synced || c.founded
}

// Superseded reports whether the cluster has met this node's data folder in a
// later epoch: another process runs from a copy of it, or it was restored from
// an old copy by a machine whose clock is behind. Nobody listens to this epoch.
func (c *Core) Superseded() bool { return c.superseded }

// Durable returns the number of the last own record that is committed.
func (c *Core) Durable() uint64 { return c.durable }

func (c *Core) broadcast(b Body) { c.sendTo(0, b) }

func (c *Core) sendTo(to Origin, b Body) {
	c.send = append(c.send, Outgoing{to, Message{From: c.cfg.Origin, Epoch: c.cfg.Epoch, Body: b}})
}

// stepRecords takes records of p's stream. Those of an earlier epoch are still
// applied, which can only help.
func (c *Core) stepRecords(p *peer, epoch, first, head uint64, records []rescind.Record) {
	current := epoch == p.epoch
	if current && !p.reaches(max(head, first+uint64(len(records)))) {
		c.refused.Numbers++
		c.apply = append(c.apply, records...) // a surplus revocation harms nobody
		return
	}
	if !current && !p.past.Before(Position{Epoch: epoch, Seq: first + uint64(len(records)) - 1}) {
		return // held of its past: sent again, it must not go to the disk again
	}
	switch {
	case current && p.logged:
		c.apply = append(c.apply, p.add(first, records)...)
	case c.Full():
		c.apply = append(c.apply, records...)
	default:
		if current {
			records = p.add(first, records)
		}
		c.take(records)
	}
	if current {
		p.head = max(p.head, head)
	}
}

// Full reports whether as many records wait for the disk as may. The caller
// then proposes no more until Advance.
func (c *Core) Full() bool { return len(c.uncommitted) >= maxUncommitted }

func (c *Core) take(records []rescind.Record) {
	c.apply = append(c.apply, records...)
	c.uncommitted = append(c.uncommitted, records...)
}

// stepAck takes p's acknowledgement of our stream.
func (c *Core) stepAck(p *peer, at Position, r *Roll) {
	if c.named != nil && r != nil && r.Whole && at.Epoch == c.cfg.Epoch && at.Seq <= c.own.received {
		p.count(r, at.Seq)
		c.named.moved = true
	}
	if c.named != nil && (r == nil || !r.Whole) {
		return // it counts for nothing yet (I3)
	}
	if at.Epoch != c.cfg.Epoch || at.Seq <= p.acked || at.Seq > c.own.received {
		return
	}
	p.acked = at.Seq
	c.acks = append(c.acks, PeerAck{Origin: p.origin, Name: p.name, Seq: at.Seq})
}
