package cluster

import (
	"context"
	"errors"
	"sync/atomic"

	"rescind"
)

// reason says why a revocation or a use of a one-time token was refused.
type reason uint8

const (
	reasonInvalid   reason = iota
	reasonUsed             // a one-time token that was used before
	reasonRevoked          // a one-time token that is revoked
	reasonUndecided        // nobody could say whether a use is the first
	reasonFull             // at Config.MaxRevocations
	reasonNotReady         // not loaded yet, or this machine's clock is off
	reasonIsolated         // no peer was heard for Config.ForgetAfter
	reasonStale            // by Config.RejectStale
	reasonClosed
	reasonTimeout // the caller gave up before this node's disk had answered
	reasonFailed  // the disk, or whatever else
	numReasons
)

var reasonNames = [numReasons]string{"invalid", "used", "revoked", "undecided", "full", "not_ready", "isolated", "stale", "closed", "timeout", "failed"}

// reasonOf says why err refused. ErrUnconfirmed is no refusal: the revocation
// stands.
func reasonOf(err error) reason {
	_, invalid := errors.AsType[*rescind.InvalidError](err)
	switch {
	case invalid, errors.Is(err, rescind.ErrStrictOff):
		return reasonInvalid
	case errors.Is(err, rescind.ErrConsumed):
		return reasonUsed
	case errors.Is(err, rescind.ErrRevoked):
		return reasonRevoked
	case errors.Is(err, rescind.ErrUndecided):
		return reasonUndecided
	case errors.Is(err, rescind.ErrFull):
		return reasonFull
	case errors.Is(err, rescind.ErrNotReady):
		return reasonNotReady
	case errors.Is(err, rescind.ErrIsolated):
		return reasonIsolated
	case errors.Is(err, rescind.ErrStale):
		return reasonStale
	case errors.Is(err, rescind.ErrClosed):
		return reasonClosed
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return reasonTimeout
	default:
		return reasonFailed
	}
}

// refusals counts by reason. It is safe for concurrent use.
type refusals [numReasons]atomic.Uint64

func (r *refusals) count(err error) { r[reasonOf(err)].Add(1) }

// snapshot returns the counts by the names of the reasons from first on, also
// those that are 0.
func (r *refusals) snapshot(which ...reason) map[string]uint64 {
	counts := make(map[string]uint64, len(which))
	for _, one := range which {
		counts[reasonNames[one]] = r[one].Load()
	}
	return counts
}

func (n *Node) refused() Refused {
	c := &n.counters
	return Refused{
		Revocations: c.revokeRefused.snapshot(reasonInvalid, reasonFull, reasonNotReady, reasonIsolated, reasonClosed, reasonTimeout, reasonFailed),
		Uses: c.consumeDenied.snapshot(reasonInvalid, reasonUsed, reasonRevoked, reasonUndecided, reasonFull, reasonNotReady, reasonIsolated,
			reasonStale, reasonClosed, reasonTimeout, reasonFailed),
	}
}
