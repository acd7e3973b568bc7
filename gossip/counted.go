package gossip

// Counted reports whether the others can know of what this node acknowledges: one of
// them has echoed it in this epoch, so it counts there, and by its word elsewhere; or
// it knows of nobody. A member that left no longer counts, and one that was started
// again out of everybody's reach has not come back for them: what it acknowledged
// then, their bounds would not cover. Members that write into a log that is shared
// read there what this node writes.
func (c *Core) Counted() bool {
	if c.wasEchoed {
		return true
	}
	for _, p := range c.list {
		if (p.spoken || p.admitted) && !p.logged && !p.left {
			return false
		}
	}
	return true
}
