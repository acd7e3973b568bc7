// Package ssf moves security event tokens (RFC 8417) between a node and its
// peers in the Shared Signals Framework 1.0, where that is not the answer to a
// request: a [Poller] fetches them from a transmitter (RFC 8936), and a
// [Transmitter] tells receivers of revocations, by push (RFC 8935) and by poll.
//
// A [Poller] guarantees that an event is acknowledged only after whoever takes
// it has said that what it ends is durable, and that one which could not be
// taken for this node's own reasons is neither acknowledged nor reported, so
// that the transmitter offers it again. An event may come more than once, and
// to several nodes: taking it must be idempotent, as revoking is.
//
// A [Transmitter] guarantees that announcing a revocation waits for nothing, and
// that an event which is in its [Log] is delivered at least once, under one jti,
// unless its receiver refuses it, too much waits, or the revocation expires.
//
// What the other side sends is bounded in bytes, number and time, redirects are
// refused, and no token of either side is logged.
package ssf
