package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rescind"
	"rescind/internal/store"
)

// TestNoValidWhileLoading: whoever asks while a node loads, and is held up between
// its steps, is never told that a token is valid which is revoked on the disk.
func TestNoValidWhileLoading(t *testing.T) {
	dir := t.TempDir()
	n, err := Open(t.Context(), Config{Name: "a", DataDir: dir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	const many = 200
	var b store.Batch
	for i := range many {
		d := n.set.Digest(rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: fmt.Sprint(i)})
		b.Records = append(b.Records, rescind.Record{Digest: d, IssuedBefore: rescind.Ever, ExpiresAt: rescind.MillisOf(time.Now().Add(time.Hour))})
	}
	if err := n.store.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	n.Close()
	var wrong atomic.Int64
	for range 50 {
		n, err := Start(Config{Name: "a", DataDir: dir, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for g := range 64 {
			tok := rescind.Token{Issuer: iss, ID: fmt.Sprint(g % many), Subject: "u", IssuedAt: 1}
			wg.Go(func() {
				for !n.ready.Load() {
					for range 100 {
						if n.Check(tok) == rescind.Valid {
							wrong.Add(1)
						}
					}
				}
				runtime.Gosched()
			})
		}
		wg.Wait()
		n.Close()
	}
	if w := wrong.Load(); w > 0 {
		t.Errorf("%d answers 'valid' for tokens that are revoked on this node's disk", w)
	}
}

// TestNobodyIsNotAll: a node that has been told of peers and has met none knows
// nobody who could acknowledge. That confirms nothing.
func TestNobodyIsNotAll(t *testing.T) {
	t.Parallel()
	n, err := Start(Config{Name: "new", DataDir: t.TempDir(), Logger: quiet, Gossip: &Gossip{Bind: "127.0.0.1:0", Join: []string{"127.0.0.1:1"}}, JoinTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	await(t, "loaded", func() bool { return n.accepting() == nil })
	for _, ack := range []rescind.Ack{rescind.AckAll, rescind.AckMajority} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		_, err := n.Revoke(ctx, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "x"}}, ack)
		if cancel(); !errors.Is(err, rescind.ErrUnconfirmed) {
			t.Errorf("ack %v: %v", ack, err)
		}
	}
	if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "x"}}, rescind.AckLocal); err != nil {
		t.Error(err)
	}
}

// TestAllOfAJoiningNode: a node that is asked for all while it joins four others is
// confirmed by all four, or by nobody.
func TestAllOfAJoiningNode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var seeds []string
	start := func(name string) *Node {
		n, err := Start(Config{Name: name, DataDir: filepath.Join(dir, name), Logger: quiet, Gossip: &Gossip{Bind: "127.0.0.1:0", Join: seeds}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	for i := range 4 {
		n := start(fmt.Sprint("old", i))
		await(t, "ready", func() bool { return n.ready.Load() || seeds == nil })
		seeds = []string{n.GossipAddr()}
	}
	for i := range 3 {
		n := start(fmt.Sprint("new", i))
		await(t, "loaded", func() bool { return n.accepting() == nil })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		r, err := n.Revoke(ctx, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "x"}}, rescind.AckAll)
		if cancel(); err == nil && len(r.Acknowledged) < 4+i || err != nil && !errors.Is(err, rescind.ErrUnconfirmed) {
			t.Errorf("acknowledged by %d of %d, missing %v: %v", len(r.Acknowledged), 4+i, r.Missing, err)
		}
	}
}
