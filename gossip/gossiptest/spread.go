package gossiptest

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"rescind"
	"rescind/gossip"
)

// Spread lets real cores spread revocations over a network in virtual time and
// measures how long they take.
type Spread struct {
	Nodes        int
	Revocations  int
	Every        time.Duration // between two of them, on one node after the other
	Gossip, NATS bool          // which carriers there are
	Network      Network
}

// Spreading is what Spread measured.
type Spreading struct {
	Each    []time.Duration // of each revocation to each other node
	Last    []time.Duration // of each revocation to the last of them
	Lost    int             // pairs of a revocation and a node that it never reached
	Bytes   float64         // that a node sends per second, by all carriers, without the seal
	Virtual time.Duration   // how long it took in virtual time
}

const (
	spreadTick   = 5 * time.Millisecond
	spreadCommit = time.Millisecond
	spreadWarmUp = 3 * time.Second
	spreadAfter  = 5 * time.Second
)

// spreading is a run.
type spreading struct {
	Spread
	rng    *rand.Rand
	now    time.Duration
	events events
	cores  []*gossip.Core
	bytes  int
	began  []time.Duration // of the n-th revocation
	held   [][]bool        // by revocation and node
	result Spreading
}

// Run runs it to the end.
func (s Spread) Run(seed uint64) Spreading {
	r := &spreading{Spread: s, rng: rand.New(rand.NewPCG(seed, 0)), now: time.Second}
	for i := range s.Nodes {
		r.cores = append(r.cores, gossip.New(gossip.Config{
			Origin: origin(i), Key: keyOf(i, 0), Epoch: uint64(dawn), Name: fmt.Sprint("n", i), ForgetAfter: time.Hour,
		}, r.now, dawn))
		r.at(time.Duration(r.rng.Int64N(int64(gossip.BeatEvery))), func() { r.tick(i) })
	}
	r.result.Last = make([]time.Duration, s.Revocations)
	for n := range s.Revocations {
		r.at(spreadWarmUp+time.Duration(n)*s.Every, func() { r.revoke(n) })
	}
	r.run(r.now + spreadWarmUp)
	start := r.bytes
	r.run(r.now + time.Duration(s.Revocations)*s.Every + spreadAfter)
	r.result.Virtual = r.now - time.Second
	r.result.Bytes = float64(r.bytes-start) / (r.result.Virtual - spreadWarmUp).Seconds() / float64(s.Nodes)
	for n := range r.held {
		for i, held := range r.held[n] {
			if !held && i != n%s.Nodes {
				r.result.Lost++
			}
		}
	}
	return r.result
}

func (r *spreading) run(end time.Duration) {
	for len(r.events) > 0 && r.events[0].at <= end {
		e := heap.Pop(&r.events).(event)
		r.now = e.at
		e.do()
	}
	r.now = end
}

func (r *spreading) at(after time.Duration, do func()) {
	heap.Push(&r.events, event{r.now + after, do})
}

func (r *spreading) tick(i int) {
	r.cores[i].Tick(r.now, dawn.Add(r.now))
	r.work(i)
	r.at(spreadTick, func() { r.tick(i) })
}

// revoke makes the n-th revocation. The low bits of its digest tell which it is.
func (r *spreading) revoke(n int) {
	i := n % r.Nodes
	r.began = append(r.began, r.now)
	r.held = append(r.held, make([]bool, r.Nodes))
	r.cores[i].Propose([]rescind.Record{{
		Digest: rescind.MakeDigest(rescind.ScopeJTI, r.rng.Uint64(), uint64(n)<<8), IssuedBefore: rescind.Ever, ExpiresAt: dawn.Add(time.Hour),
	}})
	r.work(i)
}

func (r *spreading) work(i int) {
	ready := r.cores[i].Ready(r.now)
	for _, record := range ready.Apply {
		r.apply(i, int(record.Digest.Lo>>8))
	}
	for _, out := range ready.Send {
		r.send(i, out)
	}
	if ready.Commit != nil {
		r.at(spreadCommit, func() {
			r.cores[i].Advance()
			r.work(i)
		})
	}
}

func (r *spreading) apply(i, n int) {
	if r.held[n][i] {
		return
	}
	r.held[n][i] = true
	window := r.now - r.began[n]
	r.result.Each = append(r.result.Each, window)
	r.result.Last[n] = max(r.result.Last[n], window)
}

// send moves a message by each carrier, as package cluster does with small ones.
func (r *spreading) send(from int, out gossip.Outgoing) {
	bytes := len(out.Message.Append(nil))
	others := 0
	for to := range r.Nodes {
		if to == from || out.To != 0 && out.To != origin(to) {
			continue
		}
		deliver := func() {
			r.cores[to].Step(r.now, out.Message)
			r.work(to)
		}
		if r.Gossip {
			r.bytes += bytes
			if after, arrives := r.Network.Datagram(r.rng, others); arrives {
				r.at(after, deliver)
			}
		}
		if r.NATS {
			r.at(r.Network.Published(r.rng, others), deliver)
		}
		others++
	}
	if r.NATS && others > 0 {
		r.bytes += bytes
	}
}

// event is something that happens at a time.
type event struct {
	at time.Duration
	do func()
}

// events is a heap of them.
type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }

func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}
