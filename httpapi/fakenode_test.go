package httpapi

import (
	"context"
	"iter"
	"sync"
	"time"

	"rescind"
	"rescind/cluster"
)

// fakeNode remembers revocations, so that a check follows from them, and fails
// as told.
type fakeNode struct {
	mu      sync.Mutex
	records map[rescind.Key]rescind.Record
	calls   []call

	verdict rescind.Verdict // what a check answers for a token nobody revoked
	err     error           // what Revoke fails with
	hang    bool            // Revoke waits for acknowledgements that never come
	acks    []rescind.NodeAck
	missing []string
	status  cluster.Status
	events  chan cluster.Event
}

// panicID is what a fakeNode can't be asked to revoke.
const panicID = "panic"

// call is one call of Revoke.
type call struct {
	rev     rescind.Revocation
	ack     rescind.Ack
	timeout time.Duration
}

func newFakeNode() *fakeNode {
	return &fakeNode{
		records: make(map[rescind.Key]rescind.Record),
		verdict: rescind.Valid,
		events:  make(chan cluster.Event),
		acks:    []rescind.NodeAck{{Node: "b", After: 1500 * time.Microsecond}, {Node: "c", After: 2250 * time.Microsecond}},
		status:  cluster.Status{Cluster: "test", Name: "a", Ready: true, Staleness: cluster.Staleness{Known: true}, Max: 1000},
	}
}

func (n *fakeNode) Check(t rescind.Token) rescind.Verdict {
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, rec := range n.records {
		if key.Issuer == t.Issuer && rec.Covers(t.IssuedAt) && (key.Scope == rescind.ScopeIss || t.Value(key.Scope) == key.ID) {
			return rescind.Revoked
		}
	}
	return n.verdict
}

// revokeForEver is what the revocation of a key does; the issuer of these tests has
// none with a name.
func (n *fakeNode) revokeForEver(key rescind.Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records[key] = rescind.Record{IssuedBefore: rescind.Ever, ExpiresAt: rescind.MillisOf(time.Now().Add(time.Hour))}
}

func (n *fakeNode) Revoke(ctx context.Context, rev rescind.Revocation, ack rescind.Ack) (rescind.Receipt, error) {
	if rev.ID == panicID {
		panic("a bug")
	}
	if n.err != nil {
		return rescind.Receipt{}, n.err
	}
	if err := rev.Validate(); err != nil {
		return rescind.Receipt{}, err
	}
	before, expires, err := rev.Times(time.Now(), 30*24*time.Hour)
	if err != nil {
		return rescind.Receipt{}, err
	}
	rec := rescind.Record{Digest: rescind.MakeDigest(rev.Scope, 0x0123456789abcdef, 0xfedcba9876543210), IssuedBefore: before, ExpiresAt: expires}
	receipt := rescind.Receipt{Digest: rec.Digest, IssuedBefore: before, ExpiresAt: expires, Version: "1-1", Acknowledged: n.acks, Missing: n.missing}
	n.keep(ctx, rev, ack, rec)
	if n.hang {
		<-ctx.Done()
		return receipt, rescind.ErrUnconfirmed
	}
	return receipt, nil
}

func (n *fakeNode) keep(ctx context.Context, rev rescind.Revocation, ack rescind.Ack, rec rescind.Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	deadline, _ := ctx.Deadline()
	n.calls = append(n.calls, call{rev, ack, time.Until(deadline)})
	n.records[rev.Key] = n.records[rev.Key].Join(rec)
}

func (n *fakeNode) Status() cluster.Status { return n.status }

// FreshWithin and WaitFor make it a token.FreshChecker that holds version "1-1"
// and what follows from its status.
func (n *fakeNode) FreshWithin(max time.Duration) bool {
	return n.status.Staleness.Known && n.status.Staleness.Bound <= max
}

func (n *fakeNode) WaitFor(_ context.Context, version string) error {
	switch version {
	case "1-1":
		return nil
	case "busy":
		return rescind.ErrBusy
	case "behind":
		return rescind.ErrBehind
	}
	return &rescind.InvalidError{Field: "version", Problem: "is none"}
}

// Watch yields what is sent on events.
func (n *fakeNode) Watch(ctx context.Context) iter.Seq[cluster.Event] {
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

func (n *fakeNode) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.records)
	n.calls = nil
}

// all returns the calls of Revoke that were accepted.
func (n *fakeNode) all() []call {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]call(nil), n.calls...)
}
