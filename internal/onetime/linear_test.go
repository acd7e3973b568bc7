package onetime

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"rescind/internal/natslink"
	"rescind/internal/natstest"
)

var (
	faultFor  = flag.Duration("onetime.faults", 15*time.Second, "how long servers are killed and cut off")
	faultSeed = flag.Uint64("onetime.seed", 0, "seed of the faults; 0: a new one")
)

type outcome uint8

const (
	won outcome = iota
	lost
	unknown
)

// firstUse is what a strict one-time token may do: of all claims one wins, and
// those after it lose. A claim of which nothing was heard may have used the token
// up, at any time since it began, or not.
var firstUse = porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byToken := make(map[int][]porcupine.Operation)
		for _, op := range history {
			byToken[op.Input.(int)] = append(byToken[op.Input.(int)], op)
		}
		var parts [][]porcupine.Operation
		for _, ops := range byToken {
			parts = append(parts, ops)
		}
		return parts
	},
	Init: func() []any { return []any{false} },
	Step: func(state, _, output any) []any {
		used := state.(bool)
		switch {
		case output == unknown:
			return []any{used, true}
		case output == won && !used, output == lost && used:
			return []any{true}
		default:
			return nil
		}
	},
	Equal: func(a, b any) bool { return a == b },
}

// history collects what clients saw.
type history struct {
	start time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
	count [3]int
}

func (h *history) claim(s *Store, client, token int) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	call := time.Since(h.start)
	got, err := s.Claim(ctx, digest(token), use(client), in(time.Hour))
	out, back := lost, time.Since(h.start)
	switch {
	case err != nil:
		out, back = unknown, time.Hour // it may still happen
	case got.Won:
		out = won
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count[out]++
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: token, Output: out, Call: int64(call), Return: int64(back)})
	return out
}

// TestNeverTwoWinners claims tokens while servers of three are killed and cut
// off one after the other, and checks the history for linearizability.
func TestNeverTwoWinners(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	t.Parallel()
	seed := *faultSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-onetime.seed %d", seed)
	c := natstest.NewTrio(t)
	const clients = 6
	stores := make([]*Store, clients)
	for i := range stores {
		stores[i] = openStore(t, c.URLs(i%3), 2, 3)
	}
	h := &history{start: time.Now()}
	natstest.Await(t, "the buckets", func() bool { return h.claim(stores[0], 0, -1) != unknown && h.claim(stores[0], 0, -2) != unknown })

	ctx, stop := context.WithTimeout(t.Context(), *faultFor)
	defer stop()
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			pace := time.NewTicker(10 * time.Millisecond)
			defer pace.Stop()
			for ctx.Err() == nil {
				// Near the present all clients race for the same tokens; a tenth
				// of the time they try one that was decided long ago.
				token := int(time.Since(h.start) / (50 * time.Millisecond))
				if r.IntN(10) == 0 {
					token = r.IntN(token + 1)
				}
				h.claim(s, i, token)
				<-pace.C
			}
		})
	}
	faults := torment(ctx, c, rand.New(rand.NewPCG(seed, 99)))
	wg.Wait()
	natstest.Await(t, "a decision after all is well again", func() bool { return h.claim(stores[0], 0, -3) != unknown })

	model := firstUse.ToModel()
	result := porcupine.CheckOperationsTimeout(model, h.ops, time.Minute)
	t.Logf("%d faults; %d won, %d lost, %d unknown: %s", faults, h.count[won], h.count[lost], h.count[unknown], result)
	if result != porcupine.Ok {
		t.Errorf("the history is not linearizable: %s", result)
	}
	if h.count[won] < 20 || faults < 2 {
		t.Error("too little happened for this to say anything")
	}
}

// torment kills or cuts off one server after the other until ctx ends, and then
// makes all well again.
func torment(ctx context.Context, c *natstest.Trio, r *rand.Rand) (faults int) {
	for natslink.Pause(ctx, time.Duration(r.IntN(1500))*time.Millisecond) {
		i := r.IntN(3)
		faults++
		if r.IntN(2) == 0 {
			c.Kill(i)
			natslink.Pause(ctx, time.Duration(r.IntN(3000))*time.Millisecond)
			c.Start(i)
			continue
		}
		c.Isolate(i, true)
		natslink.Pause(ctx, time.Duration(1000+r.IntN(4000))*time.Millisecond)
		c.Isolate(i, false)
	}
	return faults
}

// The checker itself: it finds two winners, and lets pass what a lost answer
// explains.
func TestTheCheckerFindsTwoWinners(t *testing.T) {
	op := func(client int, out outcome, call, back int64) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: 1, Output: out, Call: call, Return: back}
	}
	for name, c := range map[string]struct {
		ops  []porcupine.Operation
		want bool
	}{
		"one after the other":        {[]porcupine.Operation{op(1, won, 0, 1), op(2, lost, 2, 3)}, true},
		"two winners":                {[]porcupine.Operation{op(1, won, 0, 5), op(2, won, 1, 6)}, false},
		"lost before anybody won":    {[]porcupine.Operation{op(1, lost, 0, 1), op(2, won, 2, 3)}, false},
		"lost to a silent claim":     {[]porcupine.Operation{op(1, unknown, 0, 99), op(2, lost, 2, 3)}, true},
		"won against a silent claim": {[]porcupine.Operation{op(1, unknown, 0, 99), op(2, won, 2, 3)}, true},
		"lost to a later one":        {[]porcupine.Operation{op(1, lost, 0, 1), op(2, unknown, 2, 99)}, false},
	} {
		if got := porcupine.CheckOperations(firstUse.ToModel(), c.ops); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Without a majority nobody wins; those who have one go on.
func TestNoQuorumNoWinner(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	t.Parallel()
	c := natstest.NewTrio(t)
	all := openStore(t, c.URLs(0), 1, 3)
	alone := openStore(t, all.cfg.URL[:len("nats://127.0.0.1:00000")], 1, 3)
	others := openStore(t, c.URLs(1)[:2*len("nats://127.0.0.1:00000")+1], 1, 3)
	h := &history{start: time.Now()}
	natstest.Await(t, "the bucket", func() bool { return h.claim(all, 0, 0) != unknown })
	natstest.Await(t, "the same bucket elsewhere", func() bool { return h.claim(alone, 0, 0) == lost && h.claim(others, 0, 0) == lost })
	c.Isolate(0, true)
	natstest.Await(t, "a majority of two", func() bool { return h.claim(others, 1, 1) != unknown })
	if out := h.claim(alone, 2, 1); out == won {
		t.Error("a server without a majority let a second use win")
	}
	c.Kill(1)
	for token := 10; token < 13; token++ {
		if h.claim(alone, 2, token) == won || h.claim(others, 1, token) == won {
			t.Error("somebody won without a majority")
		}
	}
	c.Start(1)
	c.Isolate(0, false)
	natstest.Await(t, "the majority back", func() bool { return h.claim(alone, 2, 20) != unknown })
	if porcupine.CheckOperations(firstUse.ToModel(), h.ops) != true {
		t.Error("the history is not linearizable")
	}
}
