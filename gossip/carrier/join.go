package carrier

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	firstRetry  = 200 * time.Millisecond
	maxRetry    = 5 * time.Second  // between attempts while alone
	rejoinEvery = 30 * time.Second // between attempts in company
	firstSettle = time.Second      // and at first, doubled each time

	// maxTargets bounds the seeds contacted at one time. Each exchanges the
	// whole member list.
	maxTargets = 8
)

const dnsPrefix = "dns+"

func checkSeed(seed string) error {
	host, port, err := splitHostPort(strings.TrimPrefix(seed, dnsPrefix))
	if err != nil {
		return fmt.Errorf("gossip.join %q: %w", seed, err)
	}
	if host == "" || port == 0 {
		return fmt.Errorf("gossip.join %q: use host:port or dns+name:port", seed)
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

// join contacts some of the seeds that are not members already, all at once,
// and returns what went wrong. If there are none and anyway is set, it contacts
// one of the members.
func (m *Memberlist) join(ctx context.Context, anyway bool) error {
	targets, err := m.targets(ctx)
	if members := m.roster.reachable(); len(targets) == 0 && anyway && len(members) > 0 {
		if addr, err := netip.ParseAddrPort(members[rand.N(len(members))].peer.Address); err == nil {
			targets = append(targets, addr)
		}
	}
	errs := make([]error, len(targets))
	var contacts sync.WaitGroup
	for i, target := range targets {
		contacts.Go(func() { _, errs[i] = m.list.Join([]string{target.String()}) })
	}
	contacts.Wait()
	err = errors.Join(err, errors.Join(errs...))
	if err != nil && strings.Contains(err.Error(), undecrypted) {
		m.counters.stranger()
	}
	m.nobody.Store(err == nil && len(m.roster.reachable()) == 0)
	return err
}

func (m *Memberlist) targets(ctx context.Context) ([]netip.AddrPort, error) {
	skip := map[string]bool{m.Addr(): true, m.Advertised(): true}
	for _, member := range m.roster.reachable() {
		skip[member.peer.Address] = true
	}
	var targets []netip.AddrPort
	var errs []error
	for _, seed := range m.cfg.Join {
		addrs, err := resolve(ctx, strings.TrimPrefix(seed, dnsPrefix))
		if err != nil {
			errs = append(errs, fmt.Errorf("seed %s: %w", seed, err))
		}
		for _, addr := range addrs {
			if !skip[addr.String()] {
				skip[addr.String()] = true
				targets = append(targets, addr)
			}
		}
	}
	rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	return targets[:min(len(targets), maxTargets)], errors.Join(errs...)
}
