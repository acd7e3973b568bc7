package cluster

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rescind"
)

func watched(id string) rescind.Token {
	return rescind.Token{
		Issuer: iss, ID: id, Session: "session of " + id, Subject: "subject of " + id, ClientID: "app", KeyID: "key",
		IssuedAt: rescind.MillisOf(time.Now().Add(-time.Minute)), ExpiresAt: rescind.MillisOf(time.Now().Add(time.Hour)),
	}
}

// TestWatchTokenByEveryScope: a watch on one node is told of a revocation that
// another accepts, whatever its scope, and only of one that covers its token.
func TestWatchTokenByEveryScope(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, true, false)
	for _, scope := range rescind.Scopes() {
		t.Run(scope.String(), func(t *testing.T) {
			// Everything that two tokens may share is named after the scope, so
			// that one scope's revocations don't end the next one's tokens.
			token := watched(scope.String())
			token.Issuer += "/" + scope.String()
			newer, stranger := token, token
			newer.ID, newer.IssuedAt = "newer", rescind.MillisOf(time.Now().Add(time.Hour))
			stranger.Issuer = "https://other.example"
			told := make(chan struct{})
			defer r.nodes[0].WatchToken(token, func() { close(told) })()
			for name, other := range map[string]rescind.Token{"newer": newer, "of another issuer": stranger} {
				if name == "newer" && scope != rescind.ScopeSub && scope != rescind.ScopeIss {
					continue // other scopes cover whatever is issued, whenever
				}
				defer r.nodes[0].WatchToken(other, func() { t.Errorf("the token %s is told, too", name) })()
			}
			rev := rescind.Revocation{Key: rescind.Key{Scope: scope, Issuer: token.Issuer, ID: token.Value(scope)}}
			if _, err := r.nodes[1].Revoke(t.Context(), rev, rescind.AckAll); err != nil {
				t.Fatal(err)
			}
			select {
			case <-told:
			case <-time.After(deadline):
				t.Fatal("not told")
			}
			again := make(chan struct{})
			defer r.nodes[0].WatchToken(token, func() { close(again) })()
			select {
			case <-again: // revoked already
			case <-time.After(deadline):
				t.Fatal("a token that is revoked already is not told")
			}
		})
	}
}

func TestWatchTokenStop(t *testing.T) {
	r := newRig(t, 1, false, false)
	n := r.nodes[0]
	stop := n.WatchToken(watched("a"), func() { t.Error("told after the end") })
	stop()
	stop() // does nothing
	told := make(chan struct{})
	defer n.WatchToken(watched("a"), func() { close(told) })()
	if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "a"}}, rescind.AckLocal); err != nil {
		t.Fatal(err)
	}
	<-told
	if got, lists := n.watches.count.Load(), len(n.watches.byDigest); got != 0 || lists != 0 {
		t.Errorf("%d watches in %d lists are left", got, lists)
	}
}

// TestWatchTokenWhileItIsRevoked: whichever comes first, the watch is told.
func TestWatchTokenWhileItIsRevoked(t *testing.T) {
	n := newRig(t, 1, false, false).nodes[0]
	var all sync.WaitGroup
	var told atomic.Int64
	const rounds = 200
	for i := range rounds {
		token := watched(fmt.Sprint("r", i))
		done := make(chan struct{})
		all.Go(func() {
			defer n.WatchToken(token, func() { told.Add(1); close(done) })()
			select {
			case <-done:
			case <-time.After(deadline):
				t.Error("not told")
			}
		})
		all.Go(func() {
			if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSID, Issuer: iss, ID: token.Session}}, rescind.AckLocal); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if told.Load() != rounds {
		t.Errorf("%d of %d told", told.Load(), rounds)
	}
}

// TestTokenWatchesModel compares the lists with the obvious thing.
func TestTokenWatchesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		watches := newTokenWatches()
		live := map[*tokenWatch][]rescind.Digest{}
		var due []*tokenWatch
		digest := rapid.Custom(func(t *rapid.T) rescind.Digest {
			scope := rapid.SampledFrom([]rescind.Scope{1, 2, 3, 4, 5, 6}).Draw(t, "scope")
			return rescind.MakeDigest(scope, uint64(rapid.IntRange(1, 3).Draw(t, "id")), 0)
		})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				w := &tokenWatch{issuedAt: rescind.Millis(rapid.IntRange(0, 3).Draw(t, "issued"))}
				for i, scope := range rescind.Scopes() {
					w.links[i].watch = w
					if id := rapid.IntRange(0, 3).Draw(t, "id"); id > 0 {
						w.links[i].digest = rescind.MakeDigest(scope, uint64(id), 0)
						live[w] = append(live[w], w.links[i].digest)
					}
				}
				if live[w] == nil {
					live[w] = []rescind.Digest{}
				}
				watches.add(w)
			},
			"remove": func(t *rapid.T) {
				for w := range live {
					watches.remove(w)
					delete(live, w)
					break
				}
			},
			"fire": func(t *rapid.T) {
				r := rescind.Record{Digest: digest.Draw(t, "digest"), IssuedBefore: rescind.Millis(rapid.IntRange(0, 3).Draw(t, "before"))}
				watches.fire(r)
				for w, digests := range live {
					if slices.Contains(digests, r.Digest) && r.Covers(w.issuedAt) {
						due = append(due, w)
						delete(live, w)
					}
				}
			},
			"": func(t *rapid.T) {
				if len(watches.due) != len(due) || watches.count.Load() != int64(len(live)) {
					t.Fatalf("%d due and %d live; want %d and %d", len(watches.due), watches.count.Load(), len(due), len(live))
				}
				for _, w := range due {
					if !slices.Contains(watches.due, w) {
						t.Fatal("another is due")
					}
				}
				links := 0
				for _, first := range watches.byDigest {
					for link := first; link != nil; link = link.next {
						if _, ok := live[link.watch]; !ok || link.next != nil && link.next.previous != link {
							t.Fatal("a list is broken")
						}
						links++
					}
				}
				for _, digests := range live {
					links -= len(digests)
				}
				if links != 0 {
					t.Fatalf("%d links too many", links)
				}
			},
		})
	})
}

func TestWatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, true, false)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := make(chan Event, 16)
	ended := make(chan struct{})
	all := r.nodes[0].Watch(ctx)
	go func() {
		defer close(ended)
		for e := range all {
			events <- e
		}
	}()
	next := func(what string, is func(Event) bool) {
		t.Helper()
		for {
			select {
			case e := <-events:
				if is(e) {
					return
				}
			case <-time.After(deadline):
				t.Fatalf("no event: %s", what)
			}
		}
	}
	for i, n := range r.nodes[:2] {
		rev := rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSID, Issuer: iss, ID: fmt.Sprint("s", i)}}
		receipt, err := n.Revoke(t.Context(), rev, rescind.AckAll)
		if err != nil {
			t.Fatal(err)
		}
		next("revoked", func(e Event) bool {
			return e.Kind == EventRevoked && e.Record.Digest == receipt.Digest && e.Here == (i == 0)
		})
	}
	r.stop(2)
	next("left", func(e Event) bool { return e.Kind == EventMember && e.Member == "n2" && e.State == MemberLeft })
	cancel()
	<-ended
	if got := r.nodes[0].events.watched.Load(); got != 0 {
		t.Errorf("%d readers are left", got)
	}
	// The end of the node ends whoever watches it.
	all = r.nodes[1].Watch(t.Context())
	go r.nodes[1].Close()
	for range all {
	}
}

func TestWatchTellsWhatASlowReaderLost(t *testing.T) {
	var h hub
	r := h.subscribe()
	for range eventBuffer + 5 {
		h.publish(Event{})
	}
	if len(r.events) != eventBuffer || r.lost.Load() != 5 {
		t.Errorf("%d wait and %d are lost", len(r.events), r.lost.Load())
	}
}

// BenchmarkCheckBesideWatches shows what 100,000 watched tokens cost: a check
// nothing, and the heap some hundred bytes each.
func BenchmarkCheckBesideWatches(b *testing.B) {
	for _, watches := range []int{0, 100_000} {
		b.Run(fmt.Sprint(watches), func(b *testing.B) {
			n, err := Open(b.Context(), Config{Name: "n", DataDir: b.TempDir(), Logger: quiet})
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			for i := range 1000 { // so that a check has something to look into
				n.set.Merge(rescind.Record{Digest: n.set.Digest(rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: fmt.Sprint(i)}), IssuedBefore: rescind.Ever, ExpiresAt: rescind.MillisOf(time.Now().Add(time.Hour))})
			}
			stops := make([]func(), 0, watches)
			tokens := make([]rescind.Token, watches) // the caller's, so that its strings are not counted
			for i := range tokens {
				tokens[i] = watched(fmt.Sprint("w", i))
			}
			before := heap()
			for _, token := range tokens {
				stops = append(stops, n.WatchToken(token, func() {}))
			}
			used := heap() - before
			token := watched("mine")
			b.ReportAllocs()
			for b.Loop() {
				if n.Check(token) != rescind.Valid {
					b.Fatal("not valid")
				}
			}
			if watches > 0 {
				b.ReportMetric(float64(used)/float64(watches), "B/watch")
			}
			runtime.KeepAlive(stops)
			runtime.KeepAlive(tokens)
		})
	}
}

func heap() int64 {
	for range 3 { // finalizers and pools let go of what they hold in turns
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
