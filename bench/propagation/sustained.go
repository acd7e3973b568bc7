package propagation

import (
	"context"
	"fmt"
	"io"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/bench/pace"
	"rescind/bench/report"
	"rescind/bench/stats"
	"rescind/bench/window"
	"rescind/cluster"
)

const burstRate = 20_000

// sustained revokes 20,000 a second over one carrier, looks at the memory
// meanwhile, and asks every node about every token afterwards.
func (p *propagation) sustained(ctx context.Context, w io.Writer, carrier string, r *report.Result) error {
	return window.With(ctx, window.Group{Carriers: carrier, Nodes: p.Nodes}, func(nodes []*cluster.Node) error {
		b := newBurst(nodes, int(burstRate*p.burst.Seconds()))
		before := stats.Heap()
		stop := b.watchMemory(ctx)
		began := time.Now()
		if _, err := pace.Calls(ctx, burstRate, len(b.tokens), b.revoke); err != nil {
			return err
		}
		took := time.Since(began)
		lost := b.lost(ctx, p.GiveUp)
		first, second := stop()
		after := stats.Heap()
		if b.failed.Load() != nil {
			return *b.failed.Load()
		}
		rate := float64(len(b.tokens)) / took.Seconds()
		fmt.Fprintf(w, "\nBurst over %s: %d revocations on %d nodes, %d/s asked for, %.0f/s acknowledged, %d lost, at most %d calls at a time.\n",
			carrier, len(b.tokens), len(nodes), burstRate, rate, lost, b.most.Load())
		fmt.Fprintf(w, "Heap before %.0f MB, at most %.0f in the first half and %.0f in the second, afterwards %.0f: %.0f bytes for each revocation and node.\n",
			mb(before), mb(first), mb(second), mb(after), float64(after-before)/float64(len(b.tokens)*len(nodes)))
		name := fmt.Sprintf("burst.%s.n%d.", carrier, len(nodes))
		for figure, value := range map[string]float64{
			"rate": rate, "lost": float64(lost), "calls_max": float64(b.most.Load()), "heap_before_mb": mb(before), "heap_after_mb": mb(after),
			"heap_first_half_mb": mb(first), "heap_second_half_mb": mb(second),
		} {
			r.Set(name+figure, value)
		}
		r.Set("window.lost", r.Figures["window.lost"]+float64(lost))
		r.Note(fmt.Sprintf("Burst over %s: %d revocations on %d nodes as fast as %d a second: %.0f a second acknowledged, %d lost, at most %d calls at a time. Heap before %.0f MB, at most %.0f in the first half and %.0f in the second, afterwards %.0f.",
			carrier, len(b.tokens), len(nodes), burstRate, rate, lost, b.most.Load(), mb(before), mb(first), mb(second), mb(after)))
		return nil
	})
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

// burst is a series of revocations, on one node after the other.
type burst struct {
	nodes  []*cluster.Node
	tokens []rescind.Token

	calls, most atomic.Int64 // under way, and the most at a time
	done        atomic.Int64
	failed      atomic.Pointer[error] // the first
}

func newBurst(nodes []*cluster.Node, n int) *burst {
	b := &burst{nodes: nodes, tokens: make([]rescind.Token, n)}
	for i := range b.tokens {
		b.tokens[i] = rescind.Token{Issuer: window.Issuer, ID: fmt.Sprint("burst-", i)}
	}
	return b
}

func (b *burst) revoke(i int, _ time.Time) {
	now := b.calls.Add(1)
	for most := b.most.Load(); now > most && !b.most.CompareAndSwap(most, now); most = b.most.Load() {
	}
	if err := window.Revoke(context.Background(), b.nodes[i%len(b.nodes)], b.tokens[i]); err != nil {
		b.failed.CompareAndSwap(nil, &err)
	}
	b.calls.Add(-1)
	b.done.Add(1)
}

// watchMemory samples the heap until stop, which returns the most that was seen
// while the first half of the calls returned, and while the second did.
func (b *burst) watchMemory(ctx context.Context) (stop func() (first, second int64)) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	var most [2]int64
	watching.Go(func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		every := time.NewTicker(20 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
			metrics.Read(sample)
			half := &most[min(1, 2*b.done.Load()/int64(len(b.tokens)+1))]
			*half = max(*half, int64(sample[0].Value.Uint64()))
		}
	})
	return func() (int64, int64) {
		cancel()
		watching.Wait()
		return most[0], most[1]
	}
}

// lost counts, over all nodes, the tokens that are not refused within giveUp.
func (b *burst) lost(ctx context.Context, giveUp time.Duration) (lost int) {
	end := time.Now().Add(giveUp)
	for _, n := range b.nodes {
		for i := 0; i < len(b.tokens); {
			switch {
			case n.Check(b.tokens[i]) == rescind.Revoked:
				i++
			case time.Now().After(end) || ctx.Err() != nil:
				lost++
				i++
			default:
				time.Sleep(time.Millisecond)
			}
		}
	}
	return lost
}
