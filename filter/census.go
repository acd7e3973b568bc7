package filter

import (
	"sync"
	"sync/atomic"

	"rescind"
)

// census counts the records.
type census struct {
	// scopes has a bit for each scope that holds records. A bit is set before
	// the first record becomes visible and cleared after the last has gone: a
	// scope without its bit need not be looked up.
	scopes     atomic.Uint64
	total      atomic.Int64
	quietAdded atomic.Uint64 // how many records of quietScopes have been added
	bytes      atomic.Int64  // of tables and filters

	mu   sync.Mutex // held to change any of this
	held [rescind.NumScopes]int
	max  int // of total, for those who must keep to it; 0 is no limit

	maxBytes int // likewise
	fullAt   int // the total when one of them was reached; 0: it is not
}

// add counts a record that is about to be inserted, or refuses to and reports
// false, see takes.
func (c *census) add(scope rescind.Scope, by claim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.takes(scope, by) {
		return false
	}
	c.total.Add(1)
	if c.held[scope]++; c.held[scope] == 1 {
		c.scopes.Store(c.scopes.Load() | 1<<scope)
	}
	return true
}

// remove counts records that have been removed, by scope, and returns how many
// they are.
func (c *census) remove(gone [rescind.NumScopes]int) (total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for scope, n := range gone {
		if c.held[scope] -= n; c.held[scope] == 0 {
			c.scopes.Store(c.scopes.Load() &^ (1 << scope))
		}
		total += n
	}
	c.total.Add(-int64(total))
	return total
}
