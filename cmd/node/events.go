package main

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"rescind/cmd/node/config"
	"rescind/httpapi"
	"rescind/httpapi/ssf"
)

// eventPolls are the pollers of security events of one node.
type eventPolls struct {
	mu      sync.Mutex // guards what follows
	running map[pollKey]*ssf.Poller
	closed  bool
}

// pollKey is all that tells one stream of events from another: a poller whose key
// stays goes on.
type pollKey struct {
	issuer, url, tokenFile string
	polling                string // how it polls
}

// prepare checks the streams of events that cfg names. What it returns polls for
// them, and for no other; what the events end is revoked through api.
func (p *eventPolls) prepare(cfg *config.Config, api *httpapi.API, log *slog.Logger) (commit func(), err error) {
	streams := map[pollKey]ssf.Stream{}
	for _, i := range cfg.Tokens.Issuers {
		if i.EventsPollURL == "" {
			continue
		}
		s := ssf.Stream{
			Issuer: i.Issuer, URL: i.EventsPollURL, Take: api.TakeEvent, Token: pollToken(cfg, i),
			Wait: cfg.Events.PollWait, MaxEvents: cfg.Events.PollMax, Logger: log,
		}
		if err := s.Validate(); err != nil {
			return nil, err
		}
		streams[pollKey{i.Issuer, i.EventsPollURL, i.EventsPollTokenFile, fmt.Sprint(s.Wait, s.MaxEvents)}] = s
	}
	return func() { p.set(streams, log) }, nil
}

// set stops the pollers that are not among streams and starts those that are new.
func (p *eventPolls) set(streams map[pollKey]ssf.Stream, log *slog.Logger) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	next, gone := map[pollKey]*ssf.Poller{}, []*ssf.Poller{}
	for key, poller := range p.running {
		if _, stays := streams[key]; stays {
			next[key] = poller
		} else {
			gone = append(gone, poller)
		}
	}
	closeAll(gone)
	for key, s := range streams {
		if next[key] != nil {
			continue
		}
		poller, err := ssf.StartPoller(s)
		if err != nil {
			log.Error("security events that can be polled are not", "transmitter", s.Issuer, "error", err)
			continue
		}
		next[key] = poller
	}
	p.running = next
}

// pollToken is nil where no token is sent.
func pollToken(cfg *config.Config, i config.Issuer) func() (string, error) {
	if i.EventsPollTokenFile == "" {
		return nil
	}
	return func() (string, error) { return cfg.PollToken(i) }
}

func (p *eventPolls) stats() []ssf.PollStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := []ssf.PollStats{}
	for _, poller := range p.running {
		all = append(all, poller.Stats())
	}
	slices.SortFunc(all, func(a, b ssf.PollStats) int { return strings.Compare(a.Issuer, b.Issuer) })
	return all
}

// close waits for the last acknowledgements. Nothing is polled for afterwards.
func (p *eventPolls) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	closeAll(slices.Collect(maps.Values(p.running)))
	p.running = nil
}

// closeAll waits for all together.
func closeAll(pollers []*ssf.Poller) {
	var closing sync.WaitGroup
	for _, p := range pollers {
		closing.Go(p.Close)
	}
	closing.Wait()
}
