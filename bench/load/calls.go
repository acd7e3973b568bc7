package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"

	"rescind/bench/oracle"
	"rescind/token"
)

// check asks one node about one token and judges the answer. It errs if there was
// none.
func (d *driver) check(ctx context.Context, node int, face string, t *issued) error {
	a := oracle.Answer{Node: node, Asked: d.clock.Now()}
	var err error
	a.Status, err = d.site.do(ctx, node, http.MethodGet, face, t.raw, nil) // no answer is status 0
	a.Answered = d.clock.Now()
	if ctx.Err() != nil {
		return nil // cut short by us
	}
	if a.Status == http.StatusOK {
		d.lag.see(t.truth.Overdue(a))
	}
	d.tally.Count(t.truth.Judge(a, d.window), a, face)
	return err
}

// logIn opens a session of u, which is locked.
func (d *driver) logIn(ctx context.Context, u *user, node int) error {
	pair, err := d.site.issuers[node].Login(ctx, u.name, token.LoginOptions{ClientID: "load"})
	if err != nil {
		return err
	}
	s := &session{user: u, end: new(oracle.End), refresh: pair.RefreshToken}
	u.sessions = append(u.sessions, s)
	d.give(s, pair)
	return nil
}

// give adds the access token of a pair to its session.
func (d *driver) give(s *session, pair token.Pair) {
	t := &issued{raw: pair.AccessToken}
	t.truth.Ends = []*oracle.End{s.end, s.user.everywhere}
	s.tokens = append(s.tokens, t)
	d.book.begin(t)
}

// refresh uses up the refresh token of a session that nobody has ended. That it is
// refused would be a wrong answer.
func (d *driver) refresh(ctx context.Context, s *session, node int) error {
	a := oracle.Answer{Node: node, Asked: d.clock.Now(), Status: http.StatusOK}
	pair, err := d.site.issuers[node].Refresh(ctx, s.refresh)
	a.Answered = d.clock.Now()
	if err != nil {
		if errors.Is(err, token.ErrRevoked) || errors.Is(err, token.ErrReused) {
			a.Status = http.StatusUnauthorized
			d.tally.Count(oracle.Refused, a, "refresh of a live session")
		}
		return err
	}
	s.refresh = pair.RefreshToken
	d.give(s, pair)
	return nil
}

// logOut ends one session of u, which is locked, and returns its tokens.
func (d *driver) logOut(ctx context.Context, u *user, node int) ([]*issued, error) {
	i := rand.N(len(u.sessions))
	s := u.sessions[i]
	u.sessions = slices.Delete(u.sessions, i, i+1)
	return s.tokens, d.endTokens(ctx, node, "/v1/session", s.end, s.tokens)
}

// logOutEverywhere ends all sessions of u, which is locked, and returns their
// tokens.
func (d *driver) logOutEverywhere(ctx context.Context, u *user, node int) ([]*issued, error) {
	var tokens []*issued
	for _, s := range u.sessions {
		tokens = append(tokens, s.tokens...)
	}
	u.sessions, u.home = nil, node
	return tokens, d.endTokens(ctx, node, "/v1/sessions", u.everywhere, tokens)
}

// endTokens calls a log-out with the latest of the tokens that it ends.
func (d *driver) endTokens(ctx context.Context, node int, path string, e *oracle.End, tokens []*issued) error {
	e.Call(d.clock.Now())
	d.book.end(tokens...)
	status, err := d.site.do(ctx, node, http.MethodDelete, path, tokens[len(tokens)-1].raw, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK && status != http.StatusAccepted {
		return fmt.Errorf("%s answers %d to a log-out", d.site.urls[node], status)
	}
	e.Ack(d.clock.Now())
	return nil
}
