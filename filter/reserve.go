package filter

import "rescind"

// brakes are the scopes by which an operator stops a leaked key, a rogue issuer or
// a broken client. Each covers many tokens, few are ever needed, and nobody else
// can make them.
const brakes = 1<<rescind.ScopeKID | 1<<rescind.ScopeIss | 1<<rescind.ScopeClientID

// claim says whose record is to be counted.
type claim uint8

const (
	replicated    claim = iota // another node has accepted it: nothing is refused
	ordinary                   // whoever holds a token can cause it
	administrator              // from one
)

// reserve is how many records more than the limit administrators may add, and
// apart from that how many brakes there may be, whatever else the set holds.
func reserve(limit int) int { return max(1024, limit/64) }

// takes reports whether a record of scope may be added. The caller holds mu.
func (c *census) takes(scope rescind.Scope, by claim) bool {
	if by == replicated {
		return true
	}
	total := int(c.total.Load())
	tooMany := c.max > 0 && total >= c.max
	tooLarge := c.maxBytes > 0 && c.bytes.Load() >= int64(c.maxBytes)
	if !tooMany && !tooLarge {
		c.fullAt = 0
		return true
	}
	if brakes>>scope&1 != 0 && c.held[rescind.ScopeKID]+c.held[rescind.ScopeIss]+c.held[rescind.ScopeClientID] < reserve(c.max) {
		return true
	}
	// Where memory is the limit, the reserve begins at what the set held when it
	// was reached: tables and filters grow in steps.
	if c.fullAt == 0 || total < c.fullAt {
		c.fullAt = total
	}
	from := c.fullAt
	if tooMany && !tooLarge {
		from = c.max
	}
	return by == administrator && total < from+reserve(c.max)
}
