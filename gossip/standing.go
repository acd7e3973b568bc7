package gossip

import "time"

// What decides whether a node of an open cluster is ready. Its principle: a node
// answers "valid" once it knows what others know, or once somebody can say that
// there is nobody else; that it has waited for long enough says neither. A cluster
// whose members are named decides otherwise, and not here.

// State is why a node is ready, or is not.
type State uint8

// The states, the one of a node that knows nothing yet first.
const (
	StateLooking       State = iota // it looks for a member
	StateSynchronising              // it has met a member, and does not hold yet what that holds
	StateFull                       // a member says that it has no room for this node
	StateForeign                    // somebody is there whose key does not fit
	StateEmpty                      // its folder was never complete, and nobody can say that there are no others
	StateOwnDiskOnly                // it knows its own disk alone, and that does not suffice
	StateOwnDisk                    // the same, and it answers from that: ready
	StateFirst                      // there is nobody else: ready
	StateSynced                     // it has caught up: ready
)

// Ready reports whether a node in that state answers checks.
func (s State) Ready() bool { return s >= StateOwnDisk }

// Surroundings is what the caller of Standing knows and messages don't tell.
type Surroundings struct {
	Waited    bool // the time to look for members is over
	Nobody    bool // every transport works, and can say that nobody else is there
	Foreign   bool // somebody is there whose key does not fit: that is not nobody
	Bootstrap bool // the operator says that this is the first node of its cluster
	OwnDisk   bool // a node that was complete once may answer from its own disk
}

// Standing says whether this node is ready, and why. Once a member has been met
// in this life, or a transfer begun, no time-out makes it ready; nor does one where
// somebody is there with another key. A node whose folder was never complete, and
// so may lack anything, is ready without a member only where it is the first.
func (c *Core) Standing(now time.Duration, s Surroundings) State {
	switch {
	case c.Synced():
		return StateSynced
	case c.isFull(now):
		return StateFull
	case c.met || c.pull != nil:
		return StateSynchronising
	case s.Foreign:
		return StateForeign
	case !s.Waited:
		return StateLooking
	case len(c.peers)+len(c.aside) == 0 && (s.Nobody || s.Bootstrap):
		return StateFirst
	case !c.complete:
		if s.Bootstrap {
			return StateFirst
		}
		return StateEmpty
	case s.OwnDisk:
		return StateOwnDisk
	default:
		return StateOwnDiskOnly
	}
}

// Met reports whether this node has heard another member since it was started.
func (c *Core) Met() bool { return c.met }

// Found says that this node is the first: what it holds is all that there is, and
// who comes may catch up with it. The next commit notes that in the folder.
func (c *Core) Found() { c.founded, c.complete = true, true }

// isFull reports whether a member has lately said that it has no room for us.
func (c *Core) isFull(now time.Duration) bool { return c.fullAt != 0 && now-c.fullAt < fullFor }

// fullFor is how long the word counts of a member that has no room, and sayFullEvery
// how often a member says it: each of the newcomer's heartbeats asks for it.
const (
	fullFor      = 10 * time.Second
	sayFullEvery = 50 * time.Millisecond
)

// turnAway tells a node for which there is no room.
func (c *Core) turnAway(now time.Duration, m Message) {
	c.turnedAway++
	_, told := m.Body.(*Full)
	if told || c.toldFullAt != 0 && now-c.toldFullAt < sayFullEvery {
		return
	}
	c.toldFullAt = now
	c.sendTo(m.From, &Full{Limit: uint64(c.cfg.MaxPeers)})
}

// TurnedAway counts the messages of nodes for which there was no room.
func (c *Core) TurnedAway() uint64 { return c.turnedAway }

// Room returns how many other members there is room for.
func (c *Core) Room() int { return c.cfg.MaxPeers }
