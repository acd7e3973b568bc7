package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"rescind/bench/apitoken"
	"rescind/bench/pace"
	"rescind/bench/stats"
)

// outageTokens is how many revoked tokens, and as many live ones, are checked
// without the store.
const outageTokens = 40

// outageResult is what an API answers without what it asks.
type outageResult struct {
	killed, paused outageAnswers
	lost           int  // revoked tokens that are accepted once the store is back
	tried          bool // there is something that can be taken away
}

// outageAnswers are the answers to outageTokens revoked and as many live tokens.
type outageAnswers struct {
	refused, accepted int       // revoked tokens
	unsure            int       // of all: an error, which the API must make something of
	times             []float64 // ms, of the errors
	late              int       // of all: no answer for so long that a user would have gone
}

// measureOutages kills and pauses each store and asks meanwhile.
func (c *comparison) measureOutages(ctx context.Context) error {
	var done []*service
	for _, s := range c.subjects {
		if s.service == nil || slices.Contains(done, s.service) {
			continue
		}
		done = append(done, s.service)
		if err := c.takeAway(ctx, s.service); err != nil {
			return fmt.Errorf("%s: %w", s.service.name, err)
		}
	}
	return nil
}

func (c *comparison) takeAway(ctx context.Context, service *service) error {
	var trials []*outageTrial
	for _, s := range c.subjects {
		if s.service == service || s.without == service {
			t, err := c.newOutageTrial(ctx, s)
			if err != nil {
				return err
			}
			trials = append(trials, t)
		}
	}
	pace.Pause(ctx, c.window)
	ask := func(into func(*outageTrial) *outageAnswers) {
		var asking sync.WaitGroup
		for _, t := range trials {
			asking.Go(func() { *into(t) = t.ask(ctx, c.patient) })
		}
		asking.Wait()
	}
	if err := service.current().Pause(); err == nil {
		ask(func(t *outageTrial) *outageAnswers { return &t.result().paused })
		if err := service.current().Continue(); err != nil {
			return err
		}
	}
	if err := service.kill(); err != nil {
		return err
	}
	ask(func(t *outageTrial) *outageAnswers { return &t.result().killed })
	if err := service.restart(ctx); err != nil {
		return err
	}
	for _, t := range trials {
		t.late.Wait() // those that nobody waited for
		if err := t.again(ctx); err != nil {
			return fmt.Errorf("%s, with its store back: %w", t.subject.name, err)
		}
	}
	return nil
}

// outageTrial asks one of a subject's APIs.
type outageTrial struct {
	subject       *contender
	revoked, live []*apitoken.Token
	late          sync.WaitGroup
}

func (t *outageTrial) result() *outageResult { return &t.subject.outage }

func (c *comparison) newOutageTrial(ctx context.Context, s *contender) (*outageTrial, error) {
	tokens, err := c.pool.Fresh(2 * outageTokens)
	if err != nil {
		return nil, err
	}
	s.outage.tried = true
	t := &outageTrial{subject: s, revoked: tokens[:outageTokens], live: tokens[outageTokens:]}
	for _, token := range t.revoked {
		if err := s.apis[0].revoke(ctx, token); err != nil {
			return nil, fmt.Errorf("log out at %s: %w", s.name, err)
		}
	}
	return t, nil
}

// ask checks all tokens at once, as users do who don't wait for each other.
func (t *outageTrial) ask(ctx context.Context, patient time.Duration) (a outageAnswers) {
	type answer struct {
		revoked bool
		err     error
		took    time.Duration
	}
	answers := make(chan answer, 2*outageTokens) // late ones don't block
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	began := time.Now()
	for i, token := range slices.Concat(t.revoked, t.live) {
		t.late.Go(func() {
			err := t.subject.apis[1].check(ctx, token)
			answers <- answer{i < len(t.revoked), err, time.Since(began)}
		})
	}
	enough := time.After(patient)
	for n := range 2 * outageTokens {
		select {
		case got := <-answers:
			switch {
			case got.err == nil && got.revoked:
				a.accepted++
			case errors.Is(got.err, errRevokedToken) && got.revoked:
				a.refused++
			case got.err != nil && got.took >= patient:
				a.late++
			case got.err != nil:
				a.unsure++
				a.times = append(a.times, stats.Millis(got.took))
			}
		case <-enough:
			a.late += 2*outageTokens - n
			return a
		}
	}
	return a
}

// again waits until a live token is accepted and counts the revoked ones that
// are, too.
func (t *outageTrial) again(ctx context.Context) error {
	live := func() bool { return t.subject.apis[1].check(ctx, t.live[0]) == nil }
	if err := pace.Until(ctx, live); err != nil {
		return err
	}
	for _, token := range t.revoked {
		switch err := t.subject.apis[1].check(ctx, token); {
		case err == nil:
			t.subject.outage.lost++
		case !errors.Is(err, errRevokedToken):
			return err
		}
	}
	return nil
}
