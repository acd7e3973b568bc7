package cluster

import (
	"context"
	"fmt"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"time"

	"rescind"
	"rescind/gossip/carrier"
)

// split is two nodes that are parted, revoke, and are brought together again.
type split struct {
	*rig
	cut func(bool)
}

func newSplit(t testing.TB, records int) split {
	embedded, err := carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: "127.0.0.1:0", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { embedded.Shutdown() })
	r, wire := newWiredRig(t, 2, embedded.ClientURL(), func(c *Config) { c.MaxRevocations = 4*records + 1000 })
	return split{r, wire.Cut}
}

func splitID(side, i int) string { return fmt.Sprint("split-", side, "-", i) }

// revoke revokes records tokens on each side, as fast as they are taken.
func (s split) revoke(records int) {
	s.t.Helper()
	const callers = 64
	var calls sync.WaitGroup
	for side, n := range s.nodes {
		for c := range callers {
			calls.Go(func() {
				for i := c; i < records; i += callers {
					key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: splitID(side, i)}
					if _, err := n.Revoke(s.t.Context(), rescind.Revocation{Key: key}, rescind.AckLocal); err != nil {
						s.t.Errorf("revoke: %v", err)
						return
					}
				}
			})
		}
	}
	calls.Wait()
}

// whole reports whether both sides hold all that either revoked.
func (s split) whole(records int) bool {
	for _, n := range s.nodes {
		if n.set.Len() < 2*records {
			return false
		}
	}
	return true
}

// checks asks node 0 about tokens until ctx ends, a few thousand a second, and
// returns how long the slowest of a hundred took and how many answers were wrong:
// what the node revoked itself it refuses, and what nobody revoked it accepts.
func (s split) checks(ctx context.Context, records int) (p50, p99 time.Duration, wrong int) {
	n, pause := s.nodes[0], time.NewTicker(200*time.Microsecond)
	defer pause.Stop()
	var took []time.Duration
	for i := 0; ctx.Err() == nil; i++ {
		own, other := tokenOf(splitID(0, i*7919%records)), tokenOf("nobody's")
		began := time.Now()
		refused := n.Check(own)
		accepted := n.Check(other)
		took = append(took, time.Since(began)/2)
		if refused != rescind.Revoked || accepted != rescind.Valid {
			wrong++
		}
		<-pause.C
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], wrong
}

// during runs checks while f does.
func (s split) during(records int, f func()) (p50, p99 time.Duration, wrong int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var checking sync.WaitGroup
	checking.Go(func() { p50, p99, wrong = s.checks(ctx, records) })
	f()
	cancel()
	checking.Wait()
	return p50, p99, wrong
}

// TestHealedSplit: two halves that both went on revoking hold the same soon after
// they meet again, and answer checks rightly meanwhile.
func TestHealedSplit(t *testing.T) {
	t.Parallel()
	const records = 30_000
	s := newSplit(t, records)
	s.cut(true)
	s.revoke(records)
	if s.whole(records) {
		t.Fatal("they were not parted")
	}
	_, _, wrong := s.during(records, func() {
		s.cut(false)
		await(t, "both hold everything", func() bool { return s.whole(records) })
	})
	if wrong != 0 {
		t.Errorf("%d wrong answers", wrong)
	}
	for i := range records {
		for side := range s.nodes {
			for k, n := range s.nodes {
				if id := splitID(side, i); n.Check(tokenOf(id)) != rescind.Revoked {
					t.Fatalf("node %d accepts %s", k, id)
				}
			}
		}
	}
}

// BenchmarkHealedSplit measures the same at size: ten minutes of 5,000
// revocations a second on both sides are
//
//	go test ./cluster -run '^$' -bench HealedSplit -benchtime 3000000x -timeout 30m
//
// It reports how long the halves took to become equal, what a check took before
// and meanwhile, and how much the heap of both together grew at the most.
func BenchmarkHealedSplit(b *testing.B) {
	s := newSplit(b, b.N)
	s.cut(true)
	s.revoke(b.N)
	calm50, calm99, _ := s.during(b.N, func() { <-time.After(2 * time.Second) })
	before := heapObjects()
	most := before
	b.ResetTimer()
	p50, p99, wrong := s.during(b.N, func() {
		s.cut(false)
		for end := time.Now().Add(10 * time.Minute); !s.whole(b.N); {
			if time.Now().After(end) {
				b.Fatal("not equal within ten minutes")
			}
			most = max(most, heapObjects())
			<-time.After(20 * time.Millisecond)
		}
	})
	b.StopTimer()
	if wrong != 0 {
		b.Errorf("%d wrong answers", wrong)
	}
	b.ReportMetric(b.Elapsed().Seconds(), "s-to-equal")
	b.ReportMetric(float64(calm50.Nanoseconds()), "ns-calm-p50")
	b.ReportMetric(float64(calm99.Nanoseconds()), "ns-calm-p99")
	b.ReportMetric(float64(p50.Nanoseconds()), "ns-healing-p50")
	b.ReportMetric(float64(p99.Nanoseconds()), "ns-healing-p99")
	b.ReportMetric(float64(before)/1e6, "MB-before")
	b.ReportMetric(float64(most)/1e6, "MB-most")
}

func heapObjects() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
