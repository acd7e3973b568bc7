package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"rescind"
)

// kindOf maps the error of a revocation to what the client is told. A full
// node answers 503 and not 429, because it is the node that is at its limit
// and not the client that asks too often.
func kindOf(err error) kind {
	var invalid *rescind.InvalidError
	var bad *badRequest
	switch {
	case errors.As(err, &invalid):
		return kindInvalid
	case errors.As(err, &bad):
		return bad.kind
	case errors.Is(err, rescind.ErrFull):
		return kindFull
	case errors.Is(err, rescind.ErrNotReady):
		return kindNotReady
	case errors.Is(err, rescind.ErrClosed):
		return kindClosing
	case errors.Is(err, rescind.ErrIsolated):
		return kindIsolated
	case errors.Is(err, rescind.ErrUnavailable):
		return kindUnavailable
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return kindTimeout
	default:
		return kindInternal
	}
}

var details = map[string]string{
	kindFull.name:        "the node holds its configured maximum of live revocations; it never evicts one, so room comes with expiry or a higher revocations.max",
	kindNotReady.name:    "the node has not loaded and synchronised yet",
	kindClosing.name:     "the node is leaving; ask another one",
	kindIsolated.name:    "the node has heard from no peer for too long and is configured to refuse revocations then",
	kindUnavailable.name: "the stream that the cluster keeps its revocations in does not answer; the revocation is in force where it has arrived, but not durable: send it again",
	kindTimeout.name:     "the revocation was not durable on this node in time; it may be or not be there, and sending it again is harmless",
	kindInternal.name:    "the revocation was not accepted; the node's log says why",
}

// refuse answers a request that failed with err.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	field, detail := describe(err)
	k := kindOf(err)
	if k == kindInternal {
		a.log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("endpoint", r.Pattern), slog.Any("error", err))
	}
	k.writeField(w, field, detail)
}

func describe(err error) (field, detail string) {
	var invalid *rescind.InvalidError
	if errors.As(err, &invalid) {
		return invalid.Field, invalid.Error()
	}
	var bad *badRequest
	if errors.As(err, &bad) {
		return bad.field, bad.detail
	}
	return "", details[kindOf(err).name]
}
