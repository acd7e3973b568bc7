package rescind

// Mode says what [ErrConsumed] promises about a one-time token.
type Mode uint8

const (
	// Available decides on the node that is asked, from what it knows: no other
	// machine has to be reachable. Two nodes that have not heard of each
	// other's use may both accept the token. They find that out when the uses
	// meet, and say so.
	Available Mode = 1

	// Strict asks a store that all nodes share. At most one use in the whole
	// cluster succeeds, ever; where the store can't decide, none does.
	Strict Mode = 2
)

// ParseMode reads "available" or "strict".
func ParseMode(s string) (Mode, error) {
	switch s {
	case "available":
		return Available, nil
	case "strict":
		return Strict, nil
	}
	return 0, &InvalidError{Field: "mode", Problem: "must be available or strict"}
}

// Valid reports whether m is one of the declared modes.
func (m Mode) Valid() bool { return m == Available || m == Strict }

// String returns what ParseMode reads.
func (m Mode) String() string {
	switch m {
	case Available:
		return "available"
	case Strict:
		return "strict"
	default:
		return "mode(?)"
	}
}

// A used one-time token is a revoked jti whose IssuedBefore holds no time but a
// Use: 42 bits of when, in milliseconds, and 21 bits of where. As a number it is
// later than any time of issue and earlier than Ever, so it covers its token
// for good, and records merge as they always do. Two uses of one token differ,
// wherever and however late they meet; one use that arrives twice does not.
const (
	useNodeBits = 21
	useNodeMask = 1<<useNodeBits - 1
	leastUse    = Millis(1) << 60 // 1987; no time of issue comes near
	lastUseTime = 1<<42 - 2       // 2109
)

// Use is when and where a one-time token was used.
type Use struct {
	At   Millis
	Node uint32 // of the node's origin, the lowest 21 bits that NodeOf keeps
}

// NodeOf returns the part of a node's origin that a Use keeps. Of 100 nodes,
// two share it with a probability of 1 in 400.
func NodeOf(origin uint64) uint32 { return uint32(origin & useNodeMask) }

// IssuedBefore returns u as the IssuedBefore of the used token's record.
func (u Use) IssuedBefore() Millis {
	at := min(max(u.At, leastUse>>useNodeBits), lastUseTime)
	return at<<useNodeBits | Millis(u.Node&useNodeMask)
}

// Use returns the use that r records, or false if r revokes.
func (r Record) Use() (Use, bool) {
	if !r.IssuedBefore.isUse() || r.Digest.Scope() != ScopeJTI {
		return Use{}, false
	}
	return Use{At: r.IssuedBefore >> useNodeBits, Node: uint32(r.IssuedBefore & useNodeMask)}, true
}

func (m Millis) isUse() bool { return m >= leastUse && m != Ever }
