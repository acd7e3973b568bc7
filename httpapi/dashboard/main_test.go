package dashboard

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"rescind"
	"rescind/cluster"
	"rescind/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeNode shows a status, and events as they are told.
type fakeNode struct {
	mu     sync.Mutex // guards status
	status cluster.Status

	events  chan cluster.Event
	watched chan struct{} // gets one for each Watch
}

func newFakeNode() *fakeNode {
	return &fakeNode{status: cluster.Status{Name: "a", Ready: true, Staleness: cluster.Staleness{Known: true}}, events: make(chan cluster.Event, 1000), watched: make(chan struct{}, 100)}
}

func (n *fakeNode) Status() cluster.Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

func (n *fakeNode) change(f func(*cluster.Status)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(&n.status)
}

func (n *fakeNode) Watch(ctx context.Context) iter.Seq[cluster.Event] {
	n.watched <- struct{}{}
	return func(yield func(cluster.Event) bool) {
		for {
			select {
			case e := <-n.events:
				if !yield(e) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// newDashboard returns one whose operator is called o.
func newDashboard(t *testing.T, n Node, drained context.Context) *Dashboard {
	t.Helper()
	return New(Config{
		Node: n, Version: "v0", Draining: func() bool { return false }, Drained: drained,
		Admit:   func(*http.Request, string) (Operator, error) { return operator("o"), nil },
		Revoke:  func(*http.Request, string, Form) (Revoked, error) { return Revoked{}, rescind.ErrFull },
		Explain: func(string) token.Explanation { return token.Explanation{} },
		Logger:  slog.New(slog.DiscardHandler),
	})
}

func operator(name string) Operator { return Operator{Name: name, Still: func() bool { return true }} }
