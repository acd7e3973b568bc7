// Package onetime decides who uses a one-time token first, once and for a whole
// cluster.
//
// It guarantees that of all claims to one token, on all nodes and for as long
// as the token can be accepted anywhere, at most one wins. Where that can't be
// known, no claim wins: the loss of a server, of a majority or of an answer can
// cost a token its one use, and never gives it a second.
//
// A claim is a put-if-absent in a JetStream key-value bucket, which is
// replicated by Raft. Several buckets share the digests among them, because one
// bucket is one log with one leader. The promise is as good as the servers'
// disks: a server that answers before it has synced can forget a claim when the
// power fails (JetStream does by default, for two minutes), so a Store refuses
// servers that are not known to sync. It also rests on nobody deleting keys by
// hand.
//
// A key occupies some 260 bytes of the server's memory until its token has
// lapsed. Measured speed: see 'bench consume'.
package onetime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rescind"
	"rescind/internal/natslink"
	"rescind/internal/natslogin"
)

// Bounds of Config.
const (
	DefaultBuckets = 4
	MaxBuckets     = 64
)

// Config says where claims are kept. All nodes of a cluster must use the same
// servers and the same number of buckets; another number is refused as soon as
// the buckets are there.
type Config struct {
	// Cluster is part of the buckets' names: letters, digits, - and _.
	Cluster string

	// URL lists the servers, separated by commas.
	URL string

	// Login says who this node is there, and which servers it believes.
	Login natslogin.Login

	// Buckets is over how many buckets the digests are spread. 0 means
	// DefaultBuckets; at most MaxBuckets. It can be changed only by deleting
	// the buckets once every token that was used has lapsed.
	Buckets int

	// Replicas is how many servers hold each bucket: 1, 3 or 5. 0 means 1. With
	// more than one, a minority of them may be lost.
	Replicas int

	// SyncingServer is the name of servers that are known to sync every write
	// before they answer. Empty: none are.
	SyncingServer string

	// DangerouslyAssumeSync accepts servers of any name. Set it if every server
	// has sync_interval: always in its configuration, which NATS does not tell
	// its clients; otherwise a power failure can give a token a second use.
	DangerouslyAssumeSync bool

	// Logger receives what an operator should know. nil means slog.Default().
	Logger *slog.Logger
}

var clusterNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (c *Config) validate() error {
	c.Buckets, c.Replicas = cmp.Or(c.Buckets, DefaultBuckets), cmp.Or(c.Replicas, 1)
	switch {
	case !clusterNames.MatchString(c.Cluster):
		return fmt.Errorf("the cluster's name %.80q can't be part of a bucket's; use letters, digits, - and _", c.Cluster)
	case c.URL == "":
		return errors.New("no URL; strict one-time tokens need a NATS server that all nodes share")
	case c.Buckets < 1 || c.Buckets > MaxBuckets:
		return fmt.Errorf("%d buckets; use 1 to %d", c.Buckets, MaxBuckets)
	case c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5:
		return fmt.Errorf("%d replicas; use 1, 3 or 5", c.Replicas)
	}
	return nil
}

// ErrMayNotSync: the server is not known to sync what it acknowledges, see
// Config.DangerouslyAssumeSync.
var ErrMayNotSync = errors.New("the NATS server does not tell whether it syncs each write (sync_interval: always), and without that a power failure can give a one-time token a second use; configure it so and say so with one-time.dangerously-assume-sync, or use the embedded server of a node")

// Store is a client of the shared store. Its methods are safe for concurrent
// use.
type Store struct {
	cfg  Config
	log  *slog.Logger
	conn *natslink.Link
	js   jetstream.JetStream

	mu       sync.Mutex // guards the fields below; never held during I/O
	buckets  []jetstream.KeyValue
	identity rescind.Millis // of the first bucket; 0: not known
	asOf     uint64         // how often the connection had been made anew by then
}

// Open returns a Store before there is a connection, and fails only for
// settings that can't work: it dials for ever. The caller must Close it.
func Open(cfg Config) (*Store, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("one-time tokens: %w", err)
	}
	s := &Store{cfg: cfg, log: cmp.Or(cfg.Logger, slog.Default()), buckets: make([]jetstream.KeyValue, cfg.Buckets)}
	conn, err := natslink.Dial(natslink.Config{URL: cfg.URL, Login: cfg.Login, Name: "rescind one-time tokens", Logger: s.log})
	if err != nil {
		return nil, fmt.Errorf("one-time tokens: %w", err)
	}
	s.conn = conn
	if s.js, err = jetstream.New(conn.Conn); err != nil {
		s.Close()
		return nil, fmt.Errorf("one-time tokens: %w", err)
	}
	return s, nil
}

// Close ends the connection. Claims that are under way fail.
func (s *Store) Close() { s.conn.Close() }

// bucket returns the bucket of d, and makes it at its first use.
func (s *Store) bucket(ctx context.Context, d rescind.Digest) (jetstream.KeyValue, error) {
	if !s.cfg.DangerouslyAssumeSync && (s.cfg.SyncingServer == "" || s.conn.ConnectedServerName() != s.cfg.SyncingServer) {
		if !s.conn.IsConnected() {
			return nil, cmp.Or(s.conn.Refused(), nats.ErrDisconnected)
		}
		return nil, ErrMayNotSync
	}
	if _, err := s.open(ctx, 0); err != nil { // it says how many there are
		return nil, err
	}
	return s.open(ctx, int(d.Hi%uint64(s.cfg.Buckets)))
}
