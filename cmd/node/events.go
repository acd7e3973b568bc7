package main

import (
	"log/slog"
	"sync"

	"rescind/cmd/node/config"
	"rescind/httpapi"
	"rescind/httpapi/ssf"
)

// eventPolls are the pollers of security events of one node.
type eventPolls []*ssf.Poller

// startPolls polls for the events of each issuer that says where. What they end
// is revoked through api.
func startPolls(cfg *config.Config, api *httpapi.API, log *slog.Logger) (polls eventPolls, err error) {
	for _, i := range cfg.Tokens.Issuers {
		if i.EventsPollURL == "" {
			continue
		}
		p, err := ssf.StartPoller(ssf.Stream{
			Issuer: i.Issuer, URL: i.EventsPollURL, Take: api.TakeEvent, Token: pollToken(cfg, i),
			Wait: cfg.Events.PollWait, MaxEvents: cfg.Events.PollMax, Logger: log,
		})
		if err != nil {
			polls.close()
			return nil, err
		}
		polls = append(polls, p)
	}
	return polls, nil
}

// pollToken is nil where no token is sent.
func pollToken(cfg *config.Config, i config.Issuer) func() (string, error) {
	if i.EventsPollTokenFile == "" {
		return nil
	}
	return func() (string, error) { return cfg.PollToken(i) }
}

func (polls eventPolls) stats() []ssf.PollStats {
	all := make([]ssf.PollStats, len(polls))
	for i, p := range polls {
		all[i] = p.Stats()
	}
	return all
}

// close waits for the last acknowledgements, of all together.
func (polls eventPolls) close() {
	var closing sync.WaitGroup
	for _, p := range polls {
		closing.Go(p.Close)
	}
	closing.Wait()
}
