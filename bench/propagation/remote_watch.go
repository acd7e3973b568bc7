package propagation

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rescind/bench/remote"
	"rescind/bench/stats"
	"rescind/bench/window"
)

// askEvery is the pause between two checks of one token on one node. It is short
// beside the window over a network, and leaves the nodes their processors.
const askEvery = 500 * time.Microsecond

// remoteWatch asks all nodes but the origin about one token until they refuse
// it.
type remoteWatch struct {
	b      *remoteBench
	token  minted
	sample int
	origin int
	rec    *window.Recorder

	called atomic.Pointer[time.Time] // when the revocation was asked for
	asking sync.WaitGroup
	unfit  atomic.Bool // a node does not accept the token to begin with
}

// begin makes sure that every node accepts the token, and goes on asking. It
// reports false if one does not: then there is nothing to measure.
func (w *remoteWatch) begin(ctx context.Context) bool {
	if w.token.raw == "" {
		return true
	}
	var accepting sync.WaitGroup
	for to, n := range w.b.nodes {
		if to == w.origin {
			continue
		}
		accepting.Add(1)
		w.asking.Go(func() {
			refused, err := n.Check(ctx, w.token.raw)
			if refused {
				err = fmt.Errorf("%s refuses a token that was made for it: does the cluster trust --issuer, --audience and the key in --signing-key-file?", n.URL)
			}
			if err != nil {
				w.b.note(err)
				w.unfit.Store(true)
			}
			accepting.Done()
			if err == nil {
				w.ask(ctx, n, to)
			}
		})
	}
	accepting.Wait()
	return !w.unfit.Load()
}

// ask checks the token until it is refused or time is up. A check that was
// sent and answered before the call of Revoke can't refuse.
func (w *remoteWatch) ask(ctx context.Context, n *remote.Node, to int) {
	pause := time.NewTicker(askEvery)
	defer pause.Stop()
	begun := time.Now()
	for time.Since(begun) < w.b.GiveUp+time.Second && !w.unfit.Load() {
		sent := time.Now()
		refused, err := n.Check(ctx, w.token.raw)
		answered := time.Now()
		w.b.timed(answered.Sub(sent))
		if refused {
			if called := w.called.Load(); called != nil {
				w.rec.Arrived(w.sample, to, answered.Sub(*called))
			}
			return
		}
		w.b.note(err)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

func (w *remoteWatch) wait() { w.asking.Wait() }

// calledAt notes how late a call was made: a check on every other node comes before
// it.
func (b *remoteBench) calledAt(behind time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.behind = append(b.behind, stats.Millis(behind))
}

// timed notes how long a check took. Some thousand are enough.
func (b *remoteBench) timed(took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rtt) < 20_000 {
		b.rtt = append(b.rtt, stats.Millis(took))
	}
}
