package onetime

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"rescind"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func digest(n int) rescind.Digest {
	return rescind.MakeDigest(rescind.ScopeJTI, uint64(n+1)*0x9e3779b97f4a7c15, uint64(n))
}

func in(d time.Duration) rescind.Millis { return rescind.MillisOf(time.Now().Add(d)) }

func use(node int) rescind.Use {
	return rescind.Use{At: rescind.MillisOf(time.Now()), Node: uint32(node)}
}

// single runs one server that syncs.
func single(t testing.TB, name string) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		ServerName: name, Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(deadline) {
		t.Fatal("the server does not start")
	}
	return s
}

func TestOneClaimWins(t *testing.T) {
	s := single(t, "one")
	var stores []*Store
	for range 3 {
		stores = append(stores, openStore(t, s.ClientURL(), 3, 1))
	}
	for token := range 30 {
		var wg sync.WaitGroup
		outcomes := make([]Outcome, len(stores))
		for i, store := range stores {
			wg.Go(func() {
				var err error
				if outcomes[i], err = store.Claim(t.Context(), digest(token), use(i), in(time.Hour)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		winner, won := rescind.Use{}, 0
		for i, o := range outcomes {
			if o.Won {
				won++
				winner = o.Use
				if winner.Node != uint32(i) {
					t.Errorf("store %d won with the use of %d", i, winner.Node)
				}
			}
		}
		for _, o := range outcomes {
			if o.Use != winner {
				t.Errorf("told of %+v, the winner is %+v", o.Use, winner)
			}
		}
		if won != 1 {
			t.Fatalf("%d winners", won)
		}
	}
}

// A server that is not known to sync is refused, and said to be.
func TestServersThatMayNotSyncAreRefused(t *testing.T) {
	s := single(t, "syncing")
	for name, want := range map[string]error{"syncing": nil, "other": ErrMayNotSync, "": ErrMayNotSync} {
		store, err := Open(Config{Cluster: "test", URL: s.ClientURL(), SyncingServer: name, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err = store.Claim(ctx, digest(len(name)), use(1), in(time.Hour))
		cancel()
		store.Close()
		if !errors.Is(err, want) || want != nil && !errors.Is(err, rescind.ErrUndecided) {
			t.Errorf("server name %q: %v", name, err)
		}
	}
}

// Two nodes that spread over different numbers of buckets would look in
// different places: the second is refused.
func TestBucketsMustAgree(t *testing.T) {
	s := single(t, "one")
	if _, err := openStore(t, s.ClientURL(), 4, 1).Claim(t.Context(), digest(1), use(1), in(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, err := openStore(t, s.ClientURL(), 5, 1).Claim(t.Context(), digest(2), use(1), in(time.Hour))
	if !errors.Is(err, rescind.ErrUndecided) || !errors.Is(err, ErrWrongBucket) {
		t.Errorf("error is %v", err)
	}
}

// A key outlives its token by the largest leeway and skew, and no longer than
// that by much.
func TestKeysOutliveTheirTokens(t *testing.T) {
	s := single(t, "one")
	store := openStore(t, s.ClientURL(), 1, 1)
	if _, err := store.Claim(t.Context(), digest(1), use(1), in(time.Minute)); err != nil {
		t.Fatal(err)
	}
	stream, err := store.js.Stream(t.Context(), "KV_rescind-onetime-test-0")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetLastMsgForSubject(t.Context(), "$KV.rescind-onetime-test-0."+digest(1).String())
	if err != nil {
		t.Fatal(err)
	}
	ttl, err := time.ParseDuration(msg.Header.Get("Nats-TTL"))
	if least := time.Minute + rescind.RetentionMargin; err != nil || ttl < least || ttl > least+3*time.Second {
		t.Errorf("TTL %v, %v", ttl, err)
	}
	if got := keyTTL(in(-time.Hour)); got < time.Second {
		t.Errorf("a lapsed token has a TTL of %v, which NATS takes for none", got)
	}
}

// An answer that is lost is settled by asking again: the claim finds its own
// nonce.
func TestLostAnswerIsSettled(t *testing.T) {
	s := single(t, "one")
	store := openStore(t, s.ClientURL(), 1, 1)
	mine := newClaim(use(1))
	kv, err := store.bucket(t.Context(), digest(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Create(t.Context(), digest(1).String(), mine, jetstream.KeyTTL(time.Hour)); err != nil {
		t.Fatal(err)
	}
	held, err := store.attempt(t.Context(), digest(1), mine, in(time.Hour)) // as if the first answer had not come
	if err != nil || string(held) != string(mine) {
		t.Errorf("%x, %v", held, err)
	}
	other, err := store.Claim(t.Context(), digest(1), use(2), in(time.Hour))
	if err != nil || other.Won || other.Use.Node != 1 {
		t.Errorf("another claim: %+v, %v", other, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := Config{Cluster: "c", URL: "nats://127.0.0.1:1"}
	for name, change := range map[string]func(*Config){
		"no cluster": func(c *Config) { c.Cluster = "" }, "no name of a bucket": func(c *Config) { c.Cluster = "a.b" },
		"no URL":       func(c *Config) { c.URL = "" },
		"two replicas": func(c *Config) { c.Replicas = 2 }, "negative buckets": func(c *Config) { c.Buckets = -1 },
		"too many buckets": func(c *Config) { c.Buckets = MaxBuckets + 1 }, "no URL at all": func(c *Config) { c.URL = "://" },
	} {
		c := good
		change(&c)
		if s, err := Open(c); err == nil {
			t.Errorf("%s: opened", name)
			s.Close()
		}
	}
}
