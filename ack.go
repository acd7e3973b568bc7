package rescind

import (
	"fmt"
	"strconv"
	"time"
)

// Ack says on how many nodes a revocation must be durable before Revoke
// returns. The accepting node itself always is one of them. A positive Ack is
// a number of other nodes.
type Ack int

const (
	AckDefault  Ack = 0  // as the node is configured
	AckLocal    Ack = -1 // this node only
	AckMajority Ack = -2 // more than half of the listed members, this node included
	AckAll      Ack = -3 // every listed member
)

// MaxAckNodes bounds a numeric Ack.
const MaxAckNodes = 10_000

// Validate returns an *InvalidError for a number that no Ack has.
func (a Ack) Validate() error {
	if a < AckAll || a > MaxAckNodes {
		return &InvalidError{Field: "ack", Problem: fmt.Sprintf("%d is no number of other nodes; use at most %d", int(a), MaxAckNodes)}
	}
	return nil
}

// ParseAck reads "local", "majority", "all" or a number of other nodes. An
// empty string is AckDefault.
func ParseAck(s string) (Ack, error) {
	switch s {
	case "":
		return AckDefault, nil
	case "local", "0":
		return AckLocal, nil
	case "majority":
		return AckMajority, nil
	case "all":
		return AckAll, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > MaxAckNodes {
		return 0, &InvalidError{Field: "ack", Problem: fmt.Sprintf("%.40q is not local, majority, all or a number of other nodes up to %d", s, MaxAckNodes)}
	}
	return Ack(n), nil
}

// String returns what ParseAck reads.
func (a Ack) String() string {
	switch a {
	case AckDefault:
		return ""
	case AckLocal:
		return "local"
	case AckMajority:
		return "majority"
	case AckAll:
		return "all"
	default:
		return strconv.Itoa(int(a))
	}
}

// Receipt says what is known of a revocation when Revoke returns.
type Receipt struct {
	// Digest names the revoked key without telling it.
	Digest Digest

	// IssuedBefore and ExpiresAt are the times in force, after defaults and
	// after merging with what the node already knew.
	IssuedBefore, ExpiresAt Millis

	// Version is opaque and names this revocation's place in the accepting
	// node's stream. A check elsewhere that presents it waits until that node
	// holds the revocation.
	Version string

	// Acknowledged lists the other nodes that hold the revocation durably, in
	// the order in which this node learned of it.
	Acknowledged []NodeAck

	// Missing names the listed members that have not acknowledged yet.
	// Missing one is not a failure: the revocation stands and goes on
	// spreading.
	Missing []string

	// Reason says why too few have acknowledged, where that is known and it is not
	// that somebody in Missing takes long. Else it is empty.
	Reason string
}

// NodeAck is one node's acknowledgement.
type NodeAck struct {
	Node string

	// After is the time from the call of Revoke to the arrival of this
	// acknowledgement, on the accepting node's clock alone: an upper bound of
	// the time until that node refused the token.
	After time.Duration
}

// Window is the time until the slowest acknowledgement in the receipt, or 0 if
// there is none.
func (r Receipt) Window() time.Duration {
	var w time.Duration
	for _, a := range r.Acknowledged {
		w = max(w, a.After)
	}
	return w
}
