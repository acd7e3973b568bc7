package propagation

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"rescind/bench/pace"
	"rescind/bench/progress"
	"rescind/bench/remote"
	"rescind/bench/report"
	"rescind/bench/window"
)

// remoteBench measures the window of a running cluster by its HTTP API.
type remoteBench struct {
	adminTokenFile, caFile, keyFile, issuer, audience string

	window.Load
	nodes []*remote.Node
	names []string // of the nodes, and then of members that no URL was given for
	mint  *mint

	mu     sync.Mutex // guards the fields below
	failed int        // calls without a useful answer
	first  error      // of them
	rtt    []float64  // of checks, in ms
	behind []float64  // ms that calls of Revoke were made after they were due
}

// remoteFlags adds what a running cluster needs.
func remoteFlags(fs *flag.FlagSet) *remoteBench {
	b := &remoteBench{}
	fs.StringVar(&b.adminTokenFile, "admin-token-file", "", "with URLs: `file` with the cluster's admin token")
	fs.StringVar(&b.caFile, "ca-file", "", "with URLs: `file` with certificates to trust besides the system's, in PEM")
	fs.StringVar(&b.keyFile, "signing-key-file", "", "with URLs: `file` with the keys of an issuer that the cluster trusts, as 'node keys generate' and 'node dev --data' make it. With it real tokens are checked on every node until they are refused; without it acknowledgements are measured only")
	fs.StringVar(&b.issuer, "issuer", "", "with URLs: the iss of what is revoked; may be left out without a key where the cluster trusts one issuer only")
	fs.StringVar(&b.audience, "audience", "", "with URLs: the aud of the tokens")
	return b
}

// measure runs the rounds and fills the result.
func (b *remoteBench) measure(ctx context.Context, urls string, l window.Load, rounds int, r *report.Result) error {
	b.Load = l
	var err error
	if b.nodes, err = remote.NewNodes(urls, b.adminTokenFile, b.caFile); err != nil {
		return err
	}
	if b.mint, err = newMint(b.keyFile, b.issuer, b.audience); err != nil {
		return err
	}
	if err := b.meet(ctx, r); err != nil {
		return err
	}
	r.Settings("urls", urls, "issuer", b.issuer, "checks", b.mint.signer != nil)
	bar := progress.New(os.Stderr, l.WarmUp.Seconds()+float64(rounds)*l.Duration.Seconds())
	defer bar.Close()
	bar.Step(l.WarmUp.Seconds(), "warm-up")
	if _, _, err := b.round(ctx, l.Count(l.WarmUp)); err != nil {
		return err
	}
	if n := l.Count(l.WarmUp); b.failed >= n {
		return fmt.Errorf("none of %d calls of the warm-up had a useful answer; the first: %w", n, b.first)
	}
	b.rtt, b.behind, b.failed, b.first = nil, nil, 0, nil
	before, err := b.firstBy(ctx)
	if err != nil {
		return err
	}
	acked, refused := named{name: "by acknowledgement"}, named{name: "by the first refusal"}
	for i := range rounds {
		bar.Step(l.Duration.Seconds(), "round %d of %d", i+1, rounds)
		a, f, err := b.round(ctx, l.Count(l.Duration))
		if err != nil {
			return err
		}
		acked.curves, refused.curves = append(acked.curves, a), append(refused.curves, f)
	}
	bar.Close()
	after, err := b.firstBy(ctx)
	if err != nil {
		return err
	}
	for i := range after {
		after[i] -= before[i]
	}
	return b.show(r, acked, refused, after)
}

// meet asks every node who it is.
func (b *remoteBench) meet(ctx context.Context, r *report.Result) error {
	var members []string
	for _, n := range b.nodes {
		s, err := n.Status(ctx)
		if err != nil {
			return err
		}
		if !s.Ready {
			return fmt.Errorf("%s is not ready", n.URL)
		}
		if slices.Contains(b.names, s.Name) {
			return fmt.Errorf("two of the URLs lead to node %q: give each node's own, not that of a load balancer", s.Name)
		}
		n.Name = s.Name
		b.names = append(b.names, s.Name)
		r.Uses("rescind on "+s.Name, s.Version)
		for _, m := range s.Members {
			if m.State == "alive" {
				members = append(members, m.Name)
			}
		}
	}
	for _, m := range members {
		if !slices.Contains(b.names, m) {
			b.names = append(b.names, m) // it acknowledges, and can't be asked
		}
	}
	return nil
}

// firstBy sums up what the carriers brought first.
func (b *remoteBench) firstBy(ctx context.Context) (first [2]float64, err error) {
	for _, n := range b.nodes {
		s, err := n.Status(ctx)
		if err != nil {
			return first, err
		}
		for _, c := range s.Carriers {
			first[min(1, slices.Index([]string{"gossip", c.Name}, c.Name))] += c.First
		}
	}
	return first, nil
}

// round revokes n tokens at the rate, on one node after the other, and returns
// the window by acknowledgement and by refusal.
func (b *remoteBench) round(ctx context.Context, n int) (acked, refused window.Curve, err error) {
	tokens := make([]minted, n)
	for i := range tokens {
		if tokens[i], err = b.mint.one(ctx); err != nil {
			return acked, refused, err
		}
	}
	byAck := window.NewRecorder(n, len(b.names)-1, b.GiveUp)
	byCheck := window.NewRecorder(n, len(b.nodes)-1, b.GiveUp)
	expires := time.Now().Add(remoteLife)
	started, err := pace.Calls(ctx, b.Rate, n, func(i int, due time.Time) {
		w := remoteWatch{b: b, token: tokens[i], sample: i, origin: i % len(b.nodes), rec: byCheck}
		defer w.wait()
		if !w.begin(ctx) {
			return // counts as lost
		}
		called := time.Now()
		w.called.Store(&called)
		b.calledAt(called.Sub(due))
		receipt, err := b.nodes[w.origin].Revoke(ctx, b.Scopes.Key(i, tokens[i].token), expires, b.GiveUp)
		b.note(err)
		for _, a := range receipt.Acknowledged {
			if to := slices.Index(b.names, a.Node); to >= 0 {
				byAck.Arrived(i, to, time.Duration(a.MS*float64(time.Millisecond)))
			}
		}
	})
	return byAck.Curve(started), byCheck.Curve(started), err
}

// note counts a call that failed.
func (b *remoteBench) note(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed++
	if b.first == nil {
		b.first = err
	}
}
