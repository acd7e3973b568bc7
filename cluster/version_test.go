package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rescind"
	"rescind/gossip"
)

func TestVersionsHaveOneForm(t *testing.T) {
	v := version{0xab, gossip.Position{Epoch: 12, Seq: 1<<64 - 1}}
	if got, ok := parseVersion(v.String()); !ok || got != v {
		t.Errorf("%s is read as %v, %v", v, got, ok)
	}
	good := "00000000000000ab.12.3"
	for _, list := range []string{good, good + "," + good, " " + good + "\t, " + good, strings.Repeat(good+",", 7) + good} {
		if _, err := parseVersions(list); err != nil {
			t.Errorf("%q: %v", list, err)
		}
	}
	for _, list := range []string{
		"", ",", good + ",", "," + good, strings.Repeat(good+",", 8) + good, strings.Repeat(",", 1<<20), strings.Repeat("9", 1<<20),
		"x", "ab.12.3", "00000000000000AB.12.3", "00000000000000ab.12", "00000000000000ab.12.", "00000000000000ab..3", "00000000000000ab.12.3.4",
		"00000000000000ab.012.3", "00000000000000ab.+12.3", "00000000000000ab.12.-3", "00000000000000ab.1_2.3", "0x000000000000ab.12.3",
		"00000000000000ab.12.18446744073709551616", "10000000000000000ab.12.3", good + " " + good, good + "\n", good + "\x00", "００000000000000ab.12.3",
	} {
		_, err := parseVersions(list)
		if invalid, ok := errors.AsType[*rescind.InvalidError](err); !ok || invalid.Field != "version" || len(err.Error()) > 200 {
			t.Errorf("%.40q: %v", list, err)
		}
	}
}

// waitingNode is a node without a loop, which the test plays.
func waitingNode() *Node {
	n := &Node{alive: context.Background()}
	n.policy.Store(&Policy{VersionWait: time.Second})
	n.publishReach([]gossip.Held{heldTo(1, 5, 10)})
	return n
}

func heldTo(o gossip.Origin, epoch, seq uint64) gossip.Held {
	return gossip.Held{Origin: o, At: gossip.Position{Epoch: epoch, Seq: seq}, Based: true}
}

func versionOf(o gossip.Origin, epoch, seq uint64) string {
	return version{o, gossip.Position{Epoch: epoch, Seq: seq}}.String()
}

// TestInventedVersionsCostTheBoundedWait: on a fake clock, to the nanosecond.
func TestInventedVersionsCostTheBoundedWait(t *testing.T) {
	const most = 1<<64 - 1
	for name, v := range map[string]string{
		"number of the future": versionOf(1, 5, 11), "last number": versionOf(1, 5, most), "epoch of the future": versionOf(1, 6, 0), "last epoch": versionOf(1, most, most),
		"unknown origin": versionOf(2, 1, 1), "origin 0": versionOf(0, 0, 0), "one of two": versionOf(1, 5, 10) + "," + versionOf(2, 5, 1),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, start := waitingNode(), time.Now()
				if err := n.WaitFor(t.Context(), v); !errors.Is(err, rescind.ErrBehind) || time.Since(start) != time.Second {
					t.Errorf("%v after %v", err, time.Since(start))
				}
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				start = time.Now()
				if err := n.WaitFor(ctx, v); !errors.Is(err, rescind.ErrBehind) || time.Since(start) != 100*time.Millisecond {
					t.Errorf("with a deadline of the caller's: %v after %v", err, time.Since(start))
				}
				if n.counters.waits.Load() != 2 || n.counters.waitTimeouts.Load() != 2 || n.waiting.len() != 0 {
					t.Errorf("%d waits, %d time-outs, %d waiting", n.counters.waits.Load(), n.counters.waitTimeouts.Load(), n.waiting.len())
				}
			})
		})
	}
}

func TestWaitEndsWhenTheVersionIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := waitingNode()
		if err := n.WaitFor(t.Context(), versionOf(1, 5, 10)+","+versionOf(1, 4, 99)); err != nil || n.counters.waits.Load() != 0 {
			t.Errorf("held already: %v, %d waits", err, n.counters.waits.Load())
		}
		done := make(chan error, 1)
		go func() { done <- n.WaitFor(t.Context(), versionOf(1, 5, 12)+","+versionOf(2, 1, 1)) }()
		for _, held := range [][]gossip.Held{
			{heldTo(1, 5, 10)}, {heldTo(1, 5, 12)}, {heldTo(1, 5, 11), heldTo(2, 1, 1)},
			{heldTo(1, 5, 12), {Origin: 2, At: gossip.Position{Epoch: 1, Seq: 1}}},
		} {
			n.publishReach(held)
			synctest.Wait()
			select {
			case err := <-done:
				t.Fatalf("with %+v: %v", held, err)
			default:
			}
		}
		n.publishReach([]gossip.Held{heldTo(1, 6, 0), heldTo(2, 1, 3)})
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWaitingCallersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, start := waitingNode(), time.Now()
		var wg sync.WaitGroup
		for range maxWaiting {
			wg.Go(func() {
				if err := n.WaitFor(t.Context(), versionOf(2, 1, 1)); !errors.Is(err, rescind.ErrBehind) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if err := n.WaitFor(t.Context(), versionOf(2, 1, 1)); !errors.Is(err, rescind.ErrBusy) || time.Since(start) != 0 {
			t.Errorf("one too many: %v after %v", err, time.Since(start))
		}
		if err := n.WaitFor(t.Context(), versionOf(1, 5, 1)); err != nil {
			t.Errorf("a version that is held: %v", err)
		}
		wg.Wait()
		if n.waiting.len() != 0 || n.counters.waitsRefused.Load() != 1 {
			t.Errorf("%d waiting, %d refused", n.waiting.len(), n.counters.waitsRefused.Load())
		}
	})
}

// TestOneCallerWaitsWithinItsPart: whoever holds a thousand calls with versions that
// it made up keeps nobody else from reading what they wrote.
func TestOneCallerWaitsWithinItsPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := waitingNode()
		mallory := rescind.ForCaller(t.Context(), "mallory")
		var wg sync.WaitGroup
		var busy atomic.Int64
		for range maxWaiting {
			wg.Go(func() {
				if errors.Is(n.WaitFor(mallory, versionOf(2, 1, 1)), rescind.ErrBusy) {
					busy.Add(1)
				}
			})
		}
		synctest.Wait()
		if got := busy.Load(); got != maxWaiting-maxWaitingEach {
			t.Errorf("%d of one caller's %d calls are refused", got, maxWaiting)
		}
		if err := n.WaitFor(mallory, versionOf(1, 5, 1)); err != nil {
			t.Errorf("a version that is held: %v", err)
		}
		for i := range 60 {
			wg.Go(func() {
				if err := n.WaitFor(rescind.ForCaller(t.Context(), fmt.Sprint(i)), versionOf(1, 5, 11)); err != nil {
					t.Errorf("an honest caller: %v", err)
				}
			})
		}
		synctest.Wait()
		n.publishReach([]gossip.Held{heldTo(1, 5, 11)})
		wg.Wait()
		if n.waiting.len() != 0 || len(n.waiting.by) != 0 {
			t.Errorf("%d wait, of %d callers", n.waiting.len(), len(n.waiting.by))
		}
	})
}

func TestWaitBeforeTheDiskIsLoaded(t *testing.T) {
	n := &Node{}
	n.policy.Store(&Policy{VersionWait: time.Second})
	if err := n.WaitFor(t.Context(), versionOf(1, 5, 10)); !errors.Is(err, rescind.ErrNotReady) {
		t.Error(err)
	}
}

// TestReadYourRevocation: whoever presents the version of a revocation is never
// told "valid" by another node, however close behind the revocation it asks.
func TestReadYourRevocation(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, gossip, nats bool) {
		r := newRigWith(t, 3, gossip, nats, func(c *Config) { c.VersionWait = deadline })
		for i := range 100 {
			id := fmt.Sprint("token-", i)
			receipt := r.revoke(i%3, id, rescind.AckLocal)
			for j, n := range r.nodes {
				if err := n.WaitFor(t.Context(), receipt.Version); err != nil {
					t.Fatalf("node %d: %v", j, err)
				}
				if v := n.Check(tokenOf(id)); v != rescind.Revoked {
					t.Fatalf("node %d holds the version and says %v", j, v)
				}
			}
		}
	})
}

// TestVersionsOutliveRestarts: a receipt of before is held after its origin and
// its reader were started again, also by one that has lost its disk.
func TestVersionsOutliveRestarts(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, 2, true, false, func(c *Config) { c.VersionWait = deadline })
	before := r.revoke(0, "before", rescind.AckAll).Version
	for i := range r.nodes {
		r.stop(i)
		r.start(i)
		await(t, "ready", r.nodes[i].ready.Load)
	}
	during := r.revoke(0, "during", rescind.AckLocal).Version
	for i, n := range r.nodes {
		if err := n.WaitFor(t.Context(), before+","+during); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
	}
	r.stop(1)
	r.cfgs[1].DataDir = t.TempDir()
	fresh := r.start(1)
	await(t, "ready", fresh.ready.Load)
	if err := fresh.WaitFor(t.Context(), before+","+during); err != nil {
		t.Errorf("with an empty folder: %v", err)
	}
}

func TestCheckWithin(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, false, true)
	r.revoke(0, "known", rescind.AckAll)
	n := r.nodes[1]
	for id, want := range map[string]rescind.Verdict{"known": rescind.Revoked, "other": rescind.Valid} {
		if v := n.CheckWithin(tokenOf(id), time.Hour); v != want {
			t.Errorf("%s within an hour: %v", id, v)
		}
	}
	r.nats.Shutdown()
	await(t, "stale", func() bool { return n.CheckWithin(tokenOf("other"), time.Second) == rescind.Stale })
	for _, max := range []time.Duration{time.Second, 0, -1} {
		if v := n.CheckWithin(tokenOf("known"), max); v != rescind.Revoked {
			t.Errorf("revoked, within %v: %v", max, v)
		}
		if v := n.CheckWithin(tokenOf("other"), max); v != rescind.Stale {
			t.Errorf("within %v: %v", max, v)
		}
	}
	if v := n.CheckWithin(tokenOf("other"), time.Hour); v != rescind.Valid {
		t.Errorf("within an hour: %v", v)
	}
	if v := n.Check(tokenOf("other")); v != rescind.Valid {
		t.Errorf("by the cluster's policy: %v", v)
	}
	if n.Status().Counters.TooStale == 0 {
		t.Error("not counted")
	}
}

// TestUnknownStalenessMeetsNoBound: however generous.
func TestUnknownStalenessMeetsNoBound(t *testing.T) {
	n, err := Start(Config{
		Name: "lonely", DataDir: usedFolder(t), Logger: quiet, JoinTimeout: 50 * time.Millisecond,
		Gossip: &Gossip{Bind: "127.0.0.1:0", Join: []string{"127.0.0.1:1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	if v := n.CheckWithin(tokenOf("x"), time.Hour); v == rescind.Valid {
		t.Errorf("not ready, and says %v", v)
	}
	await(t, "ready", n.ready.Load)
	if v := n.CheckWithin(tokenOf("x"), time.Hour); v != rescind.Stale {
		t.Errorf("unknown staleness: %v", v)
	}
	if v := n.Check(tokenOf("x")); v != rescind.Valid {
		t.Errorf("by the cluster's policy: %v", v)
	}
}

func TestAbsurdAcksAreRefused(t *testing.T) {
	n := alone(t, nil)
	for _, ack := range []rescind.Ack{-4, -1 << 62, rescind.MaxAckNodes + 1, 1 << 62} {
		_, err := n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "x"}}, ack)
		if invalid, ok := errors.AsType[*rescind.InvalidError](err); !ok || invalid.Field != "ack" {
			t.Errorf("%d: %v", int(ack), err)
		}
		if _, err := (Config{DataDir: "x", Ack: ack}).withDefaults(); err == nil {
			t.Errorf("%d: configured", int(ack))
		}
	}
	if v := n.Check(tokenOf("x")); v != rescind.Valid {
		t.Errorf("a refused revocation took effect: %v", v)
	}
}
