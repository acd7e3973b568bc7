package cluster

import (
	"math/rand/v2"
	"testing"
	"time"

	"rescind"
	"rescind/internal/store"
)

// BenchmarkBootstrap measures how long an empty node takes until it is ready
// beside one that holds b.N revocations, both in this process, over loopback:
//
//	go test ./cluster -run '^$' -bench Bootstrap -benchtime 10000000x
func BenchmarkBootstrap(b *testing.B) {
	config := func(name string) Config {
		return Config{
			Name: name, DataDir: b.TempDir(), Logger: quiet, Gossip: &Gossip{Bind: "127.0.0.1:0"},
			MaxRevocations: 2 * b.N, JoinTimeout: time.Millisecond,
		}
	}
	start := func(cfg Config) *Node {
		n, err := Open(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { n.Close() })
		return n
	}
	old := config("old")
	donor := start(old)
	fill(b, donor.store, b.N)
	if err := donor.Close(); err != nil {
		b.Fatal(err)
	}
	donor = start(old)
	young := config("young")
	young.Gossip.Join, young.JoinTimeout = []string{donor.GossipAddr()}, time.Hour
	b.ResetTimer()
	newcomer := start(young)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	if newcomer.set.Len() != b.N {
		b.Errorf("ready with %d of %d records", newcomer.set.Len(), b.N)
	}
}

// fill commits n records that live for an hour to a day.
func fill(b *testing.B, s durable, n int) {
	rng := rand.New(rand.NewPCG(1, 1))
	now := rescind.MillisOf(time.Now())
	for n > 0 {
		batch := store.Batch{Records: make([]rescind.Record, min(n, 10_000))}
		for i := range batch.Records {
			batch.Records[i] = rescind.Record{
				Digest:       rescind.MakeDigest(rescind.ScopeJTI, rng.Uint64(), rng.Uint64()),
				IssuedBefore: rescind.Ever,
				ExpiresAt:    now.Add(time.Hour + time.Duration(rng.Int64N(int64(23*time.Hour)))),
			}
		}
		if err := s.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		n -= len(batch.Records)
	}
}
