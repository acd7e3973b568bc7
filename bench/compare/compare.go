// Package compare is bench compare: ways to refuse logged-out tokens, each set up as
// its own documentation recommends, in one run.
package compare

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"rescind/bench/apitoken"
	"rescind/bench/process"
	"rescind/bench/report"
	"rescind/bench/stats"
)

// settings of one run of bench compare.
type settings struct {
	rounds  int
	slice   time.Duration // of each measurement
	revoked int           // beforehand
	tokens  int           // that are checked in turn
	callers int           // at once, for the throughput
	window  time.Duration // within which a log-out must hold everywhere
	leak    time.Duration // how long tokens are logged out while checks run
	patient time.Duration // for an answer while a store is down
	alg     string
	program string // rescind
}

// Run compares ways to refuse logged-out tokens.
func Run(ctx context.Context, args []string, r *report.Result) (err error) {
	fs := flag.NewFlagSet("compare", flag.ContinueOnError)
	s := settings{rounds: 9, slice: 500 * time.Millisecond, revoked: 100_000, leak: 5 * time.Second, patient: 8 * time.Second}
	fs.IntVar(&s.rounds, "rounds", s.rounds, "rounds; the tables show the median of each figure")
	fs.DurationVar(&s.slice, "slice", s.slice, "how long each is measured, three times in each round")
	fs.IntVar(&s.revoked, "revoked", s.revoked, "tokens that are revoked beforehand")
	fs.IntVar(&s.tokens, "tokens", 1000, "tokens that are checked in turn")
	fs.IntVar(&s.callers, "callers", 16, "requests at once, for the throughput")
	fs.DurationVar(&s.window, "window", time.Second, "when a log-out must hold at every API: what is accepted later has leaked")
	fs.StringVar(&s.alg, "alg", "ES256", "how tokens are signed: ES256 or RS256")
	fs.StringVar(&s.program, "node-program", "", "the program rescind; empty: beside this one, or built from the sources")
	quick := fs.Bool("quick", false, "5 short rounds, within a minute")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	if *quick {
		s.rounds, s.slice, s.revoked, s.leak, s.patient = 5, 60*time.Millisecond, 20_000, 2*time.Second, 1500*time.Millisecond
	}
	if s.rounds < 1 || s.slice <= 0 || s.revoked < 100 || s.tokens < 100 || s.callers < 1 || s.window <= 0 || s.alg != "ES256" && s.alg != "RS256" {
		return errors.New("use at least 1 round, 100 tokens, 100 revoked ones, 1 caller, a slice and a window, and --alg ES256 or RS256")
	}
	r.Settings("rounds", s.rounds, "slice", s.slice.String(), "revoked", s.revoked, "tokens", s.tokens, "callers", s.callers, "window", s.window.String(), "alg", s.alg)
	dir, err := os.MkdirTemp("", "rescind-compare-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { // #nosec G302 -- PostgreSQL runs as another user
		return err
	}
	c := &comparison{settings: s, dir: dir, w: os.Stdout, r: r}
	defer c.group.Stop()
	return c.all(ctx)
}

// comparison is one run of bench compare.
type comparison struct {
	settings
	dir string
	w   io.Writer
	r   *report.Result

	group    process.Group // what was started
	pool     *apitoken.Pool
	subjects []*contender
	skipped  []string // what could not take part, and why
}

// contender is one way to refuse logged-out tokens, set up.
type contender struct {
	key, name string // in figures; in tables
	setup     string // how it is configured
	apis      [2]api // two processes of the API: a log-out reaches either
	bytes     float64
	inBytes   string   // what bytes counts
	service   *service // what it asks; nil: nothing but its own memory
	without   *service // else a peer, which it does not ask
	cpu       []int    // processes that work for its checks besides this one
	volatile  bool     // what it knows ends with its process
	wholeOnly bool     // its revocation check is another's, or none

	whole, alone []compareRound
	leaks        leakResult
	outage       outageResult
}

func (c *comparison) all(ctx context.Context) error {
	fmt.Fprintf(c.w, "Ways to refuse logged-out tokens (%s), %d revoked beforehand. %s, %s/%s, %d CPUs.\n",
		c.alg, c.revoked, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"set up", c.start},
		{"measure", c.measure},
		{"log out while checks run", c.measureLeaks},
		{"take stores away", c.measureOutages},
	} {
		fmt.Fprintf(os.Stderr, "compare: %s\n", step.what)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return c.report()
}

// start sets up the contestants. What is missing here is left out and named.
func (c *comparison) start(ctx context.Context) (err error) {
	if c.pool, err = apitoken.NewPool(c.alg); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{c.startOurs, c.startAlone, c.startRedis, c.startPostgres, c.startLocal} {
		err := start(ctx)
		if missing, ok := errors.AsType[*process.Missing](err); ok {
			c.skipped = append(c.skipped, missing.What)
			fmt.Fprintf(c.w, "left out: %s\n", missing.What)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) add(s *contender) { c.subjects = append(c.subjects, s) }

func (c *comparison) folder(name string) string { return filepath.Join(c.dir, name) }

func (c *comparison) startOurs(ctx context.Context) error {
	program, err := process.NodeProgram(ctx, c.program, c.dir)
	if err != nil {
		return err
	}
	dir := c.folder("ours")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	o, err := startOurs(ctx, program, dir, c.pool, c.revoked, &c.group)
	if err != nil {
		return err
	}
	first := [2]api{}
	for i, a := range o.within {
		v, err := newVerifier(ctx, c.pool, a.node, -1)
		if err != nil {
			return err
		}
		c.group.Defer(v.Close)
		first[i] = &inProcess{a.node, v}
	}
	const cluster = "four nodes (two in process, two sidecars), gossip on loopback, data on disk, ack local"
	c.add(&contender{key: "inprocess", name: "Rescind in process", setup: "token.Verifier with its defaults, and a cluster.Node; " + cluster,
		apis: [2]api{o.within[0], o.within[1]}, bytes: o.bytes[0], inBytes: "Bloom filter and exact set", without: o.sidecars[1]})
	c.add(&contender{key: "inprocess_first", name: "Rescind in process, every token new to it", setup: "the same without the cache of verified tokens",
		apis: first, bytes: o.bytes[0], inBytes: "the same", wholeOnly: true})
	c.add(&contender{key: "sidecar", name: "Rescind as sidecar", setup: "rescind serve with its defaults beside each API, GET /v1/check over kept-alive HTTP on loopback; " + cluster,
		apis: [2]api{o.beside[0], o.beside[1]}, bytes: o.bytes[1], inBytes: "Bloom filter and exact set",
		service: o.sidecars[1], cpu: []int{o.sidecars[0].id(), o.sidecars[1].id()}})
	c.add(&contender{key: "introspection", name: "introspection by HTTP", setup: "RFC 7662 at one authorization server, here rescind serve, with the answer in its memory; the API checks no signature",
		apis:  [2]api{introspecting{o.beside[1]}, introspecting{o.beside[1]}},
		bytes: o.bytes[1], inBytes: "the server's", service: o.sidecars[1], cpu: []int{o.sidecars[1].id()}})
	return nil
}

func (c *comparison) startAlone(context.Context) error {
	a := newWithGolangJWT(c.pool, noBlacklist{})
	c.add(&contender{key: "golang_jwt", name: "golang-jwt alone", setup: "jwt.NewParser with valid methods, issuer, audience and expiry; fixed key; no revocation", apis: [2]api{a, a}, wholeOnly: true})
	return nil
}

func (c *comparison) startRedis(ctx context.Context) error {
	dir := c.folder("redis")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s, err := newRedis(ctx, dir)
	if err != nil {
		return err
	}
	c.group.Defer(s.stop)
	var clients [2]redisKeys
	for i := range clients {
		clients[i] = redisKeys{newRedisClient(s.addr)}
		c.group.Defer(func() { _ = clients[i].client.Close() })
	}
	version, module, err := redisVersion(ctx, clients[0].client)
	if err != nil {
		return err
	}
	c.r.Uses("redis-server", version)
	bytes, err := clients[0].fill(ctx, c.revoked)
	if err != nil {
		return err
	}
	c.add(&contender{key: "redis", name: "golang-jwt + Redis EXISTS", setup: "a key for each token with its lifetime; redis-server with append-only file, everysec, and snapshots; " + redisSetup,
		apis: c.both(clients[0], clients[1]), bytes: bytes, inBytes: "used_memory", service: s, cpu: []int{s.id()}})
	how := fmt.Sprintf("one Bloom filter of %g %% in one string, bits set and read by the client in one BITFIELD; this server (%s) has no module", redisBloomRate*100, version)
	var filters [2]interface {
		blacklist
		fill(context.Context, int) (float64, error)
	}
	for i, k := range clients {
		filters[i] = newRedisBits(k.client, c.revoked)
		if module {
			filters[i], how = redisModule(k), fmt.Sprintf("BF.EXISTS on a filter of %g %%", redisBloomRate*100)
		}
	}
	if bytes, err = filters[0].fill(ctx, c.revoked); err != nil {
		return err
	}
	c.add(&contender{key: "redis_bloom", name: "golang-jwt + Bloom filter in Redis", setup: how + "; the same server and client; it forgets nothing when tokens expire",
		apis: c.both(filters[0], filters[1]), bytes: bytes, inBytes: "MEMORY USAGE", service: s, cpu: []int{s.id()}})
	return nil
}

func (c *comparison) startPostgres(ctx context.Context) error {
	s, err := newPostgres(ctx, c.folder("postgres"))
	if err != nil {
		return err
	}
	c.group.Defer(s.stop)
	var tables [2]postgresTable
	for i := range tables {
		pool, err := pgxpool.New(ctx, postgresURL(s.addr))
		if err != nil {
			return err
		}
		c.group.Defer(pool.Close)
		tables[i] = postgresTable{pool}
	}
	var version string
	if err := tables[0].pool.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
		return err
	}
	c.r.Uses("PostgreSQL", version)
	bytes, err := tables[0].fill(ctx, c.revoked)
	if err != nil {
		return err
	}
	c.add(&contender{key: "postgres", name: "golang-jwt + PostgreSQL primary key", setup: postgresSchema + "; " + postgresQuery + "; " + postgresSetup,
		apis: c.both(tables[0], tables[1]), bytes: bytes, inBytes: "pg_total_relation_size", service: s, cpu: []int{s.id()}})
	return nil
}

// startLocal sets up what lives in the memory of one API process.
func (c *comparison) startLocal(ctx context.Context) error {
	for _, l := range []struct {
		key, name, setup string
		make             func(n int) rivalBlacklist
	}{
		{"plain", "golang-jwt + Bloom filter, RWMutex and map", "bits-and-blooms at 0.1 %, a map with expiries behind a sync.RWMutex; each process knows its own log-outs", newBloomMapBlacklist},
		{"sync_map", "golang-jwt + sync.Map", "each process knows its own log-outs", newSyncMapBlacklist},
	} {
		var lists [2]rivalBlacklist
		before := stats.Heap()
		for k := range lists {
			lists[k] = l.make(c.revoked)
			for i := range c.revoked {
				lists[k].add(apitoken.ID(uint64(i)))
			}
		}
		bytes := float64(stats.Heap()-before) / float64(2*c.revoked)
		c.add(&contender{key: l.key, name: l.name, setup: l.setup, apis: c.both(lists[0], lists[1]), bytes: bytes, inBytes: "heap", volatile: true})
	}
	return nil
}

func (c *comparison) both(a, b blacklist) [2]api {
	return [2]api{newWithGolangJWT(c.pool, a), newWithGolangJWT(c.pool, b)}
}
