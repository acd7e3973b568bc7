package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rescind"
	"rescind/gossip/carrier"
)

func oneTimeToken(id string) rescind.Token {
	return rescind.Token{
		Issuer: iss, ID: id, Session: "session of " + id, Subject: "alice",
		IssuedAt: rescind.MillisOf(time.Now()), ExpiresAt: rescind.MillisOf(time.Now().Add(time.Hour)),
	}
}

func mustConsume(t *testing.T, n *Node, token rescind.Token, mode rescind.Mode) {
	t.Helper()
	if err := n.Consume(t.Context(), token, mode); err != nil {
		t.Fatalf("first use: %v", err)
	}
}

func refuses(t *testing.T, n *Node, token rescind.Token, mode rescind.Mode, want error) {
	t.Helper()
	if err := n.Consume(t.Context(), token, mode); !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
}

// A used token is a revoked token: on this node at once, on others when the use
// arrives, and after a restart.
func TestUsedTokenIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, true, false)
	token := oneTimeToken("link")
	mustConsume(t, r.nodes[0], token, rescind.Available)
	refuses(t, r.nodes[0], token, rescind.Available, rescind.ErrConsumed)
	if v := r.nodes[0].Check(token); v != rescind.Revoked {
		t.Errorf("a used token is %v", v)
	}
	await(t, "the use at the other node", func() bool { return r.nodes[1].Check(token) == rescind.Revoked })
	refuses(t, r.nodes[1], token, rescind.Available, rescind.ErrConsumed)
	r.stop(0)
	again := r.start(0)
	await(t, "ready", func() bool { return again.ready.Load() })
	refuses(t, again, token, rescind.Available, rescind.ErrConsumed)
	for _, n := range r.nodes {
		if d := n.Status().Counters.DoubleUses; d != 0 {
			t.Errorf("%d double uses where there was none", d)
		}
	}
}

func TestConsumeRefuses(t *testing.T) {
	r := newRig(t, 1, false, false)
	n := r.nodes[0]
	revoked := oneTimeToken("revoked")
	for _, key := range []rescind.Key{{Scope: rescind.ScopeJTI, Issuer: iss, ID: "revoked"}, {Scope: rescind.ScopeSID, Issuer: iss, ID: "session of logged out"}} {
		if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: key}, rescind.AckLocal); err != nil {
			t.Fatal(err)
		}
	}
	refuses(t, n, revoked, rescind.Available, rescind.ErrRevoked)
	refuses(t, n, oneTimeToken("logged out"), rescind.Available, rescind.ErrRevoked)
	refuses(t, n, oneTimeToken("x"), rescind.Strict, rescind.ErrStrictOff)
	for name, change := range map[string]func(*rescind.Token){
		"no name":       func(t *rescind.Token) { t.ID = "" },
		"no issuer":     func(t *rescind.Token) { t.Issuer = "" },
		"expired":       func(t *rescind.Token) { t.ExpiresAt = rescind.MillisOf(time.Now().Add(-time.Hour)) },
		"beyond limits": func(t *rescind.Token) { t.ExpiresAt = rescind.MillisOf(time.Now().Add(1000 * time.Hour)) },
	} {
		token := oneTimeToken(name)
		change(&token)
		err := n.Consume(t.Context(), token, rescind.Available)
		if _, invalid := errors.AsType[*rescind.InvalidError](err); !invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := n.Consume(t.Context(), oneTimeToken("y"), 0); err == nil {
		t.Error("the zero Mode is accepted")
	}
}

// Of many callers on one node, one wins.
func TestOneWinnerOnOneNode(t *testing.T) {
	r := newRig(t, 1, false, false)
	token := oneTimeToken("race")
	var wg sync.WaitGroup
	errs := make(chan error, 50)
	for range cap(errs) {
		wg.Go(func() { errs <- r.nodes[0].Consume(t.Context(), token, rescind.Available) })
	}
	wg.Wait()
	close(errs)
	won := 0
	for err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, rescind.ErrConsumed) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d winners", won)
	}
}

// doubles collects what nodes report.
type doubles struct {
	mu     sync.Mutex
	events []DoubleUse
}

func (d *doubles) add(e DoubleUse) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
}

func (d *doubles) all() []DoubleUse {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]DoubleUse(nil), d.events...)
}

// Two uses that could not know of each other are found out when they meet, by
// both nodes, once, however often the records come again; and the session ends.
func TestDoubleUseIsDetected(t *testing.T) {
	t.Parallel()
	var reported doubles
	r := newRigWith(t, 3, false, true, func(c *Config) {
		c.RevokeDoubleUsed, c.OnDoubleUse = true, reported.add
	})
	address := must(url.Parse(r.nats.ClientURL())).Host
	r.nats.Shutdown()
	token := oneTimeToken("double")
	mustConsume(t, r.nodes[0], token, rescind.Available)
	await(t, "a later millisecond", func() bool { return rescind.MillisOf(time.Now()) > token.IssuedAt+2 })
	mustConsume(t, r.nodes[1], token, rescind.Available)
	mustConsume(t, r.nodes[1], oneTimeToken("single"), rescind.Available)
	restartNATS(t, r, address)

	sibling := oneTimeToken("sibling")
	sibling.Session = token.Session
	for i, n := range r.nodes {
		await(t, "the session's end", func() bool { return n.Check(sibling) == rescind.Revoked })
		await(t, "both uses", func() bool { return n.Check(oneTimeToken("single")) == rescind.Revoked || i == 1 })
	}
	await(t, "both reports", func() bool { return len(reported.all()) >= 2 })
	for _, e := range reported.all() {
		if e.First.Node != "n0" || e.Second.Node != "n1" || !e.First.At.Before(e.Second.At) || !e.SessionEnded {
			t.Errorf("reported %+v", e)
		}
	}
	// The same uses once more, as a repair or a transfer of the state brings them.
	for _, n := range r.nodes {
		for _, m := range r.nodes[:2] {
			record, use, err := m.useOf(&token, reported.all()[0].First.At)
			if err != nil {
				t.Fatal(err)
			}
			if m == r.nodes[1] {
				use.At = rescind.MillisOf(reported.all()[0].Second.At)
				record.IssuedBefore = use.IssuedBefore()
			}
			n.merge(record)
		}
	}
	for i, n := range r.nodes {
		n.uses.mu.Lock()
		own := n.uses.own[must(n.digestOf(&token))]
		if i < 2 && len(own.met) != 1 || i == 2 && own != nil {
			t.Errorf("node %d has met %+v", i, own)
		}
		n.uses.mu.Unlock()
	}
	var total uint64
	for _, n := range r.nodes {
		total += n.Status().Counters.DoubleUses
	}
	if total != 1 {
		t.Errorf("%d uses too many were counted, want 1", total)
	}
}

func (n *Node) digestOf(token *rescind.Token) (rescind.Digest, error) {
	record, _, err := n.useOf(token, time.Now())
	return record.Digest, err
}

func restartNATS(t *testing.T, r *rig, address string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "NATS at its old address", func() bool {
		r.nats, err = carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: net.JoinHostPort(host, port), Logger: quiet})
		return err == nil
	})
}

// Two nodes that never met before one of them was restarted find out, too.
func TestDoubleUseFromBeforeARestart(t *testing.T) {
	var reported doubles
	r := &rig{t: t, dir: t.TempDir()}
	token := oneTimeToken("apart")
	for i, name := range []string{"a", "b"} {
		r.cfgs = append(r.cfgs, Config{
			Name: name, DataDir: filepath.Join(r.dir, name), Logger: quiet, OnDoubleUse: reported.add,
			Gossip: &Gossip{Bind: "127.0.0.1:0"}, JoinTimeout: 10 * time.Millisecond,
		})
		r.nodes = append(r.nodes, nil)
		if i == 0 {
			r.start(0)
		}
	}
	await(t, "ready", func() bool { return r.nodes[0].ready.Load() })
	mustConsume(t, r.nodes[0], token, rescind.Available)
	r.stop(0)
	alone := r.start(1)
	await(t, "ready", func() bool { return alone.ready.Load() })
	mustConsume(t, alone, token, rescind.Available)
	r.start(0) // joins b
	await(t, "a report", func() bool { return len(reported.all()) > 0 })
	if e := reported.all()[0]; e.First.Node != "a" || e.Second.Node != "b" {
		t.Errorf("reported %+v", e)
	}
}

func strictRig(t *testing.T, nodes int) *rig {
	t.Helper()
	server, err := carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: "127.0.0.1:0", Logger: quiet, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	return newRigWith(t, nodes, true, false, func(c *Config) {
		c.NATS, c.OneTime = &NATS{URL: server.ClientURL()}, &OneTime{}
	})
}

func TestStrictHasOneWinner(t *testing.T) {
	t.Parallel()
	r := strictRig(t, 3)
	const tokens = 20
	won := make([]int, tokens)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range tokens {
		token := oneTimeToken(string(rune('a' + i)))
		for _, n := range r.nodes {
			wg.Go(func() {
				err := n.Consume(t.Context(), token, rescind.Strict)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won[i]++
				} else if !errors.Is(err, rescind.ErrConsumed) {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for i, w := range won {
		if w != 1 {
			t.Errorf("token %d has %d winners", i, w)
		}
	}
	for _, n := range r.nodes {
		await(t, "all uses", func() bool { return n.Status().Revocations[rescind.ScopeJTI] == tokens+1 }) // and which store decides
		refuses(t, n, oneTimeToken("a"), rescind.Strict, rescind.ErrConsumed)
		if d := n.Status().Counters.DoubleUses; d != 0 {
			t.Errorf("%d double uses", d)
		}
	}
}

// TestTwoServersThatAreNoCluster: nodes that ask two stores let no token be used
// twice, and say why.
func TestTwoServersThatAreNoCluster(t *testing.T) {
	t.Parallel()
	var urls []string
	for range 2 {
		server, err := carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: "127.0.0.1:0", Logger: quiet, StoreDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Shutdown)
		urls = append(urls, server.ClientURL())
	}
	r := newRigWith(t, 2, true, false, func(c *Config) {
		c.NATS, c.OneTime = &NATS{URL: urls[0]}, &OneTime{}
		urls = append(urls[1:], urls[0])
	})
	await(t, "members", func() bool { return len(r.nodes[0].listed()) == 1 && len(r.nodes[1].listed()) == 1 })
	told := false
	for i := range 40 {
		token, won := oneTimeToken(fmt.Sprint("token", i)), 0
		for k := range r.nodes { // each is the first to be asked, in turn: the other may have heard of the use
			err := r.nodes[(i+k)%2].Consume(t.Context(), token, rescind.Strict)
			switch {
			case err == nil:
				won++
			case errors.Is(err, rescind.ErrUndecided):
				told = told || strings.Contains(err.Error(), "another store")
			case !errors.Is(err, rescind.ErrConsumed):
				t.Error(err)
			}
		}
		if won > 1 {
			t.Errorf("token %d was used %d times", i, won)
		}
	}
	if !told {
		t.Error("nobody says that there are two stores")
	}
}

// Without the shared store nobody wins, and revocations go on.
func TestStrictFailsClosed(t *testing.T) {
	n, err := Open(t.Context(), Config{
		Name: "a", DataDir: t.TempDir(), Logger: quiet, JoinTimeout: 10 * time.Millisecond, Bootstrap: true,
		NATS: &NATS{URL: "nats://127.0.0.1:1"}, OneTime: &OneTime{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := n.Consume(ctx, oneTimeToken("x"), rescind.Strict); !errors.Is(err, rescind.ErrUndecided) {
		t.Fatal(err)
	}
	mustConsume(t, n, oneTimeToken("x"), rescind.Available)
	if got := n.Status().Counters.ConsumeUndecided; got != 1 {
		t.Errorf("%d undecided", got)
	}
}

func TestOneTimeNeedsOneStore(t *testing.T) {
	for name, c := range map[string]Config{
		"no NATS":           {Gossip: &Gossip{Bind: "127.0.0.1:0"}},
		"each its own NATS": {Gossip: &Gossip{Bind: "127.0.0.1:0"}, NATS: &NATS{Embed: "127.0.0.1:0"}},
		"two replicas":      {NATS: &NATS{URL: "nats://127.0.0.1:1"}, OneTime: &OneTime{Replicas: 2}},
		"too many buckets":  {NATS: &NATS{URL: "nats://127.0.0.1:1"}, OneTime: &OneTime{Buckets: 65}},
	} {
		c.DataDir, c.Logger = t.TempDir(), quiet
		if c.OneTime == nil {
			c.OneTime = &OneTime{}
		}
		if n, err := Start(c); err == nil {
			t.Errorf("%s: started", name)
			n.Close()
		}
	}
}

// A node that embeds the server keeps the claims in its own folder.
func TestStrictEmbedded(t *testing.T) {
	dir := t.TempDir()
	token := oneTimeToken("kept")
	for i := range 2 {
		n, err := Open(t.Context(), Config{
			Name: "alone", DataDir: dir, Logger: quiet, JoinTimeout: 10 * time.Millisecond,
			NATS: &NATS{Embed: "127.0.0.1:0"}, OneTime: &OneTime{Buckets: 2},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Consume(t.Context(), token, rescind.Strict); (err == nil) != (i == 0) {
			t.Errorf("use %d: %v", i+1, err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// anotherUse is a use of the token on another node, as it arrives.
func anotherUse(t *testing.T, n *Node, token rescind.Token) rescind.Record {
	t.Helper()
	record, use, err := n.useOf(&token, time.Now().Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	use.Node++
	record.IssuedBefore = use.IssuedBefore()
	return record
}

func siblingOf(token rescind.Token) rescind.Token {
	sibling := oneTimeToken("sibling of " + token.ID)
	sibling.Session = token.Session
	return sibling
}

// A partition that heals brings many double uses at once: each session ends.
func TestDoubleUsesInABurst(t *testing.T) {
	const many = 3000
	n := alone(t, func(c *Config) { c.RevokeDoubleUsed = true })
	tokens := make([]rescind.Token, many)
	var uses sync.WaitGroup
	for worker := range 50 {
		uses.Go(func() {
			for i := worker; i < many; i += 50 {
				tokens[i] = oneTimeToken(fmt.Sprint("burst-", i))
				tokens[i].Session = fmt.Sprint("session-", i)
				if err := n.Consume(t.Context(), tokens[i], rescind.Available); err != nil {
					t.Error(err)
				}
			}
		})
	}
	uses.Wait()
	for _, token := range tokens {
		n.merge(anotherUse(t, n, token))
	}
	for _, token := range tokens {
		await(t, "the session's end", func() bool { return n.Check(siblingOf(token)) == rescind.Revoked })
	}
}

// A session that can't be ended because the node is full ends when it no longer
// is.
func TestDoubleUseOnAFullNode(t *testing.T) {
	var reported doubles
	n := alone(t, func(c *Config) { c.RevokeDoubleUsed, c.MaxRevocations, c.OnDoubleUse = true, 1, reported.add })
	token := oneTimeToken("double")
	mustConsume(t, n, token, rescind.Available)
	n.merge(anotherUse(t, n, token))
	await(t, "the report", func() bool { return len(reported.all()) == 1 })
	if reported.all()[0].SessionEnded || n.Check(siblingOf(token)) == rescind.Revoked {
		t.Error("the session ended on a full node")
	}
	for turn := range uint64(256) {
		n.set.Sweep(turn, rescind.Ever)
	}
	await(t, "the session's end", func() bool { return n.Check(siblingOf(token)) == rescind.Revoked })
}
