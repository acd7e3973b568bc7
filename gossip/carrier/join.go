package carrier

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firstRetry  = 200 * time.Millisecond
	maxRetry    = 5 * time.Second  // between attempts while alone
	rejoinEvery = 30 * time.Second // between attempts in company
	firstSettle = time.Second      // and at first, doubled each time

	// maxTargets bounds the addresses contacted at one time, and how many must
	// have answered before the rest is left out. Each exchanges the whole member
	// list.
	maxTargets = 8
)

const (
	dnsPrefix = "dns+"    // A and AAAA records of a name
	srvPrefix = "dnssrv+" // SRV records, which tell the ports too
)

func checkSeed(seed string) error {
	if name, srv := strings.CutPrefix(seed, srvPrefix); srv {
		if name == "" || strings.ContainsAny(name, ":/ ") {
			return fmt.Errorf("gossip.join %q: use dnssrv+name without a port", seed)
		}
		return nil
	}
	host, port, err := splitHostPort(strings.TrimPrefix(seed, dnsPrefix))
	if err != nil {
		return fmt.Errorf("gossip.join %q: %w", seed, err)
	}
	if host == "" || port == 0 {
		return fmt.Errorf("gossip.join %q: use host:port, dns+name:port or dnssrv+name", seed)
	}
	return nil
}

// keepJoined contacts seeds until ctx ends: quickly while this member is alone,
// and every half minute in company, because a cluster that was split when it
// started consists of parts that are each content. Seeds that are known to be
// alive are left out, so that a healthy cluster pays nothing for it. But at first
// it exchanges the list with some member all the same, a few times: of members that
// start at once memberlist's news of one may miss another, which would learn of it
// only at the next exchange of the list, half a minute later.
func (m *Memberlist) keepJoined(ctx context.Context) {
	if len(m.cfg.Join) == 0 {
		m.nobody.Store(true) // whoever comes joins this member
		return
	}
	retry, settle := firstRetry, firstSettle
	for failures := 0; ; {
		if err := m.join(ctx, settle < rejoinEvery); err != nil && ctx.Err() == nil {
			failures++
			m.counters.fail(err)
			if failures&(failures-1) == 0 { // 1, 2, 4, 8, ...: a bounded rate
				m.log.Warn("gossip: could not join a seed; trying again", "error", redact(err.Error()), "attempts", failures)
			}
		}
		wait := rejoinEvery
		if len(m.roster.reachable()) > 0 {
			retry = firstRetry
			wait, settle = min(settle, rejoinEvery), min(2*settle, rejoinEvery)
		} else {
			wait, retry = retry, min(2*retry, maxRetry)
		}
		select {
		case <-time.After(jitter(wait)):
		case <-ctx.Done():
			return
		}
	}
}

// jitter returns d give or take a fifth.
func jitter(d time.Duration) time.Duration {
	return d*4/5 + rand.N(d*2/5+1)
}

// join contacts the seeds that are not members already, and returns what went
// wrong. Each seed is looked up and dialled by itself: a name that nobody answers
// for takes seconds, and holds up no other. If there was none to contact and anyway
// is set, it contacts one of the members.
func (m *Memberlist) join(ctx context.Context, anyway bool) error {
	c := contacts{skip: map[string]bool{m.Addr(): true, m.Advertised(): true}, slots: make(chan struct{}, maxTargets)}
	members := m.roster.reachable()
	for _, member := range members {
		c.skip[member.peer.Address] = true
	}
	errs := make([]error, len(m.cfg.Join))
	var seeds sync.WaitGroup
	for i, seed := range m.cfg.Join {
		seeds.Go(func() { errs[i] = m.joinSeed(ctx, seed, &c) })
	}
	seeds.Wait()
	if ctx.Err() == nil {
		m.tried.Store(true)
	}
	err := errors.Join(errs...)
	if c.taken.Load() == 0 && anyway && len(members) > 0 {
		if addr, ok := netip.ParseAddrPort(members[rand.N(len(members))].peer.Address); ok == nil {
			err = errors.Join(err, m.contact(ctx, addr))
		}
	}
	if err != nil && strings.Contains(err.Error(), undecrypted) {
		m.counters.stranger()
	}
	m.nobody.Store(err == nil && len(m.roster.reachable()) == 0)
	return err
}

// contacts is one round of joining.
type contacts struct {
	slots  chan struct{} // of capacity maxTargets
	taken  atomic.Int64  // addresses that were contacted
	joined atomic.Int64  // and that answered

	mu   sync.Mutex // guards skip
	skip map[string]bool
}

// first reports whether addr is not known and was not asked for before.
func (c *contacts) first(addr netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.skip[addr.String()]
	c.skip[addr.String()] = true
	return !known
}

// joinSeed looks a seed up and contacts all its addresses, or those that are left
// when enough others have answered.
func (m *Memberlist) joinSeed(ctx context.Context, seed string, c *contacts) error {
	addrs, err := lookUp(ctx, seed)
	if err != nil {
		return fmt.Errorf("seed %s: %w", seed, err)
	}
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	errs := make([]error, len(addrs))
	var dials sync.WaitGroup
	for i, addr := range addrs {
		if !c.first(addr) {
			continue
		}
		dials.Go(func() {
			select {
			case c.slots <- struct{}{}:
				defer func() { <-c.slots }()
			case <-ctx.Done():
				return
			}
			if c.joined.Load() >= maxTargets {
				return
			}
			c.taken.Add(1)
			if errs[i] = m.contact(ctx, addr); errs[i] == nil {
				c.joined.Add(1)
			}
		})
	}
	dials.Wait()
	return errors.Join(errs...)
}

// SeedsTried reports whether each seed has been looked up and dialled once since
// the carrier was started, with whatever outcome.
func (m *Memberlist) SeedsTried() bool { return len(m.cfg.Join) == 0 || m.tried.Load() }
