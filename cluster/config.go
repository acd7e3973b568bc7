package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"time"

	"rescind"
	"rescind/internal/natslogin"
	"rescind/internal/onetime"
)

// Config says what a node is part of. Only DataDir is required, or SharedLog and
// NATS. No number and no duration may be negative: none of them has a "never" or a
// "no limit" that is not said.
type Config struct {
	// Cluster is the name that every member shares; messages of other
	// clusters are ignored. Empty means "rescind".
	Cluster string

	// Name is shown to people and must be unique in the cluster. Empty means
	// the host's name.
	Name string

	// Key is the cluster's secret, 32 bytes. It keys the digests, and can't be
	// changed for the life of the data. Empty means a key that everybody knows,
	// and then only loopback addresses are allowed.
	Key []byte

	// TransportKeys seal gossip and NATS, 32 bytes each: the first seals, all
	// open. They can be changed at any time, see Node.SetTransportKeys. Empty
	// means Key.
	TransportKeys [][]byte

	// DataDir is the node's own folder; it is made if it does not exist.
	DataDir string

	// Gossip configures memberlist; nil turns it off.
	Gossip *Gossip

	// NATS configures the NATS carrier; nil turns it off. With neither carrier
	// the node is alone by configuration.
	NATS *NATS

	// SharedLog keeps the revocations in a JetStream stream of the cluster's and
	// not on this node's disk; nil keeps them in DataDir.
	SharedLog *SharedLog

	// Members names the nodes that keep revocations, Name among them: 3 to 9 of
	// them, or 1 that is alone, the same on every node. Acknowledgements and the
	// staleness bound then go by majorities of this list. Empty: the cluster is
	// open, and its members are whoever is heard. It does not go with SharedLog,
	// whose majority is JetStream's, nor with RefuseIsolated.
	Members []string

	// JoinTimeout is how long a starting node looks for a peer before it knows
	// that it knows only its own disk. A node that has met one, or whose folder was
	// never complete, does not become ready by it: the latter only if the carriers
	// can say that nobody else is there, or by Bootstrap. 0 means 10 s; at most one
	// hour.
	JoinTimeout time.Duration

	// Bootstrap is the operator's word that a node whose folder was never complete
	// is the first of its cluster, although its seeds don't answer. It changes
	// nothing once a peer has been met, or where a key does not fit.
	//
	// With Members it lets this node found the cluster with a majority of them,
	// where the others can't be had. It is for the first start only.
	Bootstrap bool

	// ForgetAfter is how long an unreachable peer counts in the staleness
	// bound and in "all" and "majority" before it is no longer listed. 0 means
	// one hour; at most rescind.MaxLifetimeLimit, after which no record matters that
	// it might have.
	ForgetAfter time.Duration

	// MaxLifetime is the longest lifetime of any token: how long a revocation
	// without an expiry lives. 0 means 30 days; at most rescind.MaxLifetimeLimit. An
	// Issuer or Verifier whose tokens live longer is refused, see Node.MaxLifetime.
	MaxLifetime time.Duration

	// MaxRevocations bounds the live revocations that this node accepts; at
	// the limit Revoke fails with rescind.ErrFull. Those of a context of
	// rescind.AsAdministrator, and those of a key, an issuer or a client, have a
	// reserve of 1/64, at least 1,024, beyond it. 0 means ten million.
	MaxRevocations int

	// IssuerShare is how many percent of MaxRevocations this node accepts on behalf
	// of one issuer, save from administrators: set it where several issuers are
	// trusted, or one of them can keep the others' users from logging out. 0 means
	// that there is no such bound.
	IssuerShare int

	// MaxBytes bounds the memory of the live revocations, tables and Bloom filter
	// together, in bytes, beside MaxRevocations and like it. 0 means no bound.
	MaxBytes int

	// Ack is the write concern of revocations that ask for rescind.AckDefault.
	// 0 means rescind.AckMajority with Members, else rescind.AckLocal.
	Ack rescind.Ack

	// RefuseIsolated makes Revoke fail with rescind.ErrIsolated once no peer
	// has been heard for ForgetAfter, which makes the staleness bound absolute
	// at the price of logouts during a long partition.
	RefuseIsolated bool

	// RejectStale makes Check answer rescind.Stale once the staleness bound
	// exceeds MaxStaleness or is unknown. Otherwise it answers from what is
	// known here.
	RejectStale bool

	// MaxStaleness is the bound for RejectStale. 0 means 10 s.
	MaxStaleness time.Duration

	// VersionWait is how long WaitFor waits at the most. 0 means 1 s, and it is
	// at most one minute.
	VersionWait time.Duration

	// OneTime configures strict one-time tokens; nil turns them off, and
	// Consume then knows rescind.Available only.
	OneTime *OneTime

	// RevokeDoubleUsed ends the session of a one-time token, or whatever its
	// sid names, once it turns out that two nodes have accepted it.
	RevokeDoubleUsed bool

	// OnDoubleUse, if not nil, is told of every such token of which this node
	// accepted a use. It is called by one goroutine at a time and must not
	// block.
	OnDoubleUse func(DoubleUse)

	// Logger receives what an operator should know. nil means slog.Default().
	Logger *slog.Logger

	now func() time.Time // the wall clock, for tests; nil: time.Now
}

// OneTime configures strict one-time tokens, which the NATS servers of
// Config.NATS decide about. They need JetStream, and the same servers and
// number of buckets on every node. With NATS.Embed the embedded server has it.
type OneTime struct {
	Buckets  int // over which the tokens are spread; 0 means 4, at most 64
	Replicas int // servers that hold each bucket: 1, 3 or 5; 0 means 1

	// DangerouslyAssumeSync accepts servers that are not a node's embedded one.
	// Each must have sync_interval: always in its configuration, which NATS
	// does not tell: without it a power failure can give a token a second use.
	DangerouslyAssumeSync bool
}

// Gossip configures the memberlist carrier.
type Gossip struct {
	Bind      string   // host:port to listen on, UDP and TCP; port 0 picks one
	Advertise string   // host:port that others reach this node at; empty: derived from Bind
	Join      []string // seeds, host:port, dns+name:port or dnssrv+name; tried again for ever

	// Regional says that NATS alone reaches members of other regions, so that
	// gossip not reaching them is no problem.
	Regional bool

	// MaxStreamBytes bounds the memory that the connections of others take at one time
	// before they have shown the key. 0 means 64 MiB.
	MaxStreamBytes int64
}

// NATS configures the NATS carrier.
type NATS struct {
	URL string // one or more nats:// or tls:// URLs, separated by commas

	// How this node logs in: in one of these ways, or none. The files are read at
	// every connection; where they change the connection is made anew.
	CredsFile    string // a user's JWT and seed, as nsc writes them
	NKeyFile     string // a user's seed, as nk writes it
	TokenFile    string // a token
	User         string // with PasswordFile
	PasswordFile string

	// TLS, PEM files that are read like those above. With a CAFile or a CertFile no
	// connection without TLS is used.
	CAFile   string // the authorities of the servers' certificates; empty: the system's
	CertFile string // this node's certificate and its chain; needs KeyFile
	KeyFile  string

	// Embed is the host:port at which this node runs a NATS server of its own.
	// Empty: none. With an empty URL the node then uses that server.
	Embed string

	maxPending int // of carrier.NATSConfig, for tests
}

func (n *NATS) login() natslogin.Login {
	return natslogin.Login{
		CredsFile: n.CredsFile, NKeyFile: n.NKeyFile, TokenFile: n.TokenFile, User: n.User, PasswordFile: n.PasswordFile,
		CAFile: n.CAFile, CertFile: n.CertFile, KeyFile: n.KeyFile,
	}
}

// withDefaults returns c with its zero values resolved, or what is wrong.
func (c Config) withDefaults() (Config, error) {
	if err := c.checkSharedLog(); err != nil {
		return c, err
	}
	if c.DataDir == "" && c.needsDataDir() {
		return c, errors.New("cluster: Config.DataDir is empty; name a folder for the node's revocations")
	}
	if len(c.Key) != 0 && len(c.Key) != 32 {
		return c, fmt.Errorf("cluster: Config.Key has %d bytes; use 32 random ones", len(c.Key))
	}
	if len(c.TransportKeys) > 0 && len(c.Key) == 0 {
		return c, errors.New("cluster: Config.TransportKeys is set without Config.Key; the digests need a key, too")
	}
	if err := CheckTransportKeys(c.TransportKeys); err != nil {
		return c, err
	}
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return c, fmt.Errorf("cluster: Config.Name is empty and the host has no name: %w", err)
		}
		c.Name = host
	}
	if err := c.checkMembers(); err != nil {
		return c, err
	}
	c.Members = sorted(c.Members)
	if len(c.Members) > 0 {
		setDefault(&c.Ack, rescind.AckMajority)
	}
	setDefault(&c.Cluster, "rescind")
	setDefault(&c.JoinTimeout, 10*time.Second)
	setDefault(&c.ForgetAfter, time.Hour)
	setDefault(&c.MaxLifetime, 30*24*time.Hour)
	setDefault(&c.MaxRevocations, 10_000_000)
	setDefault(&c.Ack, rescind.AckLocal)
	setDefault(&c.MaxStaleness, 10*time.Second)
	setDefault(&c.VersionWait, time.Second)
	if err := c.checkNumbers(); err != nil {
		return c, err
	}
	if err := c.checkOneTime(); err != nil {
		return c, err
	}
	if err := c.Ack.Validate(); err != nil {
		return c, fmt.Errorf("cluster: Config.Ack: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// checkNumbers refuses numbers and durations that mean nothing. A row for each.
func (c Config) checkNumbers() error {
	type bound struct {
		field       string
		value, most int64
		shown       any
	}
	length := func(field string, d, most time.Duration) bound {
		return bound{field, int64(d), int64(most), fmt.Sprintf("%v; use at most %v", d, most)}
	}
	number := func(field string, n, most int64) bound {
		return bound{field, n, most, fmt.Sprintf("%d; use at most %d", n, most)}
	}
	bounds := []bound{
		length("JoinTimeout", c.JoinTimeout, time.Hour),
		length("ForgetAfter", c.ForgetAfter, rescind.MaxLifetimeLimit),
		length("MaxLifetime", c.MaxLifetime, rescind.MaxLifetimeLimit),
		length("MaxStaleness", c.MaxStaleness, rescind.MaxLifetimeLimit),
		length("VersionWait", c.VersionWait, time.Minute),
		number("MaxRevocations", int64(c.MaxRevocations), math.MaxInt64),
		number("MaxBytes", int64(c.MaxBytes), math.MaxInt64),
		number("IssuerShare", int64(c.IssuerShare), 100),
	}
	if c.OneTime != nil {
		bounds = append(bounds, number("OneTime.Buckets", int64(c.OneTime.Buckets), onetime.MaxBuckets), number("OneTime.Replicas", int64(c.OneTime.Replicas), 5))
	}
	if c.SharedLog != nil {
		bounds = append(bounds, number("SharedLog.Replicas", int64(c.SharedLog.Replicas), 5), number("SharedLog.MaxBytes", c.SharedLog.MaxBytes, math.MaxInt64))
	}
	if c.Gossip != nil {
		bounds = append(bounds, number("Gossip.MaxStreamBytes", c.Gossip.MaxStreamBytes, math.MaxInt64))
	}
	for _, b := range bounds {
		if b.value < 0 || b.value > b.most {
			return fmt.Errorf("cluster: Config.%s is %v, and nothing negative", b.field, b.shown)
		}
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
