// Package verify is bench verify: the cost of verifying a token, beside golang-jwt
// alone.
package verify

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rescind"
	"rescind/bench/apitoken"
	"rescind/bench/progress"
	"rescind/bench/report"
	"rescind/filter"
	"rescind/token"
)

const (
	verifyIssuer   = "https://issuer.example"
	verifyAudience = "https://api.example"
)

// settings of one run of 'bench verify'.
type settings struct {
	rounds  int
	tokens  int // different tokens; each is verified once per round as first-seen
	repeats int // how often each of them is verified per round as cached
	revoked int // revocations in the set that is asked each time
}

// round holds one round of one algorithm.
type round struct{ rival, first, cached cost }

// Run compares the Verifier with golang-jwt alone: one fixed key, claims
// decoded into jwt.RegisteredClaims (its fastest way), no revocations. In
// each round of each algorithm both verify the same tokens, a few at a time by
// turns, so that a noisy moment hits both.
func Run(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("verify", flag.ContinueOnError)
	s := settings{}
	fs.IntVar(&s.rounds, "rounds", 9, "rounds; the table shows the median of each figure")
	fs.IntVar(&s.tokens, "tokens", 500, "different tokens")
	fs.IntVar(&s.repeats, "repeats", 400, "how often each token comes again in a round")
	fs.IntVar(&s.revoked, "revoked", 100_000, "live revocations that are asked on every verification")
	quick := fs.Bool("quick", false, "five short rounds")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	if *quick {
		s.rounds, s.tokens, s.repeats = 5, 150, 150
	}
	if s.rounds < 1 || s.tokens < 1 || s.repeats < 1 || s.revoked < 0 {
		return errors.New("use at least 1 round, 1 token and 1 repeat")
	}
	all, err := measureVerify(ctx, s)
	if err != nil {
		return err
	}
	printVerify(os.Stdout, s, all)
	s.enter(all, r)
	return nil
}

func measureVerify(ctx context.Context, s settings) (map[string][]round, error) {
	set, err := revocations(s.revoked)
	if err != nil {
		return nil, err
	}
	var contests []*contest
	for _, alg := range algorithms {
		c, err := newContest(alg, s.tokens, set)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", alg, err)
		}
		contests = append(contests, c)
	}
	all := map[string][]round{}
	bar := progress.New(os.Stderr, float64((s.rounds+1)*len(contests)))
	defer bar.Close()
	for round := range s.rounds + 1 {
		for _, c := range contests {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if round == 0 {
				bar.Step(1, "warm-up, %s", c.alg)
			} else {
				bar.Step(1, "round %d of %d, %s", round, s.rounds, c.alg)
			}
			r, err := c.run(s.repeats)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", c.alg, round, err)
			}
			if round > 0 { // the first warms up
				all[c.alg] = append(all[c.alg], r)
			}
		}
	}
	return all, nil
}

// checkSet is what a cluster's node asks: the Bloom filter and the exact set.
type checkSet struct{ *filter.Set }

func (c checkSet) Check(t rescind.Token) rescind.Verdict {
	if c.Revoked(&t) {
		return rescind.Revoked
	}
	return rescind.Valid
}

// revocations returns n revoked tokens and n/10 revoked sessions and subjects.
func revocations(n int) (checkSet, error) {
	set := filter.New(filter.Options{Key: [32]byte{1, 2, 3}})
	expires := rescind.MillisOf(time.Now().Add(time.Hour))
	for i := range n {
		scopes := []rescind.Scope{rescind.ScopeJTI}
		if i%10 == 0 {
			scopes = append(scopes, rescind.ScopeSID, rescind.ScopeSub)
		}
		for _, scope := range scopes {
			d := set.Digest(rescind.Key{Scope: scope, Issuer: verifyIssuer, ID: fmt.Sprint("revoked-", i)})
			if _, _, err := set.Add(rescind.Record{Digest: d, IssuedBefore: rescind.Ever, ExpiresAt: expires}); err != nil {
				return checkSet{}, err
			}
		}
	}
	return checkSet{set}, nil
}

var algorithms = []string{"ES256", "RS256", "EdDSA", "HS256"}

// contest is one algorithm's key and tokens.
type contest struct {
	alg    string
	public any
	config token.VerifierConfig
	tokens []string
}

func newContest(alg string, tokens int, set checkSet) (*contest, error) {
	private, public, err := apitoken.Keys(alg)
	if err != nil {
		return nil, err
	}
	issuer := token.IssuerConfig{Issuer: verifyIssuer, Audience: []string{verifyAudience}, Algorithms: []string{alg}}
	if secret, ok := public.([]byte); ok {
		issuer.HS256Secret = secret
	} else if issuer.JWKS, err = apitoken.KeySetOf(public); err != nil {
		return nil, err
	}
	c := &contest{alg: alg, public: public, config: token.VerifierConfig{Issuers: []token.IssuerConfig{issuer}, Checker: set}}
	for i := range tokens {
		t := jwt.NewWithClaims(jwt.GetSigningMethod(alg), jwt.MapClaims{
			"iss": verifyIssuer, "aud": verifyAudience, "sub": fmt.Sprint("user-", i), "jti": rand.Text(), "sid": rand.Text(),
			"client_id": "app", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		})
		t.Header["typ"] = "at+jwt"
		raw, err := t.SignedString(private)
		if err != nil {
			return nil, err
		}
		c.tokens = append(c.tokens, raw)
	}
	return c, nil
}

// run measures one round. The Verifier is new, so that its cache is empty; it
// has the default size, and putting tokens into it counts as first-seen.
func (c *contest) run(repeats int) (round, error) {
	v, err := token.NewVerifier(context.Background(), c.config)
	if err != nil {
		return round{}, err
	}
	defer v.Close()
	key := func(*jwt.Token) (any, error) { return c.public, nil }
	rival := func(raw string) error {
		_, err := jwt.ParseWithClaims(raw, &jwt.RegisteredClaims{}, key)
		return err
	}
	ours := func(raw string) error {
		_, err := v.Verify(raw)
		return err
	}
	runtime.GC() // no round pays for another's garbage
	var r round
	for n, some := range slices.Collect(slices.Chunk(c.tokens, chunkTokens)) {
		parts := []func() error{
			func() error { return r.rival.add(rival, some, 1) },
			func() error { return r.first.add(ours, some, 1) },
		}
		if n%2 == 1 { // neither always comes second, to warm caches
			slices.Reverse(parts)
		}
		for _, part := range parts {
			if err := part(); err != nil {
				return round{}, err
			}
		}
	}
	return r, r.cached.add(ours, c.tokens, repeats)
}

// chunkTokens is how many tokens one contestant verifies before it is the
// other's turn.
const chunkTokens = 20

// cost is what some verifications cost in all.
type cost struct {
	n, allocs uint64
	took      time.Duration
}

func (c cost) ns() float64         { return float64(c.took) / float64(c.n) }
func (c cost) allocsEach() float64 { return float64(c.allocs) / float64(c.n) }

// add verifies tokens, repeats times over.
func (c *cost) add(verify func(string) error, tokens []string, repeats int) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range repeats {
		for _, raw := range tokens {
			if err := verify(raw); err != nil {
				return err
			}
		}
	}
	c.took += time.Since(start)
	runtime.ReadMemStats(&after)
	c.allocs += after.Mallocs - before.Mallocs
	c.n += uint64(repeats * len(tokens))
	return nil
}
