package sharedlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"rescind/internal/identity"
	"rescind/internal/natslink"
	"rescind/internal/natslogin"
	"rescind/internal/store"
	"rescind/internal/timing"
)

// Errors that callers can tell apart with errors.Is.
var (
	// ErrFull: the stream has reached its limit and refuses what is new.
	ErrFull = errors.New("the stream of revocations is full; raise its limit (nats stream edit) and store.max-bytes, or wait until some have lapsed")

	// ErrMayNotSync: the servers are not known to sync what they acknowledge.
	ErrMayNotSync = errors.New("the NATS server does not tell whether it syncs each write (sync_interval: always), and without that a power failure can take acknowledged revocations; configure it so and say so with store.dangerously-assume-sync")

	// ErrWrongStream: the stream could not keep the promise.
	ErrWrongStream = errors.New("the stream does not fit")

	// ErrReplaced: the stream that this node has read is gone.
	ErrReplaced = errors.New("the stream of revocations was deleted or made anew: what it held is in the nodes' memory only; take a backup of one, restart them and restore it")
)

// Sealer encrypts and authenticates what is stored. It must open what it sealed
// in earlier lives, and so not follow the rotation of transport keys.
type Sealer interface {
	Seal(plain []byte) []byte
	Open(sealed []byte) ([]byte, error)
}

// Config says which stream. All nodes of a cluster use the same.
type Config struct {
	// Cluster is part of the subjects: letters, digits, - and _.
	Cluster string

	URL   string          // the servers, separated by commas
	Login natslogin.Login // who this node is there, and which servers it believes

	// Domain is the JetStream domain that the stream is in. Empty: that of the server.
	Domain string

	// Stream is its name. Empty means "rescind-log-" and the cluster's.
	Stream string

	// Replicas is how many servers hold it: 1, 3 or 5. 0 means 1. It counts when
	// the stream is made; an operator may change it later.
	Replicas int

	// MaxBytes bounds the stream, likewise. 0 means 1 GiB, about 30 million
	// revocations that came in large batches.
	MaxBytes int64

	// SyncingServer and DangerouslyAssumeSync are those of onetime.Config.
	SyncingServer         string
	DangerouslyAssumeSync bool

	// KeyCheck is that of store.Options.
	KeyCheck [16]byte

	Sealer Sealer               // required
	Steady func() time.Duration // a clock that counts suspended time; required

	// MarkEvery is how often a mark is written. 0 means DefaultMarkEvery.
	MarkEvery time.Duration

	// Logger receives what an operator should know. nil means slog.Default().
	Logger *slog.Logger

	anyClock   bool          // Drop believes any time, for tests that can't wait for it
	countEvery time.Duration // how often the stream's counts are compared; 0 means 15 s
}

// DefaultMarkEvery is the meaning of a Config.MarkEvery of 0. What is known of the
// staleness is this old and the way to the servers and back.
const DefaultMarkEvery = time.Second

// DefaultMaxBytes is the meaning of a Config.MaxBytes of 0.
const DefaultMaxBytes = 1 << 30

var names = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

func (c *Config) validate() error {
	c.Stream = cmp.Or(c.Stream, "rescind-log-"+c.Cluster)
	c.Replicas, c.MaxBytes = cmp.Or(c.Replicas, 1), cmp.Or(c.MaxBytes, DefaultMaxBytes)
	c.countEvery = cmp.Or(c.countEvery, 15*time.Second)
	c.MarkEvery, c.Logger = cmp.Or(c.MarkEvery, DefaultMarkEvery), cmp.Or(c.Logger, slog.Default())
	switch {
	case !names.MatchString(c.Cluster), !names.MatchString(c.Stream):
		return fmt.Errorf("the names of the cluster %.80q and the stream %.80q; use letters, digits, - and _", c.Cluster, c.Stream)
	case c.URL == "":
		return errors.New("no URL; the log needs NATS servers that all nodes share")
	case c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5:
		return fmt.Errorf("%d replicas; use 1, 3 or 5", c.Replicas)
	case c.Domain != "" && !names.MatchString(c.Domain):
		return fmt.Errorf("the JetStream domain %.80q; use letters, digits, - and _", c.Domain)
	case c.MaxBytes < 0:
		return fmt.Errorf("a limit of %d bytes", c.MaxBytes)
	}
	return nil
}

// Log is the stream as one node uses it. Its methods are safe for concurrent
// use, but for Load and Follow: first the one, then the other.
type Log struct {
	cfg      Config
	log      *slog.Logger
	link     *natslink.Link
	js       jetstream.JetStream
	identity store.Identity

	closed context.Context // ends with Close
	close  context.CancelFunc
	calls  sync.WaitGroup

	stream  atomic.Pointer[stream] // nil until it has been opened
	own     atomic.Uint64          // the durable end of this node's own numbers
	reader  reader
	history history
	size    size

	marking chan struct{} // holds something while a mark is being written

	writing sync.Mutex // guards the two below; never held during I/O
	numbers uint64     // of the messages of records that this node has begun to write
	written counts     // those that the stream has

	trouble  trouble
	counters struct{ commits, batches, skipped, duplicates, losses, rewritten atomic.Uint64 }

	published *timing.Histogram // messages, until they were acknowledged
}

// Open returns before there is a connection, and fails only for settings that
// can't work: it dials for ever. The caller must Close the Log.
func Open(cfg Config) (*Log, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("the shared log: %w", err)
	}
	link, err := natslink.Dial(natslink.Config{URL: cfg.URL, Login: cfg.Login, Name: "rescind revocations", Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("the shared log: %w", err)
	}
	l := &Log{cfg: cfg, log: cfg.Logger, link: link, identity: newIdentity(), published: timing.New(store.SyncBounds)}
	l.closed, l.close = context.WithCancel(context.Background())
	l.written, l.marking = counts{}, make(chan struct{}, 1)
	l.reader.reset(false)
	l.trouble.init()
	if cfg.Domain == "" {
		l.js, err = jetstream.New(link.Conn)
	} else {
		l.js, err = jetstream.NewWithDomain(link.Conn, cfg.Domain)
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("the shared log: %w", err)
	}
	return l, nil
}

// newIdentity makes an origin of this process, which has no past.
func newIdentity() store.Identity {
	key := identity.New()
	return store.Identity{Origin: key.Origin(), Key: key, Epoch: uint64(max(time.Now().UnixMilli(), 1))}
}

// Identity returns who this node is in this life.
func (l *Log) Identity() store.Identity { return l.identity }

// Close ends calls in progress with store.ErrClosed and disconnects. What was
// committed is safe. It may be called again.
func (l *Log) Close() error {
	l.close()
	l.calls.Wait()
	l.link.Close()
	return nil
}

// during returns a context that ends with ctx and with Close, or false after
// Close. done must be called.
func (l *Log) during(ctx context.Context) (inner context.Context, done func(), ok bool) {
	l.calls.Add(1)
	if l.closed.Err() != nil {
		l.calls.Done()
		return nil, nil, false
	}
	inner, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.closed, func() { cancel(store.ErrClosed) })
	return inner, func() { stop(); cancel(nil); l.calls.Done() }, true
}

// Stats returns counters since Open. Syncs are messages that were acknowledged,
// and their time is the time until then.
func (l *Log) Stats() store.Stats {
	_, err := l.Trouble()
	st := store.Stats{
		Commits:    l.counters.commits.Load(),
		Syncs:      l.published.Snapshot(),
		Skipped:    l.counters.skipped.Load(),
		Duplicates: l.counters.duplicates.Load(),
		Losses:     l.counters.losses.Load(),
		Rewritten:  l.counters.rewritten.Load(),
		Failed:     err,
	}
	st.SharedBytes, st.SharedLimit = l.size.get()
	if s := l.stream.Load(); s != nil {
		st.AllowsRollup = s.rollup.Load()
	}
	return st
}
