package dashboard

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"rescind/cluster"
	"rescind/httpapi/diagnosis"
)

const (
	keptEvents = 100

	// burst is how many revocations a second are listed. What is beyond is
	// counted in the charts, and watched by nobody, so that a bulk of millions
	// costs the node nothing here.
	burst = 32
)

// event is a line of the list of what happened.
type event struct {
	At     time.Time
	Kind   string // revoked, member, carrier, ready, problem, solved, more
	What   string
	Digest string // of kind revoked
}

// events are the latest. The zero value holds none.
type events struct {
	mu   sync.Mutex // guards list
	list []event    // the latest last

	seen *seen // what compare saw last; only Run's loop touches it
}

func (e *events) add(ev event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.list) == keptEvents {
		e.list = append(e.list[:0], e.list[1:]...)
	}
	e.list = append(e.list, ev)
}

// latest returns the events, the latest first.
func (e *events) latest() []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := slices.Clone(e.list)
	slices.Reverse(list)
	return list
}

// follow lists revocations until ctx ends.
func (e *events) follow(ctx context.Context, n Node) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		listed, second := 0, time.Now().Truncate(time.Second)
		for ev := range n.Watch(ctx) {
			if ev.Kind != cluster.EventRevoked {
				continue // compare tells those, also after a burst
			}
			if s := ev.At.Truncate(time.Second); s != second {
				listed, second = 0, s
			}
			if listed == burst {
				e.add(event{At: ev.At, Kind: "more", What: "more revocations came within a second than are listed; the charts count them all"})
				break
			}
			listed++
			e.add(revoked(ev))
		}
		// Either of a burst there is more, or the node has closed.
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func revoked(ev cluster.Event) event {
	from := "accepted elsewhere"
	if ev.Here {
		from = "accepted here"
	}
	digest := ev.Record.Digest
	return event{At: ev.At, Kind: "revoked", What: digest.Scope().String() + ", " + from, Digest: digest.String()}
}

// seen is what is compared from sample to sample.
type seen struct {
	ready    bool
	members  map[string]cluster.Member // by origin
	carriers map[string]bool           // connected, by name
	problems map[string]string         // the first text of each kind
}

func newSeen(st cluster.Status, problems []diagnosis.Problem) *seen {
	s := &seen{ready: st.Ready, members: map[string]cluster.Member{}, carriers: map[string]bool{}, problems: map[string]string{}}
	for _, m := range st.Members {
		s.members[m.Origin] = m
	}
	for _, c := range st.Carriers {
		s.carriers[c.Name] = c.Connected
	}
	for _, p := range problems {
		if _, there := s.problems[p.Name]; !there {
			s.problems[p.Name] = p.What
		}
	}
	return s
}

// compare lists what differs from the last time: members, carriers, readiness,
// problems.
func (e *events) compare(now time.Time, st cluster.Status, problems []diagnosis.Problem) {
	last, next := e.seen, newSeen(st, problems)
	e.seen = next
	if last == nil {
		return
	}
	tell := func(kind, what string) { e.add(event{At: now, Kind: kind, What: what}) }
	if next.ready != last.ready {
		tell("ready", map[bool]string{true: "this node is ready", false: "this node is no longer ready"}[next.ready])
	}
	for _, origin := range slices.Sorted(maps.Keys(next.members)) {
		if m := next.members[origin]; m.State != last.members[origin].State {
			tell("member", m.Name+" is "+string(m.State))
		}
	}
	for _, origin := range slices.Sorted(maps.Keys(last.members)) {
		if _, listed := next.members[origin]; !listed {
			tell("member", last.members[origin].Name+" is "+string(cluster.MemberForgotten))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next.carriers)) {
		if before, known := last.carriers[name]; known && before != next.carriers[name] {
			tell("carrier", name+map[bool]string{true: " is connected", false: " is disconnected"}[next.carriers[name]])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next.problems)) {
		if _, known := last.problems[name]; !known {
			tell("problem", next.problems[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(last.problems)) {
		if _, there := next.problems[name]; !there {
			tell("solved", "no longer: "+last.problems[name])
		}
	}
}
