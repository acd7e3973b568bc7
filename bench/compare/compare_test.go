package compare

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgxpool"

	"rescind/bench/apitoken"
	"rescind/bench/ids"
)

func TestTokenIDsAreTextAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for i := range uint64(10_000) {
		id := apitoken.ID(i)
		if len(id) != 36 || !utf8.ValidString(id) || seen[id] {
			t.Fatalf("identifier %d is %q", i, id)
		}
		seen[id] = true
	}
}

func poolOf(t *testing.T) *apitoken.Pool {
	t.Helper()
	p, err := apitoken.NewPool("ES256")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// forgetful knows some log-outs and is unsure about others.
type forgetful struct {
	rivalBlacklist
	unsure bool
}

func (f forgetful) revoked(ctx context.Context, id string) (bool, error) {
	if f.unsure {
		return false, errors.New("no answer")
	}
	return f.rivalBlacklist.revoked(ctx, id)
}

// What gets through is counted: nothing with one set for both APIs, what the other
// API was told with a set for each, everything without any.
func TestLeaks(t *testing.T) {
	p := poolOf(t)
	shared := newWithGolangJWT(p, newSyncMapBlacklist(0))
	none := newWithGolangJWT(p, noBlacklist{})
	all := newWithGolangJWT(p, rivalBlacklist{add: func(string) {}, found: func(string) bool { return true }})
	unsure := newWithGolangJWT(p, forgetful{newSyncMapBlacklist(0), true})
	for name, c := range map[string]struct {
		apis [2]api
		want leakResult
	}{
		"one set":       {[2]api{shared, shared}, leakResult{tokens: 8, live: 2}},
		"a set each":    {[2]api{newWithGolangJWT(p, newSyncMapBlacklist(0)), newWithGolangJWT(p, newBloomMapBlacklist(100))}, leakResult{tokens: 8, live: 2, leaked: 8}},
		"no set":        {[2]api{none, none}, leakResult{tokens: 8, live: 2, leaked: 8}},
		"refuses all":   {[2]api{all, all}, leakResult{tokens: 8, live: 2, refused: 2}},
		"never answers": {[2]api{unsure, unsure}, leakResult{tokens: 8, live: 2, withheld: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			trial, err := newLeakTrial(&contender{apis: c.apis}, p, 20*time.Millisecond, c.want.tokens)
			if err != nil {
				t.Fatal(err)
			}
			if err := trial.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := trial.result()
			if name == "refuses all" {
				got.refused = min(got.refused, c.want.refused) // also those that were checked before they were logged out
			}
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// An error is told from a refusal, and both from an answer that never comes.
func TestOutageAnswers(t *testing.T) {
	p := poolOf(t)
	c := &comparison{pool: p}
	hanging := make(chan struct{})
	known := newSyncMapBlacklist(0)
	for name, b := range map[string]struct {
		blacklist
		want outageAnswers
	}{
		"there":   {known, outageAnswers{refused: outageTokens}},
		"forgot":  {rivalBlacklist{known.add, func(string) bool { return false }}, outageAnswers{accepted: outageTokens}},
		"errors":  {forgetful{known, true}, outageAnswers{unsure: 2 * outageTokens}},
		"hanging": {rivalBlacklist{known.add, func(string) bool { <-hanging; return false }}, outageAnswers{late: 2 * outageTokens}},
	} {
		s := &contender{apis: c.both(b, b)}
		trial, err := c.newOutageTrial(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		patient := time.Minute
		if name == "hanging" {
			patient = 50 * time.Millisecond
		}
		got := trial.ask(t.Context(), patient)
		if (len(got.times) > 0) != (name == "errors") {
			t.Errorf("%s: %d times", name, len(got.times))
		}
		if got.refused != b.want.refused || got.accepted != b.want.accepted || got.unsure != b.want.unsure || got.late != b.want.late {
			t.Errorf("%s: %+v, want %+v", name, got, b.want)
		}
		if name == "hanging" {
			close(hanging)
		}
		trial.late.Wait()
	}
}

// installed skips where a program is missing: tests install nothing.
func installed(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
}

// store is what the two servers have in common.
type store interface {
	blacklist
	fill(context.Context, int) (float64, error)
}

// checkStore fills a store, kills its server and looks whether it still knows.
func checkStore(t *testing.T, s *service, b store) {
	t.Helper()
	const n = 2000
	if bytes, err := b.fill(t.Context(), n); err != nil || bytes <= 0 {
		t.Fatalf("fill: %v bytes each, %v", bytes, err)
	}
	if err := b.revoke(t.Context(), "one more"); err != nil {
		t.Fatal(err)
	}
	missing := func() (ids []string) {
		for i := range uint64(n) {
			ids = append(ids, apitoken.ID(i))
		}
		return slices.DeleteFunc(append(ids, "one more"), func(id string) bool {
			found, err := b.revoked(t.Context(), id)
			return found && err == nil
		})
	}
	if m := missing(); len(m) > 0 {
		t.Errorf("%d of %d are not found", len(m), n)
	}
	wrong := 0
	for i := range uint64(n) {
		if found, err := b.revoked(t.Context(), apitoken.ID(ids.AbsentFrom+i)); err != nil || found {
			wrong++
		}
	}
	if wrong > n/100 {
		t.Errorf("%d of %d are found that nobody revoked", wrong, n)
	}
	if err := s.kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.revoked(t.Context(), "one more"); err == nil {
		t.Error("an answer without a server")
	}
	if err := s.restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := missing(); len(m) > 0 {
		t.Errorf("%d are lost after a crash, %v and others", len(m), m[0])
	}
}

func TestRedis(t *testing.T) {
	installed(t, "redis-server")
	for name, make := range map[string]func(redisKeys) store{
		"keys": func(k redisKeys) store { return k },
		"bits": func(k redisKeys) store { return newRedisBits(k.client, 2000) },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := newRedis(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.stop)
			client := newRedisClient(s.addr)
			t.Cleanup(func() { client.Close() })
			if version, _, err := redisVersion(t.Context(), client); err != nil || !strings.Contains(version, ".") {
				t.Errorf("version %q, %v", version, err)
			}
			checkStore(t, s, make(redisKeys{client}))
		})
	}
}

func TestPostgres(t *testing.T) {
	installed(t, "initdb")
	dir, err := os.MkdirTemp("", "rescind-postgres-") // the user of PostgreSQL can't enter TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	s, err := newPostgres(t.Context(), dir+"/pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	pool, err := pgxpool.New(t.Context(), postgresURL(s.addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	checkStore(t, s, postgresTable{pool})
}
