package httpapi

import (
	"context"
	"log/slog"
	"net/http"

	"rescind/cluster"
	"rescind/internal/problem"
)

// quorumJSON is a [cluster.Quorum]; null in a cluster whose members are not named.
type quorumJSON struct {
	List    uint64   `json:"list"`
	Names   []string `json:"names"`
	Before  []string `json:"before,omitempty"`
	Size    int      `json:"size"`
	Need    int      `json:"need"`
	Reached int      `json:"reached"`
	Missing []string `json:"missing"`
	Whole   bool     `json:"whole"`
}

func newQuorum(q *cluster.Quorum) *quorumJSON {
	if q == nil {
		return nil
	}
	return &quorumJSON{
		List: q.List, Names: q.Names, Before: q.Before, Size: q.Size, Need: q.Need, Reached: q.Reached,
		Missing: append([]string{}, q.Missing...), Whole: q.Whole,
	}
}

// lossAcceptor is a Node of named members; *cluster.Node is one.
type lossAcceptor interface {
	AcceptLoss(context.Context) error
}

// acceptLoss takes an administrator's word that what only lost folders held is given
// up.
func (a *API) acceptLoss(w http.ResponseWriter, r *http.Request) {
	node, ok := a.cfg.Node.(lossAcceptor)
	if !ok {
		problem.NotHere.Write(w, "this node has no named members")
		return
	}
	err := node.AcceptLoss(r.Context())
	attrs := []slog.Attr{slog.String("endpoint", r.Pattern), slog.String("caller", callerOf(r)), slog.String("remote", a.remote(r))}
	if err != nil {
		a.log.LogAttrs(r.Context(), slog.LevelWarn, "loss not accepted", append(attrs, slog.Any("error", err))...)
		a.refuse(w, r, err)
		return
	}
	a.log.LogAttrs(r.Context(), slog.LevelWarn, "accepts the loss of what only lost folders held", attrs...)
	w.WriteHeader(http.StatusNoContent)
}
