package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"rescind"
	"rescind/httpapi/ssf"
	"rescind/internal/problem"
	"rescind/token"
)

// revoke hands rev to the node and writes the audit line. It reports whether
// as many nodes as asked for have acknowledged; if not, the revocation stands
// nevertheless.
//
// It sets the header with the version, so that a client can pass it on to the
// next node without reading the answer.
//
// The client's hanging up does not end it: a browser that logs out and closes
// the page must be logged out.
//
// What stands in before, if anything, is revoked first. It needs no
// acknowledgement of its own: who has acknowledged rev has it, too, since a node's
// revocations are numbered and held without a gap.
func (a *API) revoke(h http.Header, r *http.Request, rev rescind.Revocation, c concern, reason string, before ...rescind.Revocation) (rescind.Receipt, bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), c.timeout)
	defer cancel()
	for _, first := range before {
		receipt, err := a.cfg.Node.Revoke(ctx, first, rescind.AckLocal)
		a.audit(r, first, reason, receipt, err == nil, err)
		if err != nil {
			return rescind.Receipt{}, false, err
		}
	}
	receipt, err := a.cfg.Node.Revoke(ctx, rev, c.ack)
	if receipt.Version != "" {
		h.Set(token.VersionHeader, receipt.Version)
	}
	confirmed := err == nil
	if errors.Is(err, rescind.ErrUnconfirmed) {
		err = nil
	}
	a.audit(r, rev, reason, receipt, confirmed, err)
	if err == nil && a.cfg.Transmitter != nil {
		a.cfg.Transmitter.Announce(rev, receipt, originOf(r)) // waits for nothing
	}
	return receipt, confirmed, err
}

type originKey struct{}

// withOrigin notes what asks for the revocations of r, where that is an event.
func withOrigin(r *http.Request, o ssf.Origin) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), originKey{}, o))
}

func originOf(r *http.Request) ssf.Origin {
	o, _ := r.Context().Value(originKey{}).(ssf.Origin)
	return o
}

// audit writes who revoked what and what became of it. The key appears as its
// digest only: identifiers may be personal data, and a jti may be guessed from.
func (a *API) audit(r *http.Request, rev rescind.Revocation, reason string, receipt rescind.Receipt, confirmed bool, err error) {
	attrs := []slog.Attr{
		slog.String("endpoint", r.Pattern),
		slog.String("caller", callerOf(r)),
		slog.String("remote", a.remote(r)),
		slog.String("scope", rev.Scope.String()),
		slog.String("reason", reason),
	}
	if err != nil {
		attrs = append(attrs, slog.String("problem", problem.Of(err).Name))
		a.log.LogAttrs(r.Context(), slog.LevelWarn, "revocation not accepted", attrs...)
		return
	}
	attrs = append(attrs,
		slog.String("digest", receipt.Digest.String()),
		slog.Time("expires_at", receipt.ExpiresAt.Time()),
		slog.String("version", receipt.Version),
		slog.Bool("confirmed", confirmed),
		slog.Int("acknowledged", len(receipt.Acknowledged)),
		slog.Int("missing", len(receipt.Missing)),
		slog.Float64("window_ms", millis(receipt.Window())),
	)
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "revoked", attrs...)
}

// inList returns what is to be revoked before rev, which is about the token v, so
// that a status list that we publish tells of it.
func inList(v *token.Verified, rev rescind.Revocation) []rescind.Revocation {
	if entry, ok := v.Published(rev); ok {
		return []rescind.Revocation{entry}
	}
	return nil
}

// writeReceipt answers with the receipt: with the given status, or 202 where
// the acknowledgements are not complete.
func writeReceipt(w http.ResponseWriter, status int, receipt rescind.Receipt, confirmed bool) {
	if !confirmed {
		status = http.StatusAccepted
	}
	writeJSON(w, status, newReceipt(receipt, confirmed))
}
