package propagation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"rescind"
	"rescind/bench/report"
	"rescind/bench/stats"
	"rescind/bench/window"
	"rescind/cluster"
	"rescind/gossip"
)

// repaired loses messages on their way from the NATS server to one node, on
// purpose, and measures from the call of Revoke to the refusal there. It
// should take two beats and a round trip at the most.
func (p *propagation) repaired(ctx context.Context, w io.Writer, r *report.Result) error {
	tap := &window.Tap{}
	defer tap.Close()
	g := window.Group{Carriers: "nats", Nodes: p.Nodes, Detour: func(i int, url string) (string, error) {
		if i != 1 {
			return url, nil
		}
		return tap.Listen(url)
	}}
	return window.With(ctx, g, func(nodes []*cluster.Node) error {
		took := make([]float64, p.drops)
		for i := range took {
			d, err := loseOne(ctx, tap, nodes, rescind.Token{Issuer: window.Issuer, ID: fmt.Sprint("dropped-", i)})
			if err != nil {
				return fmt.Errorf("lose a message on purpose: %w", err)
			}
			took[i] = float64(d.Microseconds()) / 1000
		}
		bound := 2 * gossip.BeatEvery
		fmt.Fprintf(w, "\nLost at the receiver on purpose and repaired, %d times, in milliseconds: p50 %.0f, max %.0f; two beats are %.0f.\n",
			len(took), stats.Median(took), stats.Quantile(took, 1), float64(bound.Milliseconds()))
		name := fmt.Sprintf("repair.nats.n%d.", len(nodes))
		r.Set(name+"p50_ms", stats.Median(took))
		r.Set(name+"max_ms", stats.Quantile(took, 1))
		r.CDF(report.CDF{Title: fmt.Sprintf("A message lost on purpose: time to the refusal (two beats are %d ms)", bound.Milliseconds()), Unit: "ms",
			Distributions: []report.Distribution{report.FromValues("repaired by the next beat that tells of the gap", took, 0, 0)}})
		return nil
	})
}

// loseOne revokes on one of the nodes while node 1 receives nothing, until all
// others refuse, and returns how long it took until node 1 refused, too.
func loseOne(ctx context.Context, tap *window.Tap, nodes []*cluster.Node, t rescind.Token) (time.Duration, error) {
	tap.Drop.Store(true)
	defer tap.Drop.Store(false)
	called := time.Now()
	if err := window.Revoke(ctx, nodes[0], t); err != nil {
		return 0, err
	}
	for i, n := range nodes {
		if i != 1 {
			if err := awaitRefusal(ctx, n, t); err != nil {
				return 0, err
			}
		}
	}
	time.Sleep(2 * time.Millisecond) // the server wrote to all at the same time
	tap.Drop.Store(false)
	if nodes[1].Check(t) == rescind.Revoked {
		return 0, errors.New("it arrived all the same")
	}
	err := awaitRefusal(ctx, nodes[1], t)
	return time.Since(called), err
}

func awaitRefusal(ctx context.Context, n *cluster.Node, t rescind.Token) error {
	end := time.Now().Add(10 * time.Second)
	for n.Check(t) != rescind.Revoked {
		if time.Now().After(end) {
			return errors.New("not refused within 10 s")
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(200 * time.Microsecond)
	}
	return nil
}
