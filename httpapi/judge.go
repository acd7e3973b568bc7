package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"rescind/token"
)

// Question is what a proxy asks about one request.
type Question struct {
	Authorization []string // the values of the header
	Version       []string // of token.VersionHeader
	MaxStaleness  []string // of token.MaxStalenessHeader

	// Require returns what the route requires, or why that can't be read. It is
	// asked only about a token that is good otherwise.
	Require func() (token.Requirement, error)
}

// Judge answers as /v1/check does, and counts as one: for faces that are asked
// by another way. It writes no answer; see [API.RefusalOf].
func (a *API) Judge(ctx context.Context, q Question) (*token.Verified, error) {
	var start time.Time
	sampled := a.metrics.sampled()
	if sampled {
		start = time.Now()
	}
	verified, err := a.judge(ctx, q)
	if sampled {
		a.metrics.checkSeconds.Observe(time.Since(start).Seconds())
	}
	if err != nil {
		a.metrics.count(resultOf(err))
		return nil, err
	}
	a.metrics.count(resultValid)
	return verified, nil
}

func (a *API) judge(ctx context.Context, q Question) (*token.Verified, error) {
	raw, err := token.BearerOf(q.Authorization)
	if err != nil {
		return nil, err
	}
	verified, err := a.cfg.Verifier.VerifyFresh(ctx, raw, token.Freshness{}.Tighten(q.Version, q.MaxStaleness))
	if err != nil {
		return nil, err
	}
	required, err := q.Require()
	if err != nil {
		return nil, err
	}
	return verified, required.Check(verified)
}

// WriteIdentity sets the headers with which /v1/check tells whose token it was:
// all four, empty where the token lacks the claim.
func WriteIdentity(h http.Header, verified *token.Verified) { identify(h, &verified.Token) }

// Refusal is the answer of /v1/check to a token that was refused.
type Refusal struct {
	Status int
	Header http.Header
	Body   []byte
}

// RefusalOf returns how /v1/check answers an error of Judge.
func (a *API) RefusalOf(ctx context.Context, err error) Refusal {
	w := &refusalWriter{header: http.Header{"Cache-Control": noStore}}
	r := (&http.Request{Pattern: checkPath}).WithContext(ctx)
	a.refuseCheck(w, r, err)
	return Refusal{w.status, w.header, w.body.Bytes()}
}

// refusalWriter keeps an answer.
type refusalWriter struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (w *refusalWriter) Header() http.Header         { return w.header }
func (w *refusalWriter) WriteHeader(status int)      { w.status = status }
func (w *refusalWriter) Write(b []byte) (int, error) { return w.body.Write(b) }
