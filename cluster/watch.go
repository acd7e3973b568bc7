package cluster

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/gossip"
)

// EventKind says what an Event is about.
type EventKind string

const (
	EventRevoked EventKind = "revoked" // a revocation came into force here, or now covers more
	EventMember  EventKind = "member"  // another node is in another state
	EventEnded   EventKind = "ended"   // the node was closed or has failed; the last event
)

// Event is something that happened, as this node saw it.
type Event struct {
	Kind EventKind
	At   time.Time

	// Record is what is revoked, of EventRevoked. Identifiers are not known
	// where they were not accepted, only their digests. Here says that it was
	// accepted by this node.
	Record rescind.Record
	Here   bool

	// Member and State are of EventMember. A member that is no longer listed is
	// MemberForgotten.
	Member string
	State  MemberState

	// Cause is of EventEnded: rescind.ErrClosed, or why the node failed.
	Cause error

	// Lost is how many events before this one the reader was too slow for.
	Lost int
}

// MemberForgotten is a member that is no longer listed: see Config.ForgetAfter.
const MemberForgotten MemberState = "forgotten"

// eventBuffer is how many events wait for a slow reader before some are lost.
const eventBuffer = 1024

// Watch returns the events from the moment of the call, until ctx ends or the loop
// over them is left, or the node is closed or fails, which the last event says. It
// must be given a context that ends. A reader that is slow loses events, and is told how many; nobody
// waits for it.
func (n *Node) Watch(ctx context.Context) iter.Seq[Event] {
	r := n.events.subscribe()
	release := context.AfterFunc(ctx, func() { n.events.leave(r) })
	return func(yield func(Event) bool) {
		defer release()
		defer n.events.leave(r)
		for {
			select {
			case e := <-r.events:
				e.Lost = int(r.lost.Swap(0))
				if !yield(e) {
					return
				}
			case <-ctx.Done():
				return
			case <-n.alive.Done():
				if r.drain(yield) {
					yield(Event{Kind: EventEnded, At: time.Now(), Cause: context.Cause(n.alive), Lost: int(r.lost.Swap(0))})
				}
				return
			}
		}
	}
}

// hub gives events to whoever watches. Its zero value is ready for use.
type hub struct {
	inForce [rescind.NumScopes]atomic.Uint64 // revocations that came into force here, by scope

	watched atomic.Int64 // len(readers), so that nobody pays while nobody watches

	mu      sync.Mutex // guards readers
	readers map[*eventReader]bool
}

type eventReader struct {
	events chan Event
	lost   atomic.Int64
}

// drain yields what waits already, and reports false if the reader wants no more.
func (r *eventReader) drain(yield func(Event) bool) bool {
	for {
		select {
		case e := <-r.events:
			e.Lost = int(r.lost.Swap(0))
			if !yield(e) {
				return false
			}
		default:
			return true
		}
	}
}

func (h *hub) subscribe() *eventReader {
	r := &eventReader{events: make(chan Event, eventBuffer)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readers == nil {
		h.readers = map[*eventReader]bool{}
	}
	h.readers[r] = true
	h.watched.Store(int64(len(h.readers)))
	return r
}

func (h *hub) leave(r *eventReader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.readers, r)
	h.watched.Store(int64(len(h.readers)))
}

// publish gives e to all and says when.
func (h *hub) publish(e Event) {
	if h.watched.Load() == 0 {
		return
	}
	e.At = time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.readers {
		select {
		case r.events <- e:
		default:
			r.lost.Add(1)
		}
	}
}

// noticed tells whoever watches that r came into force. It never waits.
func (n *Node) noticed(r rescind.Record, here bool) {
	if scope := r.Digest.Scope(); scope.Valid() {
		n.events.inForce[scope].Add(1)
	}
	n.watches.fire(r)
	n.events.publish(Event{Kind: EventRevoked, Record: r, Here: here})
}

// states are the members as they were last told to whoever watches.
type states map[gossip.Origin]Member

// tell publishes what differs from before.
func (s states) tell(h *hub, members []gossip.Member) {
	listed := make(map[gossip.Origin]bool, len(members))
	for _, m := range members {
		listed[m.Origin] = true
		now := memberOf(m, 0, 0)
		if before, known := s[m.Origin]; known && before.State == now.State {
			continue
		}
		s[m.Origin] = now
		h.publish(Event{Kind: EventMember, Member: now.Name, State: now.State})
	}
	for origin, m := range s {
		if !listed[origin] {
			delete(s, origin)
			h.publish(Event{Kind: EventMember, Member: m.Name, State: MemberForgotten})
		}
	}
}
