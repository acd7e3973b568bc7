package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/filter"
	"rescind/gossip"
	"rescind/gossip/carrier"
	"rescind/internal/onetime"
	"rescind/internal/sharedlog"
)

// Node is one member of the cluster. All its methods are safe for concurrent
// use.
type Node struct {
	cfg     Config                 // of its policy, what the node started with
	policy  atomic.Pointer[Policy] // never nil
	log     *slog.Logger
	started time.Duration // on the steady clock
	set     *filter.Set
	store   durable
	sealer  *carrier.Ring
	guard   carrier.Guard // lets each message in once

	embedded *carrier.Embedded   // nil if there is none
	gossip   *carrier.Memberlist // nil if it is off
	carriers []mover
	turn     atomic.Uint64 // which carrier takes the next large message

	inbox     inbox
	proposals chan *proposal
	orders    chan order // of an administrator
	commits   chan *gossip.Commit
	committed chan error
	readers   readers

	ready    atomic.Bool
	clockOff atomic.Bool // most members being heard contradict this machine's clock
	readyCh  chan struct{}
	view     atomic.Pointer[view]  // published by the loop; nil until loaded
	reach    atomic.Pointer[reach] // likewise
	waiting  waiters               // callers of WaitFor that wait
	acks     ackTracker
	stored   stored // by how many of the named members
	events   hub
	watches  *tokenWatches

	counters  counters
	measured  measured
	lastOther atomic.Int64 // when a message of another version came, on the steady clock; 0: never

	lastForeign atomic.Int64 // when a message came that another key seals, in Unix nanoseconds; 0: never

	onetime   *onetime.Store // nil if strict one-time tokens are off
	storeTold atomic.Int64   // when others were told which store decides, on the steady clock; 0: not yet
	shared    *sharedlog.Log // the store, if it is the shared log, or nil
	vouched   chan struct{}  // the shared log has news to vouch for
	uses      uses
	shares    shares
	repeats   repeats

	setKeys  sync.Mutex // orders SetTransportKeys
	closing  atomic.Bool
	shutdown sync.Once
	stop     context.CancelFunc
	running  sync.WaitGroup
	stopped  chan struct{} // closed when nothing is proposed any more

	// alive ends when the node no longer learns what is revoked: it is closed, or
	// has failed. Its cause says which. From then on nothing is Valid.
	alive    context.Context
	end      context.CancelCauseFunc
	failOnce sync.Once
	failed   chan struct{}
	failure  error // set before failed is closed
}

// mover is a carrier: it moves opaque messages, perhaps loses, doubles or
// reorders them, and never blocks.
type mover interface {
	Name() string
	Broadcast(msg []byte)
	Send(to carrier.Node, msg []byte) bool
	Limit(to carrier.Node) int // bytes of a message to a node, or with 0 to whomever; 0: none gets there now
	Status() carrier.Status
	Close(ctx context.Context) error
}

// Open starts a node and returns when it is ready: its disk is loaded and it
// has synchronised with a peer, or is alone by configuration, or is the first of its
// cluster, or has reached none for Config.JoinTimeout, knows its own disk and may
// serve from it. ctx governs the
// opening only; if it ends first, the node is closed again.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	n, err := Start(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-n.readyCh:
		return n, nil
	case <-n.failed:
		return nil, errors.Join(n.failure, n.Close())
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("wait until node %s is ready: %w", n.cfg.Name, context.Cause(ctx)), n.Close())
	}
}

// Start is Open without the wait, for a caller that has something to serve in
// the meantime, such as "not ready". Until the node is ready, Check answers
// rescind.Unknown for tokens that it does not know to be revoked.
func Start(cfg Config) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := cfg.checkLoopback(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &Node{
		cfg:       cfg,
		log:       cfg.Logger.With("node", cfg.Name),
		started:   steady(),
		inbox:     newInbox(),
		proposals: make(chan *proposal, 1024),
		orders:    make(chan order),
		commits:   make(chan *gossip.Commit, 1),
		committed: make(chan error, 1),
		vouched:   make(chan struct{}, 1),
		readers:   newReaders(),
		readyCh:   make(chan struct{}),
		stopped:   make(chan struct{}),
		failed:    make(chan struct{}),
		watches:   newTokenWatches(),
		measured:  newMeasured(),
		uses:      uses{met: make(chan struct{}, 1)},
		stop:      stop,
	}
	n.alive, n.end = context.WithCancelCause(context.Background())
	n.policy.Store(cfg.policy())
	digestKey := digestKeyOf(cfg.secret(), cfg.Cluster)
	n.set = filter.New(filter.Options{Key: digestKey, Max: cfg.MaxRevocations, MaxBytes: cfg.MaxBytes})
	if n.sealer, err = carrier.NewRing(cfg.Cluster, sealKeys(cfg.transportKeys())); err != nil {
		stop()
		return nil, fmt.Errorf("prepare the seal of cluster messages: %w", err)
	}
	if err := n.startEmbedded(); err != nil {
		stop()
		return nil, err
	}
	if err := n.openStore(keyCheckOf(digestKey)); err != nil {
		stop()
		return nil, errors.Join(err, n.closeCarriers(context.Background()))
	}
	if err := n.startCarriers(); err != nil {
		stop()
		return nil, errors.Join(err, n.closeCarriers(context.Background()), n.store.Close())
	}
	n.running.Go(func() { n.run(ctx) })
	n.running.Go(func() { n.watches.run(ctx) })
	n.running.Go(func() { n.reportDoubles(ctx) })
	return n, nil
}

// Check answers for a token whose signature and times have been verified. A
// token that is known to be revoked is Revoked, even while this node is not
// ready or stale. While most members contradict this machine's clock, nothing is
// Valid: its times were judged by that clock. Check does no I/O, waits for nothing and does not
// allocate, but to remember a client and key that come often. It keeps none of
// t's strings: they may lie in a buffer that is used again.
func (n *Node) Check(t rescind.Token) rescind.Verdict {
	// What "valid" rests on is read before the set: the set of a moment at which
	// the node was ready, and hardly behind, has all that it must have. Read
	// afterwards, it may have become so since the set was asked.
	ready, p := n.ready.Load() && !n.clockOff.Load(), n.policy.Load()
	stale := p.RejectStale && !n.within(p.MaxStaleness)
	switch {
	case n.set.Revoked(&t):
		return rescind.Revoked
	case !ready:
		return rescind.Unknown
	case stale:
		return rescind.Stale
	}
	return rescind.Valid
}

// GossipAddr returns the address that gossip listens on, for others to join,
// or "" if gossip is off.
func (n *Node) GossipAddr() string {
	if n.gossip == nil {
		return ""
	}
	return n.gossip.Addr()
}

// NATSURL returns the URL of the embedded NATS server, or "" if there is none.
func (n *Node) NATSURL() string {
	if n.embedded == nil {
		return ""
	}
	return n.embedded.ClientURL()
}

// Alive returns a context that ends when the node is closed or fails, when it no
// longer learns what is revoked: Check answers rescind.Unknown from then on, unless
// the token is known to be revoked, and every Watch ends. context.Cause says why:
// rescind.ErrClosed, or what Err returns.
func (n *Node) Alive() context.Context { return n.alive }

// MaxLifetime is Config.MaxLifetime: what may live longer than that could outlive its
// revocation. Constructors of package token ask for it.
func (n *Node) MaxLifetime() time.Duration { return n.cfg.MaxLifetime }

// Ready is closed when the node answers checks.
func (n *Node) Ready() <-chan struct{} { return n.readyCh }

// Failed is closed when the node can no longer keep revocations: its disk has
// failed, or the cluster knows a later epoch of its data folder. Err says
// why. It takes no more revocations then and is no longer ready; the process
// should end.
func (n *Node) Failed() <-chan struct{} { return n.failed }

// Err returns why the node failed, or nil.
func (n *Node) Err() error {
	select {
	case <-n.failed:
		return n.failure
	default:
		return nil
	}
}

func (n *Node) fail(err error) {
	n.failOnce.Do(func() {
		n.log.Error("the node has failed and takes no more revocations", "error", err)
		n.failure = err
		close(n.failed)
		n.terminate(err)
	})
}

// terminate puts the node into its one terminal state. The first cause counts.
func (n *Node) terminate(cause error) {
	n.end(cause)
	n.ready.Store(false) // after alive has ended: becomeReady looks at it last
}

// handOver bounds how long Close waits for peers to take what they have not
// acknowledged yet.
const handOver = 2 * time.Second

// Close is Shutdown with a bound of five seconds.
func (n *Node) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), handOver+3*time.Second)
	defer cancel()
	return n.Shutdown(ctx)
}

// Shutdown refuses new revocations, waits up to two seconds for the peers to
// acknowledge what they have not yet, tells them that this node leaves, and
// releases everything. It may be called again, and then does nothing. After an
// error the node is closed all the same; nothing that was acknowledged is
// lost. What a closed node does not know to be revoked it calls rescind.Unknown.
func (n *Node) Shutdown(ctx context.Context) (err error) {
	n.shutdown.Do(func() {
		n.closing.Store(true)
		n.awaitHandOver(ctx)
		n.terminate(rescind.ErrClosed)
		n.stop()
		n.running.Wait()
		err = errors.Join(n.closeCarriers(ctx), n.store.Close())
	})
	return err
}

func (n *Node) awaitHandOver(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, handOver)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for began := steady(); !n.handedOver(began); {
		select {
		case <-poll.C:
		case <-n.failed:
			return
		case <-ctx.Done():
			n.log.Warn("leaving before every peer has acknowledged this node's revocations; they are on disk and spread when it is back")
			return
		}
	}
}
